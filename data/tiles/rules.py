"""Rules for a tile file: the published layout, and checks that raise for an unusable file.

An unusable file raises a :class:`TileError`; its ``verdict`` is the short name of the broken rule. A usable but
suspicious file gets a :class:`TileWarning`.

Reference:
    Höhn et al. (2025), Sen12Landslides, Scientific Data, doi 10.1038/s41597-025-06167-2;
    repository PaulH97/Sen12Landslides, commit 5b313f2; data under CC BY 4.0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.io.memory import MAX_TILE_CHUNK_BYTES, measure_chunk
from data.tiles.catalogue import CATALOGUE_CRS, GRID_M, read_catalogue
from data.tiles.tracks import find_repeats
from data.values import nodata, tally, units
from data.values.decode import is_packed, read_attributes

NODATA = nodata.NODATA
DB_RANGE, DB_CEILING = tally.DB_RANGE, tally.DB_CEILING
Units = units.Units

MODALITIES = ("s1asc", "s1dsc", "s2")  # Sentinel-1 ascending and descending, Sentinel-2
ORBITS = MODALITIES[:2]
BANDS = {
    "s1asc": ("VV", "VH"),
    "s1dsc": ("VV", "VH"),
    "s2": ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"),
}
SCENE_CLASS = "SCL"  # Sentinel-2 scene classification; 0 = no data
TILE_PX = 128
PIXEL_M = 10.0
ACQUISITIONS = 15
DIMS = ("time", "x", "y")  # the files' order; a Tile has (time, y, x)
SIZES = (ACQUISITIONS, TILE_PX, TILE_PX)
DEM_RANGE = (0, 8800)  # m; bounds of both releases

_MAX_SHIFT_M = GRID_M / 2
_UTM = re.compile(r"EPSG:32[67](0[1-9]|[1-5][0-9]|60)")
_RENEW = "Get the file again, or remove the tile from all folders."


class TileError(ValueError):
    """A tile file that breaks a rule; the message names the file and the remedy.

    Attributes:
        verdict: Short name of the broken rule, such as ``unreadable``.
    """

    def __init__(self, message: str, verdict: str = "unusable") -> None:
        super().__init__(message)
        self.verdict = verdict


@dataclass(frozen=True)
class TileWarning:
    """Something suspicious about a file that can be used.

    Attributes:
        name: Short name, such as ``mask-empty``.
        text: One sentence.
    """

    name: str
    text: str


def tile_error(verdict: str, rule: str, got: str, path: Path, remedy: str = _RENEW) -> TileError:
    """Return the error for a broken rule; its message has the rule, the value got, the path and the remedy."""
    return TileError(f"{rule}, but got {got} in {path}. {remedy}", verdict)


def list_variables(modality: str) -> dict[str, str]:
    """Return the published dtype of each variable over (time, x, y), such as ``float32``."""
    if modality in ORBITS:
        bands = dict.fromkeys(BANDS[modality], "float32")
    else:
        bands = dict.fromkeys((*BANDS[modality], SCENE_CLASS), "int16")
    return bands | {"MASK": "uint8", "DEM": "int16"}


def check_layout(variables: Mapping[str, Any], modality: str, path: Path) -> None:
    """Check variable names, dims, shapes and dtypes before any large array is read.

    Args:
        variables: The file's variables by name, each a netCDF4 variable.
        modality: The modality in the file's name.
        path: The file, for the message.

    Raises:
        TileError: If the layout is not the published one.
    """
    stored = list_variables(modality)
    if missing := [name for name in (*stored, *DIMS) if name not in variables]:
        rule = f"A tile must have the variables {', '.join(missing)}"
        raise tile_error("missing-variable", rule, "none", path)
    for name in (*stored, *DIMS):
        _check_shape(name, variables[name], path)
        _check_chunk(name, variables[name], path)
    for name in (*stored, "x", "y"):
        kinds = {"f": "f", "i": "iu", "u": "iu"}[stored[name][0]] if name in stored else "fiu"
        if kinds == "f" and is_packed(read_attributes(variables[name])):
            kinds = "fiu"
        if np.dtype(variables[name].dtype).kind not in kinds:
            kind = {"f": "floating point", "iu": "integer", "fiu": "numeric"}[kinds]
            got = str(variables[name].dtype)
            raise tile_error("wrong-dtype", f"{name} must be {kind}", got, path)


def check_crs(tile_id: str, crs: str, path: Path) -> None:
    """Check a file's ``crs`` attribute: UTM, and the catalogue's for a tile that the catalogue places."""
    if not crs:
        raise tile_error("missing-attribute", "A tile must have the attribute crs", "none", path)
    if not _UTM.fullmatch(crs):
        rule = "A tile's crs must be UTM on WGS 84 (EPSG:32601 to 32660, or 32701 to 32760)"
        raise tile_error("wrong-crs", rule, repr(crs), path)
    if tile_id in read_catalogue() and crs != CATALOGUE_CRS:
        raise tile_error("wrong-crs", f"{tile_id}'s crs must be {CATALOGUE_CRS}", repr(crs), path)


def _check_shape(name: str, variable: Any, path: Path) -> None:
    """Check the dims, in any order, and their sizes."""
    dims = DIMS if name not in DIMS else (name,)
    sizes, found = dict(zip(DIMS, SIZES, strict=True)), tuple(variable.dimensions)
    right = sorted(found) == sorted(dims)
    if not right or variable.shape != tuple(sizes[dim] for dim in found):
        shape = tuple(sizes[dim] for dim in dims)
        got = f"{found} of shape {variable.shape}"
        rule = f"{name} must have dims {dims} of shape {shape}"
        raise tile_error("wrong-shape" if right else "wrong-dims", rule, got, path)


def _check_chunk(name: str, variable: Any, path: Path) -> None:
    if (size := measure_chunk(variable)) > MAX_TILE_CHUNK_BYTES:
        rule = f"A chunk of {name} must have at most {MAX_TILE_CHUNK_BYTES:,} bytes"
        raise tile_error("large-chunk", rule, f"{size:,}", path)


def check_times(times: np.ndarray, path: Path, *, repeats: bool = False) -> None:
    """Check that acquisition times are valid dates in ascending order.

    Args:
        times: Shape ``(T,)``.
        path: The file, for the message.
        repeats: Whether times may be equal; :func:`check_repeats` then compares their images.

    Raises:
        TileError: If they are not (verdicts ``time-not-dates``, ``time-unsorted``, ``time-duplicate``).
    """
    if np.isnat(times).any():
        raise tile_error("time-not-dates", "time must be dates", "NaT", path)
    got = str(times.astype("M8[s]"))
    if (np.diff(times) < np.timedelta64(0)).any():
        raise tile_error("time-unsorted", "time must be ascending", got, path)
    if find_repeats(times).any() and not repeats:
        raise tile_error("time-duplicate", "time must be strictly ascending", got, path)


def check_repeats(times: np.ndarray, bands: Mapping[str, np.ndarray], path: Path) -> None:
    """Check that acquisitions of one time have one image: the publisher repeats the last one where up to 4 are missing.

    Two images of one time are two frames or versions of an overpass, of which a series must have one.

    Args:
        times: Shape ``(T,)``, ascending.
        bands: Values by band, shape ``(T, ...)``.
        path: The file, for the message.

    Raises:
        TileError: If their images differ (verdict ``time-duplicate``).
    """
    for step in np.flatnonzero(find_repeats(times)):
        for name, values in bands.items():
            if not np.array_equal(values[step], values[step - 1], equal_nan=True):
                day = np.datetime_as_string(times[step], "D")
                rule = "Acquisitions of one time must have one image"
                raise tile_error("time-duplicate", rule, f"two in {name} of {day}", path)


def check_grid(tile_id: str, x: np.ndarray, y: np.ndarray, path: Path) -> None:
    """Check that coordinates in m, shape ``(W,)`` and ``(H,)``, form a north-up grid at the tile's position."""
    for name, values, step in (("x", x, PIXEL_M), ("y", y, -PIXEL_M)):
        if not np.allclose(np.diff(values), step):
            got = f"{values[0]}, {values[1]} .. {values[-1]}"
            raise tile_error("wrong-grid", f"{name} must have steps of {step:+g} m", got, path)
    if measure_shift(tile_id, x, y) > _MAX_SHIFT_M:
        west, north = _corner_m(tile_id)
        rule = f"{tile_id} must have its upper left corner at ({west}, {north}) m"
        raise tile_error("elsewhere", rule, f"({x[0]:.0f}, {y[0]:.0f})", path)


