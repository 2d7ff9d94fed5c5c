"""Backscatter of a datacube in dB: detection of its unit, conversion, and no-data values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from data.io.safe_json import refused_error
from data.scene.datacube_file import DIMS
from data.tiles.rules import BANDS, DB_RANGE, NODATA, Units
from data.tiles.values import find_bounds

SAMPLES = 16  # squares along the diagonal, from which the unit is detected
SAMPLE_PX = 64
MAX_OUTLIERS = 0.01  # share of pixels beyond DB_RANGE; strong scatterers exceed it


def detect_cube_units(dataset: xr.Dataset, steps: Sequence[int], name: str, path: Path) -> Units:
    """Detect the unit from squares along the diagonal: dB if any value is negative.

    Raises:
        ValueError: If no square has data, or too many values are outside the range of backscatter.
    """
    rows, columns = (max(dataset.sizes[axis] - SAMPLE_PX, 0) for axis in ("y", "x"))
    band = dataset[BANDS[name][0]].transpose(*DIMS)
    values = np.empty(0)
    for sample in range(SAMPLES):
        top, left = (size * (2 * sample + 1) // (2 * SAMPLES) for size in (rows, columns))
        square = band[steps[-1], top : top + SAMPLE_PX, left : left + SAMPLE_PX].values
        square = nodata_to_nan(square.astype(np.float32))
        values = np.concatenate([values, square[np.isfinite(square)]])
    if not values.size:
        raise refused_error(
            "Backscatter must have data",
            f"none in {SAMPLES} squares along the diagonal",
            f"{name} of {path}",
        )
    if values.min() >= 0 and np.median(values) < 1:
        return "linear"
    if np.mean((values < DB_RANGE[0]) | (values > DB_RANGE[1])) > MAX_OUTLIERS:
        got = f"{values.min():.4g} to {values.max():.4g}"
        remedy = "Convert it to gamma nought in dB or in linear power."
        raise refused_error(
            f"Backscatter must be in {DB_RANGE} dB", got, f"{name} of {path}", remedy
        )
    return "dB"


def nodata_to_nan(values: np.ndarray) -> np.ndarray:
    """Replace the no-data value with NaN."""
    return np.where(values == NODATA, np.float32(np.nan), values)


def to_db(values: np.ndarray, units: Units, source: str) -> np.ndarray:
    """Convert backscatter to dB, clipped to ``DB_RANGE``; each pass over the pixels runs only if needed."""
    low, high = find_bounds(values)
    if low <= NODATA:
        values = nodata_to_nan(values)
        low, high = find_bounds(values)
    if np.isinf((low, high)).any():
        raise refused_error("Backscatter must be finite or NaN", "inf", source)
    if units == "linear":
        values = 10 * np.log10(np.where(values > 0, values, np.float32(np.nan)))
        low, high = find_bounds(values)
    if low < DB_RANGE[0] or high > DB_RANGE[1]:
        values = values.clip(*DB_RANGE)
    return values
