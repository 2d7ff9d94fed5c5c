"""Check a band's values as stored, and convert them to float32 with NaN for no data."""

from pathlib import Path

import numpy as np

from data.tiles.rules import DB_CEILING, DB_RANGE, NODATA, Units, tile_error

_MAX_CLIPPED = 0.01  # share of linear power that may exceed DB_RANGE: strong scatterers do


def convert_backscatter(values: np.ndarray, name: str, units: Units, path: Path) -> np.ndarray:
    """Check Sentinel-1 values and convert them to dB.

    Args:
        values: One band as stored, shape ``(T, W, H)``, float; NaN or -9999 = no data.
        name: The band's name, for the message.
        units: Unit of *values*.
        path: The file, for the message.

    Returns:
        The values in dB, from the lower bound of :data:`DB_RANGE` to :data:`DB_CEILING`, float32; NaN = no data, which
        includes linear power of 0.

    Raises:
        TileError: If a value is infinite, in the other unit or out of range, or if no value is valid.
    """
    values = np.where(values == NODATA, np.float32(np.nan), values)
    with np.errstate(over="ignore"):  # what overflows float32 is refused as infinite
        values = values.astype(np.float32, copy=False)
    low, high = find_bounds(values)
    if np.isinf((low, high)).any():
        raise tile_error("infinite", f"{name} must be finite or NaN", "inf", path)
    if units == "linear" and low < 0:
        remedy = "The values are probably dB (harmonized release): use --units dB."
        raise tile_error("wrong-unit", f"{name} must be linear power", f"{low:.4g}", path, remedy)
    if units == "dB" and low >= 0 and (median := np.nanmedian(values)) < 1:
        remedy = "The values are probably linear power (raw release): use --units linear."
        got = f"a median of {median:.4g}"
        raise tile_error("wrong-unit", f"{name} must be dB", got, path, remedy)
    if units == "linear":
        values = 10 * np.log10(np.where(values > 0, values, np.float32(np.nan)))
        low, high = find_bounds(values)
    if np.isnan(low):
        raise tile_error("no-data", f"{name} must have data", "no valid pixel", path)
    return _clip(values, name, units, path)


def find_bounds(values: np.ndarray) -> tuple[float, float]:
    """Return the minimum and maximum without NaN; NaN if there is no other value."""
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _clip(values: np.ndarray, name: str, units: Units, path: Path) -> np.ndarray:
    (low, high), (least, greatest) = DB_RANGE, find_bounds(values)
    # Linear power near zero over water is real: the harmonized release clips it to the lower bound.
    outside = (
        least < low or greatest > high if units == "dB" else np.mean(values > high) > _MAX_CLIPPED
    )
    if outside:
        rule, got = f"{name} must be in [{low:g}, {high:g}] dB", f"{least:.4g} to {greatest:.4g}"
        raise tile_error("out-of-range", rule, got, path)
    if least >= low and greatest <= DB_CEILING:
        return values
    return np.asarray(np.clip(values, low, DB_CEILING), np.float32)


def measure_bright_share(values: np.ndarray, units: Units) -> float:
    """Return the share of values, as stored, that are above :data:`DB_CEILING`."""
    return float(np.mean(values > (DB_CEILING if units == "dB" else 10 ** (DB_CEILING / 10))))


def convert_reflectance(
    values: np.ndarray, scene_class: np.ndarray, name: str, path: Path
) -> np.ndarray:
    """Return Sentinel-2 numbers, shape ``(T, W, H)``, as float32; NaN = no data.

    Raises:
        TileError: If no value is valid.
    """
    gaps = (values == NODATA) | (scene_class == 0)
    if gaps.all():
        raise tile_error("no-data", f"{name} must have data", "no valid pixel", path)
    return np.where(gaps, np.float32(np.nan), values).astype(np.float32, copy=False)
