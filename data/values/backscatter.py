"""The one way in for backscatter: every value that is read passes here, whether of a tile, a cube, a GeoTIFF or an array.

:func:`clean_backscatter` takes no data out and counts it; :func:`convert_to_db` makes dB of what is left.

This module becomes part of every logged model.
"""

from collections.abc import Mapping

import numpy as np

from data.values.nodata import HUGE, INFINITE_PX, NODATA, find_blobs, find_fills
from data.values.tally import DB_CEILING, DB_RANGE, BackscatterError, Tally
from data.values.units import DB_SIZE, DOUBT_REMEDY, Judgement, Units, judge_units

MAX_POWER = 10 ** (DB_RANGE[1] / 10)
CONVERT = "Convert it to gamma nought in dB or in linear power."


def settle_units(samples: Mapping[str, np.ndarray], units: Units | None) -> tuple[Units, Judgement]:
    """Return the unit to take: the one given, unless the values contradict it, else the one that they show.

    Args:
        samples: Values by band; see :func:`data.values.units.judge_units`.
        units: The unit that the user or the manifest gives; None if unknown.

    Raises:
        BackscatterError: If bands contradict each other, the values contradict *units*, or they leave a doubt and *units* is None.
    """
    found = judge_units(samples)
    if found.conflict:
        rule, remedy = "All bands must be in one unit", "Convert them to one unit."
        raise BackscatterError("wrong-unit", rule, found.text, remedy)
    if units is None and found.units is None:
        sizes = [one[np.isfinite(one) & ~find_fills(one)] for one in samples.values()]
        whole = np.concatenate([one.ravel() for one in sizes])
        if whole.size and np.median(np.abs(whole)) >= DB_SIZE[1]:
            got = f"{whole.min():.4g} to {whole.max():.4g}"
            raise BackscatterError(
                "out-of-range", f"Backscatter must be in {DB_RANGE} dB", got, CONVERT
            )
        rule = "Backscatter must be dB or linear power beyond doubt"
        raise BackscatterError("unclear-unit", rule, f"a {found.text}", DOUBT_REMEDY)
    if units is None or found.units in (None, units):
        return units or found.units or "dB", found
    names = {"dB": "dB (harmonized release)", "linear": "linear power (raw release)"}
    rule = f"Backscatter must be {'linear power' if units == 'linear' else 'dB'}"
    remedy = f"The values are probably {names[found.units]}: use --units {found.units} if all are so, else convert them."
    raise BackscatterError("wrong-unit", rule, f"a {found.text}", remedy)


def clean_backscatter(values: np.ndarray, units: Units, tally: Tally, first: int = 0) -> np.ndarray:
    """Replace no data with NaN, and count it.

    No data are NaN, the fills of :func:`data.values.nodata.find_fills`, minus infinity (the dB of no power), infinity and, in dB,
    zeros in blobs and along borders, and in linear power all that is not above zero.

    Args:
        values: Values of one band, shape ``(t, H, W)``, float32, the file's packing and fill values dealt with.
        units: Their unit.
        tally: The band's counts, of which the acquisitions from *first* on are added to.
        first: Index of the first acquisition in *tally*.

    Returns:
        Same shape and unit; the given array where nothing had to be replaced.

    Raises:
        BackscatterError: If a value is infinite and not in a blob.
    """
    at = slice(first, first + len(values))
    tally.pixels[at] += values[0].size
    low, high = float(values.min()), float(values.max())
    if np.isnan(low):  # only then count: it takes a pass
        tally.add("declared", at, np.isnan(values))
        low, high = find_bounds(values)
        if np.isnan(low):
            return values
    least, most = (DB_RANGE[0], 0.0) if units == "dB" else (0.0, MAX_POWER)
    if low > least and high < most:  # the usual case
        tally.lows, tally.highs = _widen(tally, low, high, units)
        return values
    given = values
    values = _drop_fills(values, low, high, tally, at)
    drop = _drop_zeros if units == "dB" else _drop_powerless
    values = drop(values, tally, at)
    if values is not given:
        low, high = find_bounds(values)
    if not np.isnan(low):
        tally.lows, tally.highs = _widen(tally, low, high, units)
        _count_odd(values, low, high, units, tally, at)
    return values


