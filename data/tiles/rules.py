"""The rules for a tile file: what was published, what makes a file unusable, what is suspicious.

A broken rule that leaves nothing to work with is a :class:`TileError` with a short name, its verdict.
What can be used but deserves a look is a :class:`TileWarning`.

Reference:
    Höhn et al. (2025), Sen12Landslides, Scientific Data, doi 10.1038/s41597-025-06167-2;
    repository PaulH97/Sen12Landslides, commit 5b313f2; data under CC BY 4.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from data.tiles.catalogue import GRID_M, read_catalogue

MODALITIES = ("s1asc", "s1dsc", "s2")  # Sentinel-1 ascending and descending, Sentinel-2
ORBITS = MODALITIES[:2]
BANDS = {
    "s1asc": ("VV", "VH"),
    "s1dsc": ("VV", "VH"),
    "s2": ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"),
}
SCENE_CLASS = "SCL"  # of Sentinel-2: what each pixel shows; 0 = no data
TILE_PX = 128
PIXEL_M = 10.0
ACQUISITIONS = 15
CRS = "EPSG:32654"  # UTM 54N
# Eastern Iburi earthquake, Mw 6.6, in UTC (Japan Meteorological Agency: 03:07 on 6 September, UTC+9).
EVENT = np.datetime64("2018-09-05T18:08")

DIMS = ("time", "x", "y")  # the files' order; a Tile has (time, y, x)
SIZES = (ACQUISITIONS, TILE_PX, TILE_PX)
NODATA = -9999
DB_RANGE = (-50.0, 10.0)  # dB; bounds of the harmonized release
DEM_RANGE = (0, 8800)  # m; bounds of both releases

Units = Literal["dB", "linear"]

_MAX_CLIPPED = 0.01  # share of linear power that may lie above DB_RANGE: strong scatterers do
_MAX_SHIFT_M = GRID_M / 2
_RENEW = "Get the file again, or remove the tile from all folders."


class TileError(ValueError):
    """A tile file that breaks the format; the message names the file and the remedy.

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
        text: What was seen, as one sentence.
    """

    name: str
    text: str


def tile_error(verdict: str, rule: str, got: str, path: Path, remedy: str = _RENEW) -> TileError:
    """Make the error of a broken rule: rule, value got, place and remedy in one message."""
    return TileError(f"{rule}, but got {got} in {path}. {remedy}", verdict)


def list_variables(modality: str) -> dict[str, str]:
    """Return the published storage type of each variable over (time, x, y), such as ``float32``."""
    if modality in ORBITS:
        bands = dict.fromkeys(BANDS[modality], "float32")
    else:
        bands = dict.fromkeys((*BANDS[modality], SCENE_CLASS), "int16")
    return bands | {"MASK": "uint8", "DEM": "int16"}


def check_layout(variables: Mapping[str, Any], crs: str, modality: str, path: Path) -> None:
    """Check names, dims, shapes and kinds of number, before anything large is read.

    Args:
        variables: The file's variables by name, each with ``dimensions``, ``shape`` and ``dtype``.
        crs: The file's attribute of that name, empty where it has none.
        modality: What the file's name says it is.
        path: The file, for the message.

    Raises:
        TileError: If the file is not laid out as published.
    """
    stored = list_variables(modality)
    if missing := [name for name in (*stored, *DIMS) if name not in variables]:
        rule = f"A tile must have {', '.join(missing)}"
        raise tile_error("missing-variable", rule, "none", path)
    _check_crs(crs, path)
    for name in (*stored, *DIMS):
        _check_shape(name, variables[name], path)
    for name in (*stored, "x", "y"):
        kinds = {"f": "f", "i": "iu", "u": "iu"}[stored[name][0]] if name in stored else "fiu"
        if np.dtype(variables[name].dtype).kind not in kinds:
            word = {"f": "floating point", "iu": "integer", "fiu": "numbers"}[kinds]
            raise tile_error(
                "wrong-dtype", f"{name} must be {word}", str(variables[name].dtype), path
            )


def _check_crs(crs: str, path: Path) -> None:
    if not crs:
        raise tile_error("missing-attribute", "A tile must have the attribute crs", "none", path)
    if crs != CRS:
        raise tile_error("wrong-crs", f"A tile's crs must be {CRS}", repr(crs), path)


def _check_shape(name: str, variable: Any, path: Path) -> None:
    dims, sizes = (DIMS, SIZES) if name not in DIMS else ((name,), (SIZES[DIMS.index(name)],))
    if (variable.dimensions, variable.shape) != (dims, sizes):
        verdict = "wrong-dims" if variable.dimensions != dims else "wrong-shape"
        got = f"{variable.dimensions} of {variable.shape}"
        raise tile_error(verdict, f"{name} must have {dims} of {sizes}", got, path)


def check_times(times: np.ndarray, path: Path) -> None:
    """Check that acquisition times, shape ``(T,)``, are known and ascend."""
    if np.isnat(times).any():
        raise tile_error("time-not-dates", "time must be dates", "not-a-time", path)
    steps, got = np.diff(times), str(times.astype("M8[s]"))
    if (steps < np.timedelta64(0)).any():
        raise tile_error("time-unsorted", "time must ascend without repeats", got, path)
    if (steps == np.timedelta64(0)).any():
        raise tile_error("time-duplicate", "time must ascend without repeats", got, path)


def check_grid(tile_id: str, x: np.ndarray, y: np.ndarray, path: Path) -> None:
    """Check that coordinates in m, shape ``(W,)`` and ``(H,)``, are a north-up grid in its place."""
    for name, values, step in (("x", x, PIXEL_M), ("y", y, -PIXEL_M)):
        if not np.allclose(np.diff(values), step):
            got = f"{values[0]}, {values[1]} .. {values[-1]}"
            raise tile_error("wrong-grid", f"{name} must go by {step:+g} m", got, path)
    if measure_shift(tile_id, x, y) > _MAX_SHIFT_M:
        west, north = _corner_m(tile_id)
        rule = f"{tile_id} must have its upper left corner at ({west}, {north}) m"
        raise tile_error("elsewhere", rule, f"({x[0]:.0f}, {y[0]:.0f})", path)


def _corner_m(tile_id: str) -> tuple[int, int]:
    tile = read_catalogue()[tile_id]
    return tile.column * GRID_M, (tile.row + 1) * GRID_M  # a tile's row counts its southern edge


def measure_shift(tile_id: str, x: np.ndarray, y: np.ndarray) -> float:
    """Return how far a grid lies from the tile's place, in m; 0 for a tile not in the catalogue."""
    if tile_id not in read_catalogue():
        return 0.0
    west, north = _corner_m(tile_id)
    return float(max(abs(x[0] - west), abs(y[0] - north)))


