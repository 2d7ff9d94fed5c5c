"""Check a tile's values and convert them to float32 with NaN for no data; the rules are those of `data.values`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from data.tiles.rules import (
    ACQUISITIONS,
    BANDS,
    NODATA,
    ORBITS,
    SCENE_CLASS,
    TILE_PX,
    Units,
    tile_error,
)
from data.values.backscatter import convert_backscatter, settle_units
from data.values.nodata import find_fills
from data.values.tally import DB_CEILING, MAX_BEYOND, BackscatterError, Tally

SAMPLE_STEP = 3  # of each 3 x 3 px one tells the unit


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn an error of `data.values` into one that names the tile's file."""
    try:
        yield
    except BackscatterError as error:
        remedy = {"remedy": error.remedy} if error.remedy else {}
        raise tile_error(error.verdict, error.rule, error.got, path, **remedy) from error


def settle_tile_units(bands: Mapping[str, np.ndarray], units: Units | None, path: Path) -> Units:
    """Return the unit of a tile's backscatter, from all its bands together.

    Args:
        bands: Decoded values by band, shape ``(T, W, H)``.
        units: The unit of the folder; None to find it.
        path: The file, for the message.

    Raises:
        TileError: If the values contradict *units* or each other, or leave a doubt and *units* is None.
    """
    samples = {name: values[..., ::SAMPLE_STEP, ::SAMPLE_STEP] for name, values in bands.items()}
    with refusing(path):
        return settle_units(samples, units)[0]


def stack_bands(
    raw: Mapping[str, Any], modality: str, units: Units, path: Path
) -> tuple[np.ndarray, tuple[Tally, ...]]:
    """Check the bands of a tile and convert them.

    Args:
        raw: Decoded values by variable, shape ``(T, W, H)``.
        modality: Such as ``s1asc``.
        units: Unit of Sentinel-1's backscatter.
        path: The file, for the message.

    Returns:
        Shape ``(T, C, H, W)``, float32, NaN = no data: dB from the lower bound of ``DB_RANGE`` to ``DB_CEILING``, or
        reflectance numbers; and what was counted, for each band of Sentinel-1.

    Raises:
        TileError: If values are infinite, out of range or in another unit, or a band has no data. Published files in dB have
            no value out of range; of linear power one pixel in a hundred may be brighter.
    """
    stored = {name: raw[name] for name in BANDS[modality]}
    tallies: list[Tally] = []
    bands = np.empty((ACQUISITIONS, len(stored), TILE_PX, TILE_PX), np.float32)
    if modality in ORBITS:
        units = settle_tile_units(stored, units, path)
        allowed = 0.0 if units == "dB" else MAX_BEYOND
        tallies = [Tally(name, ACQUISITIONS, allowed) for name in stored]
    for i, (name, values) in enumerate(stored.items()):
        if tallies:
            converted = _convert_radar(values, units, tallies[i], path)
        else:
            converted = convert_reflectance(values, raw[SCENE_CLASS], name, path)
        bands[:, i] = converted.swapaxes(-1, -2)
    return bands, tuple(tallies)


def _convert_radar(values: np.ndarray, units: Units, tally: Tally, path: Path) -> np.ndarray:
    with np.errstate(over="ignore"):  # what overflows float32 is refused as infinite
        numbers = values.astype(np.float32, copy=False)
    with refusing(path):
        return convert_backscatter(numbers, units, tally)


def measure_bright_share(values: np.ndarray, units: Units) -> float:
    """Return the share of values, as stored, that are above :data:`DB_CEILING` and no fill."""
    bright = values > (DB_CEILING if units == "dB" else 10 ** (DB_CEILING / 10))
    return float(np.mean(bright & ~find_fills(values))) if bright.any() else 0.0


def convert_reflectance(
    values: np.ndarray, scene_class: np.ndarray, name: str, path: Path
) -> np.ndarray:
    """Return Sentinel-2 numbers, shape ``(T, W, H)``, as float32; NaN = no data.

    Raises:
        TileError: If no value is valid.
    """
    gaps = find_fills(values) | np.isnan(values) | (scene_class == 0)
    if gaps.all():
        raise tile_error("no-data", f"{name} must have data", "no valid pixel", path)
    return np.where(gaps, np.float32(np.nan), values).astype(np.float32, copy=False)


def convert_heights(heights: np.ndarray) -> np.ndarray:
    """Return heights in m as int16 or the file's own integers, -9999 = no data, declared or not.

    Args:
        heights: Decoded, in any shape; heights that were packed are rounded to metres.
    """
    gaps = find_fills(heights) | np.isnan(heights)
    kept = heights if heights.dtype.kind in "iu" else np.where(gaps, NODATA, heights).round()
    return np.where(gaps, NODATA, kept).astype(np.int64)


def check_whole(name: str, values: np.ndarray, path: Path) -> None:
    """Check that every value of a mask is known.

    Raises:
        TileError: If some are declared as no data.
    """
    if np.isnan(values).any():
        got = f"no data in {np.isnan(values).sum():,} pixels"
        raise tile_error("mask-not-binary", f"{name} must be 0 or 1", got, path)
