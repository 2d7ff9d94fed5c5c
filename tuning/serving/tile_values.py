"""The values of a NetCDF tile as a served model's input: decoded, checked by `data.values`, in dB; and slopes.

This module becomes part of every logged model, so it repeats the slope of `data.pack.tile_row`; a test compares them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.values.backscatter import clean_heights, convert_backscatter, settle_units
from data.values.corners import find_corner
from data.values.decode import decode, read_attributes
from data.values.tally import BackscatterError, Tally
from tuning.serving.tile_rules import PIXEL_M, RENEW, check_tile_grid, refuse

_TO_DB = "It may be linear power (raw release): convert all bands and dates with 10 * log10."


def read_grid(file: Any, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of the pixels' upper left corners, whatever the file stores."""
    x, y = (decode(np.asarray(file[name][:]), read_attributes(file[name])) for name in "xy")
    check_tile_grid(x, y, path)
    texts = (getattr(one, "GeoTransform", None) for one in file.variables.values())
    text = next((str(text) for text in texts if text is not None), None)
    first, steps = (float(x[0]), float(y[0])), (PIXEL_M, PIXEL_M)
    try:
        corner = find_corner(first, steps, text, otherwise=0.0)
    except ValueError as error:
        raise refuse("wrong-grid", "GeoTransform must be six numbers", text, path) from error
    shift = PIXEL_M * (corner.share or 0.0)
    return x - shift, y + shift


def read_variable(variable: Any) -> np.ndarray:
    """Return a decoded variable with its dims in the order time, y, x, whatever their order in the file."""
    order = [variable.dimensions.index(dim) for dim in ("time", "y", "x")]
    return decode(np.asarray(variable[:]).transpose(order), read_attributes(variable))


def convert_bands(
    stored: Mapping[str, np.ndarray], scene_class: np.ndarray | None, path: Path
) -> dict[str, np.ndarray]:
    """Return bands, shape ``(T, H, W)``, float32, NaN = no data: backscatter in dB, or reflectance where *scene_class* is given."""
    bands = {}
    with np.errstate(over="ignore"):  # what overflows float32 is refused as infinite
        numbers = {band: values.astype(np.float32) for band, values in stored.items()}
    if scene_class is not None:
        for band, values in numbers.items():
            bands[band] = np.where(scene_class == 0, np.float32(np.nan), clean_heights(values))
            if np.isnan(bands[band]).all():
                raise refuse("no-data", f"{band} must have data", "no valid pixel", path)
        return bands
    try:
        settle_units({band: values[..., ::3, ::3] for band, values in numbers.items()}, "dB")
        for band, values in numbers.items():
            bands[band] = convert_backscatter(values, "dB", Tally(band, len(values), 0.0))
    except BackscatterError as error:
        remedy = _TO_DB if error.verdict == "wrong-unit" else error.remedy or RENEW
        raise refuse(error.verdict, error.rule, error.got, path, remedy) from error
    return bands


def measure_slope(height_m: np.ndarray) -> np.ndarray:
    """Return the slope in degrees of heights smoothed to 30 m; NaN next to a height without data."""
    padded = np.pad(height_m, 2, mode="reflect", reflect_type="odd")
    known = np.isfinite(padded)
    total = _smooth(np.where(known, padded, np.float32(0)))
    with np.errstate(invalid="ignore"):  # 0 / 0 far from any height
        smooth = total / _smooth(known.astype(np.float32))
    south, east = np.gradient(smooth, PIXEL_M)
    slope: np.ndarray = np.degrees(np.arctan(np.hypot(south, east)))
    slope[np.isnan(height_m) | np.isnan(sum(np.gradient(height_m)))] = np.nan
    return slope


def _smooth(values: np.ndarray) -> np.ndarray:
    """Average twice over 3 x 3 px; the result is smaller by 2 px on each side."""
    weights = np.array([1, 2, 3, 2, 1], np.float32) / 9
    rows = sum(w * values[at : at + values.shape[0] - 4] for at, w in enumerate(weights))
    smooth: np.ndarray = sum(
        w * rows[:, at : at + rows.shape[1] - 4] for at, w in enumerate(weights)
    )
    return smooth