def check_mask(mask: np.ndarray, path: Path) -> None:
    """Check a mask, shape ``(T, W, H)``: 0 or 1, and the same in every step."""
    if mask.max() > 1 or mask.min() < 0:
        raise tile_error("mask-not-binary", "MASK must be 0 or 1", str(np.unique(mask)[:5]), path)
    if (mask != mask[0]).any():
        raise tile_error("mask-changes", "MASK must be the same in every step", "a change", path)


def check_heights(dem: np.ndarray, path: Path) -> None:
    """Check heights in m, shape ``(W, H)``, -9999 = no data."""
    heights = dem[dem != NODATA]
    if heights.size and (heights.min() < DEM_RANGE[0] or heights.max() > DEM_RANGE[1]):
        got = f"{heights.min()} to {heights.max()}"
        raise tile_error("dem-out-of-range", f"DEM must be in {DEM_RANGE} m", got, path)


def check_power(values: np.ndarray, name: str, units: Units, path: Path) -> np.ndarray:
    """Check Sentinel-1 values and bring them to dB.

    Args:
        values: One band as stored, shape ``(T, W, H)``, float; NaN or -9999 = no data.
        name: The band's name, for the message.
        units: What the values are.
        path: The file, for the message.

    Returns:
        The values in dB, within :data:`DB_RANGE`, float32; NaN = no data, linear power of 0 among it.

    Raises:
        TileError: If a value is infinite, in the other unit or out of bounds, or none is left.
    """
    values = np.where(values == NODATA, np.float32(np.nan), values)
    with np.errstate(over="ignore"):  # what is too large for float32 is refused as infinite
        values = values.astype(np.float32, copy=False)
    low, high = find_bounds(values)
    if np.isinf((low, high)).any():
        raise tile_error("infinite", f"{name} must be finite or NaN", "inf", path)
    if units == "linear" and low < 0:
        remedy = "That looks like dB (harmonized release): use --units dB."
        raise tile_error("wrong-unit", f"{name} must be linear power", f"{low:.4g}", path, remedy)
    if units == "dB" and low >= 0 and (median := np.nanmedian(values)) < 1:
        remedy = "That looks like linear power (raw release): use --units linear."
        raise tile_error(
            "wrong-unit", f"{name} must be dB", f"a median of {median:.4g}", path, remedy
        )
    if units == "linear":
        values = 10 * np.log10(np.where(values > 0, values, np.float32(np.nan)))
        low, high = find_bounds(values)
    if np.isnan(low):
        raise tile_error("no-data", f"{name} must have data", "no usable pixel", path)
    return _bound(values, name, units, path)


def find_bounds(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest value but NaN; NaN where there is no other."""
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _bound(values: np.ndarray, name: str, units: Units, path: Path) -> np.ndarray:
    (low, high), (least, greatest) = DB_RANGE, find_bounds(values)
    # Power near zero over water is real: the harmonized release has it at the lower bound.
    outside = (
        least < low or greatest > high if units == "dB" else np.mean(values > high) > _MAX_CLIPPED
    )
    if outside:
        rule, got = f"{name} must be in [{low:g}, {high:g}] dB", f"{least:.4g} to {greatest:.4g}"
        raise tile_error("out-of-range", rule, got, path)
    return values if units == "dB" else np.asarray(np.clip(values, low, high), np.float32)


def check_reflectance(
    values: np.ndarray, scene_class: np.ndarray, name: str, path: Path
) -> np.ndarray:
    """Return Sentinel-2 numbers, shape ``(T, W, H)``, as float32; NaN where there is no data.

    Raises:
        TileError: If nothing is left.
    """
    gaps = (values == NODATA) | (scene_class == 0)
    if gaps.all():
        raise tile_error("no-data", f"{name} must have data", "no usable pixel", path)
    return np.where(gaps, np.float32(np.nan), values).astype(np.float32, copy=False)