def find_bounds(values: np.ndarray) -> tuple[float, float]:
    """Return the minimum and maximum without NaN; NaN if there is no other value."""
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _widen(tally: Tally, low: float, high: float, units: Units) -> tuple[float, float]:
    if units == "linear":
        low, high = (float(10 * np.log10(one)) for one in (low, high))
    return min(tally.lows, low), max(tally.highs, high)


def _drop_fills(values: np.ndarray, low: float, high: float, tally: Tally, at: slice) -> np.ndarray:
    if low > NODATA and high < HUGE:
        return values
    fills = find_fills(values)
    if np.isposinf(high):
        infinite = np.isposinf(values)
        fills |= find_blobs(infinite, INFINITE_PX)
        if (infinite & ~fills).any():
            raise BackscatterError("infinite", f"{tally.name} must be finite or NaN", "inf")
    tally.add("fills", at, fills)
    tally.add_fills(values[fills])
    return np.where(fills, np.float32(np.nan), values)


def _drop_zeros(values: np.ndarray, tally: Tally, at: slice) -> np.ndarray:
    zeros = values == 0
    blobs = find_blobs(zeros) if zeros.any() else zeros
    if not blobs.any():
        return values
    tally.add("zeros", at, blobs)
    return np.where(blobs, np.float32(np.nan), values)


def _drop_powerless(values: np.ndarray, tally: Tally, at: slice) -> np.ndarray:
    tally.add("powerless", at, values <= 0)
    tally.add("contrary", at, values < 0)
    return np.where(values > 0, values, np.float32(np.nan))


def _count_odd(
    values: np.ndarray, low: float, high: float, units: Units, tally: Tally, at: slice
) -> None:
    """Count values that cannot be backscatter in dB; power near zero, as over water, can."""
    if units == "linear":
        if high > MAX_POWER:
            tally.add("beyond", at, values > MAX_POWER)
        return
    if high > 0:
        tally.add("contrary", at, values > 0)
    if low < DB_RANGE[0] or high > DB_RANGE[1]:
        tally.add("beyond", at, (values < DB_RANGE[0]) | (values > DB_RANGE[1]))


def convert_to_db(values: np.ndarray, units: Units) -> np.ndarray:
    """Convert cleaned values to dB, from ``DB_RANGE[0]`` to ``DB_CEILING``; each pass over the pixels runs only if needed."""
    if units == "linear":
        values = 10 * np.log10(values)
    low, high = find_bounds(values)
    if low < DB_RANGE[0] or high > DB_CEILING:
        values = values.clip(DB_RANGE[0], DB_CEILING)
    return values


def convert_backscatter(values: np.ndarray, units: Units, tally: Tally) -> np.ndarray:
    """Clean whole images, shape ``(T, H, W)``, check their counts, and convert them to dB.

    Raises:
        BackscatterError: If they hold no data at all, an infinite value, or too many that cannot be backscatter.
    """
    values = clean_backscatter(values, units, tally)
    if not tally.valid.any():
        raise BackscatterError("no-data", f"{tally.name} must have data", "no valid pixel")
    tally.check(units)
    return convert_to_db(values, units)


def check_sample(name: str, values: np.ndarray, units: Units) -> None:
    """Check values from anywhere, of any shape, as `Tally.check` does.

    Raises:
        BackscatterError: If too many cannot be backscatter.
    """
    tally = Tally(name, 1)
    clean_backscatter(values.reshape(1, 1, -1), units, tally)
    tally.check(units)


def clean_heights(values: np.ndarray) -> np.ndarray:
    """Replace fills of heights in m, or of reflectance, with NaN; returns the given array where there is none."""
    low, high = find_bounds(values)
    if low > NODATA and high < HUGE:
        return values
    return np.where(find_fills(values) | np.isinf(values), np.float32(np.nan), values)
