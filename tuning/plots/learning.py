"""Learning curves: scores over an amount, with a fitted curve and its band."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from tuning.plots import style
from tuning.statistics.learning_curve import LearningCurve


@dataclass(frozen=True)
class Points:
    """A model's scores by amount.

    Attributes:
        amounts: Shape ``(L,)``, ascending.
        scores: Mean scores, shape ``(L,)``.
        low, high: Their 95 % intervals, shape ``(L,)``; NaN for none.
        curve: The fitted curve; None if there is none.
    """

    amounts: np.ndarray
    scores: np.ndarray
    low: np.ndarray
    high: np.ndarray
    curve: LearningCurve | None


def draw_learning_curves(
    models: Mapping[str, Points],
    xlabel: str,
    title: str,
    synthetic: bool,
    networks: Collection[str] | None = None,
) -> Figure:
    """Draw each model's scores with intervals, and its curve with the 95 % band; dashed beyond the largest amount.

    The axis of the amount is logarithmic unless an amount is 0.

    Args:
        models: Points by model.
        xlabel: Name of the amount, with its unit.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
        networks: Models in colour.

    Raises:
        ValueError: If there is no model.
    """
    height = 4.0 + style.legend_height_in(len(models))
    figure, (axes,) = style.start_figure(models, title, synthetic, height)
    amounts = np.unique(np.concatenate([points.amounts for points in models.values()]))
    logarithmic = amounts.min() > 0
    shift = 0.012 * (np.log(amounts[-1] / amounts[0]) if logarithmic else np.ptp(amounts))
    for number, (name, pen) in enumerate(style.assign_styles(models, networks).items()):
        points, beside = models[name], (number - (len(models) - 1) / 2) * shift
        at = points.amounts * np.exp(beside) if logarithmic else points.amounts + beside
        axes.vlines(at, points.low, points.high, color=pen.colour, lw=1.2, zorder=pen.order)
        line = "" if points.curve else "-"
        axes.plot(
            *(at, points.scores),
            ls=line,
            marker=pen.marker,
            color=pen.colour,
            ms=5.5,
            lw=1.1,
            label=name,
            zorder=pen.order + 1,
        )
        if points.curve:
            _draw_curve(axes, points.curve, pen)
    if logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(amounts)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.set(xlabel=xlabel, ylabel="test average precision")
    style.add_legend(figure, axes)
    return figure


def _draw_curve(axes: Axes, curve: LearningCurve, pen: style.ModelStyle) -> None:
    inside = curve.grid <= 1.0001 * curve.amounts[-1]
    join = np.flatnonzero(inside)[-1]
    axes.fill_between(curve.grid, curve.low, curve.high, color=pen.colour, alpha=0.13, lw=0)
    for part, line in ((slice(None, join + 1), "-"), (slice(join, None), ":")):
        axes.plot(curve.grid[part], curve.fitted[part], ls=line, color=pen.colour, lw=1.6)
