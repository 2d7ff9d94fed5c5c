"""A datacube's backscatter in dB: which unit it has, and what is no data."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from data.io.safe_json import refused_error
from data.scene.datacube_file import DIMS
from data.tiles.rules import BANDS, DB_RANGE, NODATA, Units
from data.tiles.values import find_bounds

_LOOKS = 16  # squares along the diagonal from which the unit is told
_LOOK_PX = 64
_ENOUGH = 1000  # pixels with data
_MOST_BEYOND = 0.01  # share of pixels that may lie beyond DB_RANGE: strong scatterers do


def detect_cube_units(dataset: xr.Dataset, steps: Sequence[int], name: str, path: Path) -> Units:
    """Tell the unit from squares along the diagonal: dB where values are negative.

    Raises:
        ValueError: If no square has data, or too many values are beyond what backscatter can be.
    """
    rows, columns = (max(dataset.sizes[axis] - _LOOK_PX, 0) for axis in ("y", "x"))
    band = dataset[BANDS[name][0]].transpose(*DIMS)
    seen = np.empty(0)
    for look in range(_LOOKS):
        top, left = (room * (2 * look + 1) // (2 * _LOOKS) for room in (rows, columns))
        square = band[steps[-1], top : top + _LOOK_PX, left : left + _LOOK_PX].values
        values = nodata_to_nan(square.astype(np.float32))
        seen = np.concatenate([seen, values[np.isfinite(values)]])
    if not seen.size:
        raise refused_error(
            "Backscatter must have data",
            f"none in {_LOOKS} squares along the diagonal",
            f"{name} of {path}",
        )
    if seen.min() >= 0 and np.median(seen) < 1:
        return "linear"
    if np.mean((seen < DB_RANGE[0]) | (seen > DB_RANGE[1])) > _MOST_BEYOND:
        got = f"{seen.min():.4g} to {seen.max():.4g}"
        remedy = "Convert it to gamma nought in dB, or in linear power."
        raise refused_error(
            f"Backscatter must be in {DB_RANGE} dB", got, f"{name} of {path}", remedy
        )
    return "dB"


def nodata_to_nan(values: np.ndarray) -> np.ndarray:
    """Make no data NaN."""
    return np.where(values == NODATA, np.float32(np.nan), values)


def to_db(values: np.ndarray, units: Units, place: str) -> np.ndarray:
    """Bring backscatter to dB within its bounds; each pass over the pixels only where it is needed."""
    low, high = find_bounds(values)
    if low <= NODATA:
        values = nodata_to_nan(values)
        low, high = find_bounds(values)
    if np.isinf((low, high)).any():
        raise refused_error("Backscatter must be finite or NaN", "inf", place)
    if units == "linear":
        values = 10 * np.log10(np.where(values > 0, values, np.float32(np.nan)))
        low, high = find_bounds(values)
    if low < DB_RANGE[0] or high > DB_RANGE[1]:
        values = values.clip(*DB_RANGE)
    return values
