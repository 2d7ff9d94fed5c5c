"""Precision and recall that a map may expect, with intervals: of one network on its test tiles, at a grid of thresholds.

They are stored with the model. A map at any threshold between those of the grid takes values between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from data.io.safe_json import is_number
from tuning.metrics.histogram import edges, reach
from tuning.metrics.recalibration import Calibration
from tuning.metrics.tile_sums import Score, count_tile_confusions
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.estimate import estimate_all

GRID = tuple(number / 20 for number in range(1, 20))  # calibrated probabilities
NAMES = ("precision", "recall")
MOST = 100  # thresholds in a file
Row = list[float | None]  # value and interval; None where it is not defined


@dataclass(frozen=True)
class Expectation:
    """What a score is expected to be at one threshold.

    Attributes:
        value: On the model's test tiles; None if it is not known.
        low, high: 95 % interval over blocks of test tiles; None if it is not known.
    """

    value: float | None
    low: float | None
    high: float | None


def _precision(cases: np.ndarray) -> np.ndarray:
    return _share(cases[..., 0], cases[..., 0] + cases[..., 1])


def _recall(cases: np.ndarray) -> np.ndarray:
    return _share(cases[..., 0], cases[..., 0] + cases[..., 2])


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))


SCORES: dict[str, Score] = {"precision": _precision, "recall": _recall}


def measure_expected(
    bins: np.ndarray,
    mask: np.ndarray,
    units: SamplingUnits,
    calibration: Calibration,
    threshold: float,
) -> dict[str, Any]:
    """Measure precision and recall of one network on its test tiles at the thresholds of ``GRID`` and at its own.

    Args:
        bins: Bins of the probabilities as the network gives them, shape ``(N, H, W)``, uint16.
        mask: 1 = landslide, shape ``(N, H, W)``.
        units: Blocks of the N tiles.
        calibration: From these probabilities to those of maps.
        threshold: Chosen on val, of the network's probabilities.

    Returns:
        ``threshold`` (its own, calibrated), ``thresholds``, and by score of ``NAMES`` a row ``[value, low, high]`` for
        each threshold; plain values, as JSON holds them.
    """
    own = float(calibration.apply(threshold))
    reached = calibration.apply(edges())
    first = {each: int(np.searchsorted(reached, each)) for each in GRID} | {own: reach(threshold)}
    rows: dict[str, list[Row]] = {name: [] for name in NAMES}
    for _, start in sorted(first.items()):
        cases = count_tile_confusions(bins, mask, start)
        for name in NAMES:
            rows[name].append(_estimate(cases, SCORES[name], units))
    return {"threshold": own, "thresholds": sorted(first), **rows}


def _estimate(cases: np.ndarray, score: Score, units: SamplingUnits) -> Row:
    if not isfinite(float(score(cases.sum(axis=0)))):
        return [None, None, None]
    found = estimate_all({"": cases[None]}, score, units)[""]
    ends = (found.mean, found.low, found.high)
    return [round(value, 4) if isfinite(value) else None for value in ends]


def check_expected(content: object) -> bool:
    """Return whether a file's content is what :func:`measure_expected` returns."""
    if not isinstance(content, Mapping) or set(content) != {"threshold", "thresholds", *NAMES}:
        return False
    at = content["thresholds"]
    if not isinstance(at, list) or not 0 < len(at) <= MOST or at != sorted(at):
        return False
    rows = [row for name in NAMES for row in _as_list(content[name])]
    return (
        all(is_number(value, 0, 1) for value in (content["threshold"], *at))
        and all(len(_as_list(content[name])) == len(at) for name in NAMES)
        and all(len(_as_list(row)) == 3 for row in rows)
        and all(value is None or is_number(value, 0, 1) for row in rows for value in row)
    )


def _as_list(content: object) -> Sequence[Any]:
    return content if isinstance(content, list) else []


def expect_at(content: Mapping[str, Any], name: str, threshold: float) -> Expectation:
    """Return what a score is expected to be at a threshold, from the content of :func:`measure_expected`.

    Args:
        content: Checked by :func:`check_expected`.
        name: One of ``NAMES``.
        threshold: Of calibrated probabilities; outside of the content's thresholds nothing is known.
    """
    at = np.array(content["thresholds"], np.float64)
    if not at[0] <= threshold <= at[-1]:
        return Expectation(None, None, None)
    rows = np.array(content[name], np.float64)  # None becomes NaN
    exact = np.flatnonzero(at == threshold)
    values = (
        rows[exact[0]] if exact.size else [np.interp(threshold, at, rows[:, k]) for k in range(3)]
    )
    return Expectation(*(round(float(v), 4) if isfinite(v) else None for v in values))