def _corner_m(tile_id: str) -> tuple[int, int]:
    tile = read_catalogue()[tile_id]
    return tile.column * GRID_M, (tile.row + 1) * GRID_M  # the row is that of the southern edge


def measure_shift(tile_id: str, x: np.ndarray, y: np.ndarray) -> float:
    """Return a grid's distance from the tile's position in the catalogue, in m; 0 if it is not listed there."""
    if tile_id not in read_catalogue():
        return 0.0
    west, north = _corner_m(tile_id)
    return float(max(abs(x[0] - west), abs(y[0] - north)))


def check_tile_mask(mask: np.ndarray, path: Path) -> None:
    """Check that a mask, shape ``(T, W, H)``, is 0 or 1 and the same on every date."""
    if mask.max() > 1 or mask.min() < 0:
        raise tile_error("mask-not-binary", "MASK must be 0 or 1", str(np.unique(mask)[:5]), path)
    if (mask != mask[0]).any():
        raise tile_error("mask-changes", "MASK must not change over time", "a change", path)


def check_dem(dem: np.ndarray, path: Path) -> None:
    """Check heights in m, shape ``(W, H)``, -9999 = no data."""
    heights = dem[dem != NODATA]
    if heights.size and (heights.min() < DEM_RANGE[0] or heights.max() > DEM_RANGE[1]):
        got = f"{heights.min()} to {heights.max()}"
        raise tile_error("dem-out-of-range", f"DEM must be in {DEM_RANGE} m", got, path)
