"""Takes an array as a model's input under the rules that files obey: fills and masks are no data, linear power is refused.

This module becomes part of every logged model, which loads without this project.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from data.values.backscatter import (
    clean_backscatter,
    clean_heights,
    convert_to_db,
    settle_units,
)
from data.values.tally import BackscatterError, Tally

logger = logging.getLogger("landslide_model")

RADAR = ("s1asc", "s1dsc")
SAMPLE = 4  # of each 4 x 4 px one tells the unit
TO_DB = "Convert it to gamma nought in dB, linear power with 10 * log10."


def to_numbers(given: Any) -> np.ndarray:
    """Return an array, nested lists with None, or masked arrays as float32, NaN = no data.

    Raises:
        TypeError: If it cannot be an array of numbers.
        ValueError: If it cannot be an array of numbers.
    """
    if isinstance(given, (list, tuple)) and any(
        isinstance(one, np.ma.MaskedArray) for one in given
    ):
        given = np.ma.stack(given)
    masked = isinstance(given, np.ma.MaskedArray)
    array = np.ma.getdata(given) if masked else np.asarray(given)
    if array.dtype.kind not in "fiuO":
        raise ValueError(
            f"The input must be numbers, but got {array.dtype}. Pass backscatter in dB."
        )
    with np.errstate(over="ignore"):  # too large values become infinite, which are dealt with later
        # torch needs a writable array
        numbers = array.astype(np.float32, copy=masked or not array.flags.writeable)
    if masked:
        numbers[np.ma.getmaskarray(given)] = np.nan
    return numbers


def clean_array(x: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Check an array and take no data out of it.

    Args:
        x: Shape ``(B, T, C, H, W)``, float32: dB, heights in m, slopes in degrees, reflectance; NaN = no data.
        channels: Names of the C channels.

    Returns:
        The given array if nothing had to be changed, else a changed copy.

    Raises:
        ValueError: If a value is infinite, backscatter is no dB or out of range, or a tile has a band without data.
    """
    radar = [name.split(":")[0] in RADAR for name in channels]
    for tile in x:
        _check_units(tile, channels, radar)
    cleaned = x
    for index, name in enumerate(channels):
        layer = x[:, :, index]
        values = _clean_radar(layer, name) if radar[index] else clean_heights(layer)
        if values is not layer:
            cleaned = x.copy() if cleaned is x else cleaned
            cleaned[:, :, index] = values
        lacking = np.isnan(values).all(axis=(1, 2, 3)) if np.isnan(values).any() else ()
        if radar[index] and (empty := np.flatnonzero(lacking).tolist()):
            raise ValueError(
                f"A tile must have data, but got only NaN in {empty} ({name}). Remove these tiles."
            )
    return cleaned


def _check_units(tile: np.ndarray, channels: Sequence[str], radar: Sequence[bool]) -> None:
    """Refuse a tile, shape ``(T, C, H, W)``, whose values are linear power."""
    samples = {
        name: tile[:, index, ::SAMPLE, ::SAMPLE]
        for index, name in enumerate(channels)
        if radar[index]
    }
    try:
        settle_units(samples, "dB")
    except BackscatterError as error:
        raise ValueError(f"{error.rule}, but got {error.got}. {TO_DB}") from error


def _clean_radar(layer: np.ndarray, name: str) -> np.ndarray:
    """Return backscatter, shape ``(B, T, H, W)``, cleaned and in the range that tiles have."""
    flat = layer.reshape(-1, *layer.shape[2:])
    tally = Tally(name, len(flat))
    try:
        values = clean_backscatter(flat, "dB", tally)
        tally.check("dB")
    except BackscatterError as error:
        if error.verdict == "infinite":
            count = np.isposinf(layer).sum()
            raise ValueError(
                f"Values must be finite, or NaN for no data, but got {count} infinite ones in {name}. Replace "
                "them with NaN."
            ) from error
        raise ValueError(f"{error.rule}, but got {error.got}. {TO_DB}") from error
    values = convert_to_db(values, "dB")
    dates = [
        f"date {n + 1} of tile {b + 1}"
        for b in range(layer.shape[0])
        for n in range(layer.shape[1])
    ]
    if note := tally.describe(dates):
        logger.warning("%s", note)
    return layer if values is flat else values.reshape(layer.shape)
