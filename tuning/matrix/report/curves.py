"""Curves along the ordered axes of a matrix: scores by amount, and what more of it would bring."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isinf

import numpy as np

from tuning.matrix.cell_results import CellResult
from tuning.matrix.plan import Axis
from tuning.matrix.report.intervals import Interval
from tuning.matrix.results import MatrixResults
from tuning.plots.learning import Points
from tuning.statistics.learning_curve import GAIN, MIN_LEVELS, fit_learning_curve

TRAIN = "train"  # axis whose amount is the number of train tiles
TOO_FEW_LEVELS = "A curve needs {least} measured levels of {axis}; {models} {have} fewer."
FROM_ZERO = "No curve is fitted over {axis}, because an amount of 0 has no place on a power law."
MANY = 1e6  # an amount of this many times the largest is as good as none


@dataclass(frozen=True)
class AxisCurves:
    """Curves of the networks along one ordered axis.

    Attributes:
        axis: The axis.
        unit: What is counted, such as ``train tiles``.
        models: Points, and a curve where one can be fitted, by title.
        notes: Why there is no curve, in sentences.
    """

    axis: Axis
    unit: str
    models: Mapping[str, Points]
    notes: tuple[str, ...]


def fit_curves(
    results: MatrixResults,
    drawn: Mapping[str, np.ndarray],
    intervals: Mapping[str, Interval],
) -> list[AxisCurves]:
    """Fit curves along every ordered axis.

    Args:
        results: The matrix.
        drawn: Joint draws of all models' scores, by their names in statistics.
        intervals: Interval of each score, by the same names.
    """
    axes = [axis for axis in results.plan.axes if axis.ordered and len(axis.levels) > 2]
    return [_fit_axis(results, axis, drawn, intervals) for axis in axes]


def _fit_axis(
    results: MatrixResults,
    axis: Axis,
    drawn: Mapping[str, np.ndarray],
    intervals: Mapping[str, Interval],
) -> AxisCurves:
    cells = [results.at(axis.name, level.text) for level in axis.levels]
    amounts, unit = _find_amounts(axis, cells)
    keys = dict.fromkeys(
        key for cell in cells for key, model in cell.by_key.items() if not model.is_baseline
    )
    models, short = {}, []
    for key in keys:
        at = [number for number, cell in enumerate(cells) if key in cell.by_key]
        names = [cells[number].name(key) for number in at]
        own = [cells[number].by_key[key] for number in at]
        scores = np.array([model.mean for model in own])
        ends = np.array([intervals[name] for name in names])
        curve = None
        if len(at) < MIN_LEVELS:
            short.append(own[0].title)
        elif amounts[0] > 0:
            draws = np.column_stack([drawn[name] for name in names])
            curve = fit_learning_curve(amounts[at], scores, draws)
        models[own[0].title] = Points(amounts[at], scores, ends[:, 0], ends[:, 1], curve)
    notes = [FROM_ZERO.format(axis=axis.label)] if amounts[0] <= 0 else []
    if short:
        have = "has" if len(short) == 1 else "have"
        names_of = {"axis": axis.label, "models": ", ".join(short), "have": have}
        notes.append(TOO_FEW_LEVELS.format(least=MIN_LEVELS, **names_of))
    return AxisCurves(axis, unit, models, tuple(notes))


def _find_amounts(axis: Axis, cells: list[CellResult]) -> tuple[np.ndarray, str]:
    """Return the amount of each level and its unit: train tiles if every cell logged them, else the level's number."""
    tiles = [cell.train[0] if cell.train else np.nan for cell in cells]
    if axis.name == TRAIN and (np.diff(tiles) > 0).all():
        return np.array(tiles), "train tiles"
    values = np.array([level.value for level in axis.levels], np.float64)
    return values, _name_unit(axis)


def _name_unit(axis: Axis) -> str:
    texts = [level.text for level in axis.levels]
    if axis.name == "window":
        side = "after" if len({text.rpartition("post:")[2] for text in texts}) > 1 else "before"
        return f"acquisitions {side} the event"
    return {"timesteps": "acquisitions", "shots": "labelled tiles"}.get(axis.name, axis.label)


def describe_more(title: str, points: Points, unit: str) -> str:
    """Say in a sentence what a score higher by ``GAIN`` would take; empty without a curve."""
    curve = points.curve
    if curve is None:
        return ""
    largest = curve.amounts[-1]
    most = MANY * largest
    if isinf(curve.more) or curve.more > most:
        text = f"{title}: more {unit} do not bring + {GAIN:g} AP"
        if curve.more_low < most:
            return f"{text} by the fitted curve, though {_count(curve.more_low, largest)} more are not excluded."
        return f"{text}."
    upper = "no number" if curve.more_high > most else _count(curve.more_high, largest)
    return (
        f"{title}: + {GAIN:g} AP would take {_count(curve.more, largest)} more {unit} (95 % interval "
        f"{_count(curve.more_low, largest)} to {upper}); the plateau is {curve.plateau:.3f}."
    )


def _count(value: float, largest: float) -> str:
    """Format an amount: whole where amounts are counts, two digits where they are shares."""
    return f"{ceil(value):,}" if largest >= 2 else f"{value:.2g}"
