"""Rules that a NetCDF tile must obey to be a served model's input: those of `data.tiles`, with the same verdicts.

This module becomes part of every logged model, which loads without this project, so it repeats definitions of
`data.tiles.rules`; a test compares them. What numbers mean is shared: `data.values`. One rule is missing here: a tile of Hokkaido may lie
elsewhere than its place in the catalogue, which a model does not hold.

Reference:
    Höhn et al. (2025), Sen12Landslides, Scientific Data, doi 10.1038/s41597-025-06167-2.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from data.io.memory import MAX_TILE_CHUNK_BYTES, measure_chunk
from data.values.decode import is_packed, read_attributes
from data.values.nodata import NODATA

BANDS = {
    "s1asc": ("VV", "VH"),
    "s1dsc": ("VV", "VH"),
    "s2": ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"),
}
TILE_SIZES = {"time": 15, "x": 128, "y": 128}
DEM_RANGE = (0, 8800)
PIXEL_M = 10.0
TILE_NAME = re.compile(rf"([a-z][a-z0-9]*(?:_[a-z0-9]+)*?)_({'|'.join(BANDS)})_([0-9]{{1,9}})\.nc")
UTM = re.compile(r"EPSG:32[67](0[1-9]|[1-5][0-9]|60)")
RENEW = "Get the file again."


class TileInputError(ValueError):
    """A tile that breaks a rule; the message names the file and the remedy.

    Attributes:
        verdict: Short name of the broken rule, as in ``python -m data.check``.
    """

    def __init__(self, message: str, verdict: str) -> None:
        super().__init__(message)
        self.verdict = verdict


def refuse(verdict: str, rule: str, got: object, path: Path, remedy: str = RENEW) -> TileInputError:
    """Return the error for a broken rule."""
    return TileInputError(f"{rule}, but got {got} in {path}. {remedy}", verdict)


def list_tile_variables(modality: str) -> dict[str, str]:
    """Return the kinds of dtype that each variable over time, x and y may have."""
    kind = "iu" if modality == "s2" else "f"
    scene_class = ("SCL",) if modality == "s2" else ()
    return dict.fromkeys((*BANDS[modality], *scene_class), kind) | {"MASK": "iu", "DEM": "iu"}


def check_tile_layout(file: Any, modality: str, path: Path) -> None:
    """Check names, dims, sizes and dtypes of an open file before any large array is read."""
    variables = list_tile_variables(modality)
    if missing := [name for name in (*variables, *TILE_SIZES) if name not in file.variables]:
        rule = f"A tile must have the variables {', '.join(missing)}"
        raise refuse("missing-variable", rule, "none", path)
    for name in (*variables, *TILE_SIZES):
        _check_dims(name, file[name], path)
        _check_chunk(name, file[name], path)
    for name in (*variables, "x", "y"):
        packed = is_packed(read_attributes(file[name]))
        kinds = "fiu" if packed else variables.get(name, "fiu")
        if np.dtype(file[name].dtype).kind not in kinds:
            kind = {"f": "floating point", "iu": "integer", "fiu": "numeric"}[kinds]
            raise refuse("wrong-dtype", f"{name} must be {kind}", file[name].dtype, path)


def _check_dims(name: str, variable: Any, path: Path) -> None:
    wanted = {name: TILE_SIZES[name]} if name in TILE_SIZES else TILE_SIZES
    found = dict(zip(variable.dimensions, variable.shape, strict=True))
    if found != wanted:
        verdict = "wrong-shape" if found.keys() == wanted.keys() else "wrong-dims"
        sizes = ", ".join(f"{dim} {size}" for dim, size in wanted.items())
        got = ", ".join(f"{dim} {size}" for dim, size in found.items())
        raise refuse(verdict, f"{name} must have the dims {sizes}", got or "none", path)


def _check_chunk(name: str, variable: Any, path: Path) -> None:
    if (size := measure_chunk(variable)) > MAX_TILE_CHUNK_BYTES:
        rule = f"A chunk of {name} must have at most {MAX_TILE_CHUNK_BYTES:,} bytes"
        raise refuse("large-chunk", rule, f"{size:,}", path)


def check_tile_crs(crs: str, path: Path) -> None:
    """Check that the attribute ``crs`` is there and is UTM on WGS 84: projected, in metres."""
    if not crs:
        raise refuse("missing-attribute", "A tile must have the attribute crs", "none", path)
    if not UTM.fullmatch(crs):
        rule = "A tile's crs must be UTM on WGS 84 (EPSG:32601 to 32660, or 32701 to 32760)"
        raise refuse("wrong-crs", rule, repr(crs[:40]), path)


def check_tile_grid(x: np.ndarray, y: np.ndarray, path: Path) -> None:
    """Check that coordinates in m, shape ``(W,)`` and ``(H,)``, form a north-up grid of 10 m."""
    for name, values, step in (("x", x, PIXEL_M), ("y", y, -PIXEL_M)):
        if not np.allclose(np.diff(values), step):
            got = f"{values[0]}, {values[1]} .. {values[-1]}"
            raise refuse("wrong-grid", f"{name} must have steps of {step:+g} m", got, path)


def check_maps(mask: np.ndarray, dem: np.ndarray, path: Path) -> None:
    """Check a mask, shape ``(T, H, W)``, and heights in m, shape ``(H, W)``, -9999 = no data."""
    if np.isnan(mask).any() or mask.max() > 1 or mask.min() < 0:
        got = str(np.unique(mask)[:5])
        raise refuse("mask-not-binary", "MASK must be 0 or 1", got, path)
    if (mask != mask[0]).any():
        raise refuse("mask-changes", "MASK must not change over time", "a change", path)
    heights = dem[dem != NODATA]
    if heights.size and (heights.min() < DEM_RANGE[0] or heights.max() > DEM_RANGE[1]):
        got = f"{heights.min()} to {heights.max()}"
        raise refuse("dem-out-of-range", f"DEM must be in {DEM_RANGE} m", got, path)
