"""The unit of backscatter, found from the distribution of its values.

Backscatter in dB is negative nearly everywhere; linear power is small and positive, but for what the subtraction of noise
leaves below zero. Amplitude, its square root, is small and positive too, but brighter than power can be on natural surfaces.

This module becomes part of every logged model.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from data.values.nodata import find_fills

Units = Literal["dB", "linear"]

MOSTLY = 0.9  # share of negative values in dB, at least
SOME = 0.5  # share of negative values in linear power, at most: noise subtracted over water
DB_SIZE = (1.0, 50.0)  # the median without its sign, in dB
# Median power of a whole image, at most. Tropical forest has 0.2 in VV and 0.06 in VH, and amplitude 0.45 and 0.24.
BRIGHTEST = {"VV": 0.316, "VH": 0.1}
# Standard deviation of power in dB, at least. Speckle of four looks alone has 2.1; amplitude taken for power has half.
MIN_SPREAD = 1.8

DOUBT_REMEDY = "Say which it is with --units dB or --units linear; amplitude must be squared, or converted to dB, before."


class Judgement(NamedTuple):
    """What the values of several bands look like.

    Attributes:
        units: Their unit; None in doubt.
        text: The reason, such as ``median -12.1, 100 % below zero``.
        conflict: Whether some bands look like dB, and others like linear power.
    """

    units: Units | None
    text: str
    conflict: bool = False


def judge_units(samples: Mapping[str, np.ndarray]) -> Judgement:
    """Judge the unit of all bands and orbits of a scene or tile together.

    Args:
        samples: Values by name, which ends with ``VV`` or ``VH``, in any shape; NaN and fills have no weight, nor have zeros,
            which are the border in any unit.

    Returns:
        The unit that one band shows at least, and no other band contradicts.
    """
    known = {name: _clean(values) for name, values in samples.items()}
    known = {name: values for name, values in known.items() if values.size}
    if not known:
        return Judgement(None, "no value")
    verdicts = {name: _judge(values, name[-2:]) for name, values in known.items()}
    decided = {units for units in verdicts.values() if units}
    if len(decided) > 1:
        text = ", ".join(
            f"{name} like {'linear power' if units == 'linear' else 'dB'}"
            for name, units in verdicts.items()
            if units
        )
        return Judgement(None, text, conflict=True)
    whole = np.concatenate(list(known.values()))
    text = f"median {np.median(whole):.3g}, {np.mean(whole < 0):.1%} of the values below zero"
    # A band that is too bright for power, beside one that is not, is amplitude.
    if "linear" in decided and any(_is_bright(one, name[-2:]) for name, one in known.items()):
        decided = set()
    return Judgement(decided.pop() if decided else None, text)


def _clean(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[np.isfinite(values) & (values != 0) & ~find_fills(values)])


def _judge(values: np.ndarray, band: str) -> Units | None:
    negative, size = float(np.mean(values < 0)), float(np.median(np.abs(values)))
    if negative >= MOSTLY and DB_SIZE[0] < size < DB_SIZE[1]:
        return "dB"
    if negative > SOME or size >= 1 or _is_bright(values, band):
        return None
    power = values[values > 0]
    return "linear" if 10 * np.std(np.log10(power)) >= MIN_SPREAD else None


def _is_bright(values: np.ndarray, band: str) -> bool:
    """Return whether positive values below 1 are too bright for power: they may be amplitude."""
    positive = values[values > 0]
    return 2 * positive.size > values.size and float(np.median(positive)) > BRIGHTEST[band]
