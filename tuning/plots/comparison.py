"""Figures that compare models; the title of each marks synthetic data.

Every figure takes *networks*, the models to draw in colour; the others are grey. If it is None, the first six are
coloured. A model without a value keeps its name in the figure.
"""

from collections.abc import Collection, Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure

from tuning.metrics.curve import Curve
from tuning.plots import style

RECALL_GRID = np.linspace(0.0, 1.0, 401)[1:]
Interval = tuple[str, float, float, float]


def precision_at(curve: Curve, recall: np.ndarray) -> np.ndarray:
    """Return a curve's precision at given recalls, with the steps that average precision sums.

    Args:
        curve: Precision and recall by ascending threshold.
        recall: Recalls in [0, 1], shape ``(R,)``.

    Returns:
        Precision at the highest threshold that reaches each recall, shape ``(R,)``; NaN if no threshold does.
    """
    place = np.searchsorted(curve.recall[::-1], recall)
    return np.append(curve.precision[::-1], np.nan)[place]


def draw_pr_bands(
    curves: Mapping[str, Sequence[Curve]],
    areas: Mapping[str, float],
    title: str,
    synthetic: bool,
    networks: Collection[str] | None = None,
) -> Figure:
    """Draw precision over recall: the median over seeds, and a band from the lowest to the highest.

    Args:
        curves: One curve per seed, by model.
        areas: Average precision by model, for the legend.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
        networks: Models in colour.

    Raises:
        ValueError: If there is no model, or a model has no curve or no area.
    """
    height = 4.2 + style.legend_height_in(len(curves))
    figure, (axes,) = style.start_figure(curves, title, synthetic, height)
    for place, (name, pen) in enumerate(style.assign_styles(curves, networks).items()):
        if not curves[name] or name not in areas:
            raise ValueError(
                f"A model must have a curve per seed and an area, but {name!r} has "
                f"{len(curves[name])} curves and {'an' if name in areas else 'no'} area. Add them."
            )
        seeds = np.stack([precision_at(curve, RECALL_GRID) for curve in curves[name]])
        if len(seeds) > 1:
            low, high = seeds.min(axis=0), seeds.max(axis=0)
            band = axes.fill_between(
                RECALL_GRID, low, high, color=pen.colour, alpha=0.2, lw=0, step="pre"
            )
            band.set_zorder(pen.order - 1)
        axes.plot(
            RECALL_GRID,
            np.median(seeds, axis=0),
            drawstyle="steps-pre",
            marker=pen.marker,
            markevery=(8 + 10 * place % 64, 64),
            ms=5,
            label=f"{name} (AP {style.format_score(areas[name])})",
            **pen.line_arguments(),
        )
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    style.add_legend(figure, axes)
    return figure


def draw_intervals(
    rows: Sequence[tuple[str, float, float, float, Sequence[float]]],
    xlabel: str,
    title: str,
    synthetic: bool,
    networks: Collection[str] | None = None,
) -> Figure:
    """Draw a mean with its interval per model, and the seeds' values as dots below it.

    Args:
        rows: Name, mean, low, high and the seeds' values, from top to bottom.
        xlabel: Name of the value.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
        networks: Models in colour.

    Raises:
        ValueError: If there is no row, a name comes twice, or an interval's low exceeds its high.
    """
    names = [row[0] for row in rows]
    figure, (axes,) = style.start_figure(names, title, synthetic, 1.3 + 0.36 * len(rows))
    styles = style.assign_styles(names, networks)
    for place, (name, mean, low, high, values) in enumerate(rows):
        style.check_interval(name, low, high)
        pen = styles[name]
        axes.hlines(place, low, high, color=pen.colour, lw=2.4)
        axes.plot(mean, place, pen.marker, color=pen.colour, ms=7, zorder=3)
        below = np.full(len(values), place + 0.27)
        axes.plot(values, below, "o", ms=3.2, mfc="white", mec=pen.colour, mew=0.9)
        text = style.format_score(mean)
        if np.isfinite([low, high]).all():
            text += f"  [{style.format_score(low)}, {style.format_score(high)}]"
        axes.text(
            1.02, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5
        )
    axes.set_yticks(range(len(rows)), names, fontsize=9)
    axes.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.6))
    axes.margins(x=0.06)
    axes.grid(visible=False, axis="y")
    left, right = axes.get_xlim()
    if left < 0 < right:
        axes.axvline(0, color=style.INK, lw=0.9, zorder=1)
    return figure


def draw_reliability(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    title: str,
    synthetic: bool,
    networks: Collection[str] | None = None,
) -> Figure:
    """Draw the observed landslide frequency over the predicted probability, and the number of pixels per bin.

    Args:
        lines: By model, for each bin of probability: mean predicted probability, observed
            frequency (both NaN for an empty bin) and number of pixels, shape ``(K,)`` each.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
        networks: Models in colour.

    Raises:
        ValueError: If there is no model, or a model's three arrays differ in shape.
    """
    height = 4.6 + style.legend_height_in(len(lines) + 1)
    figure, (axes, below) = style.start_figure(lines, title, synthetic, height, (3.5, 1.0))
    axes.plot([0, 1], [0, 1], ":", color=style.INK, lw=1.2, label="perfectly calibrated")
    for name, pen in style.assign_styles(lines, networks).items():
        predicted, observed, pixels = (np.asarray(values, dtype=float) for values in lines[name])
        if not predicted.shape == observed.shape == pixels.shape:
            raise ValueError(
                f"A model must have one prediction, frequency and count per bin, but {name!r} has "
                f"{predicted.size}, {observed.size} and {pixels.size}. Give each bin all three."
            )
        axes.plot(predicted, observed, marker=pen.marker, ms=5, label=name, **pen.line_arguments())
        filled = np.where(pixels > 0, pixels, np.nan)
        below.plot(predicted, filled, drawstyle="steps-mid", **pen.line_arguments())
    axes.set(ylabel="observed frequency", xlim=(0, 1), ylim=(0, 1))
    below.set(xlabel="predicted probability", ylabel="pixels", yscale="log")
    style.add_legend(figure, axes)
    return figure


def draw_recall_by_size(
    rows: Mapping[str, Sequence[Interval]],
    title: str,
    synthetic: bool,
    networks: Collection[str] | None = None,
) -> Figure:
    """Draw the recall of landslides by their size, models side by side within each class.

    Args:
        rows: By model, one (class label, recall, low, high) per size class; NaN if a class is
            empty. Classes are in the order of their first appearance.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
        networks: Models in colour.

    Raises:
        ValueError: If there is no model, or an interval's low exceeds its high.
    """
    height = 3.9 + style.legend_height_in(len(rows))
    figure, (axes,) = style.start_figure(rows, title, synthetic, height)
    classes = list(dict.fromkeys(row[0] for lines in rows.values() for row in lines))
    step = 0.84 / len(rows)
    for number, (name, pen) in enumerate(style.assign_styles(rows, networks).items()):
        shift = (number - (len(rows) - 1) / 2) * step
        for label, _, low, high in rows[name]:
            style.check_interval(f"{name}, {label}", low, high)
            axes.vlines(classes.index(label) + shift, low, high, color=pen.colour, lw=1.4)
        places = [classes.index(row[0]) + shift for row in rows[name]]
        found = [row[1] for row in rows[name]]
        axes.plot(places, found, pen.marker, color=pen.colour, ms=5.5, label=name, clip_on=False)
    for place in range(1, len(classes)):
        axes.axvline(place - 0.5, color=style.FAINT, lw=0.8, alpha=0.6)
    axes.set_xticks(range(len(classes)), classes)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set(xlim=(-0.5, len(classes) - 0.5), ylim=(0, 1), xlabel="size", ylabel="recall")
    style.add_legend(figure, axes)
    return figure


def draw_cost(
    points: Sequence[tuple[str, float, float, float, float]],
    xlabel: str,
    ylabel: str,
    title: str,
    synthetic: bool,
    networks: Collection[str] | None = None,
) -> Figure:
    """Draw score over cost on a logarithmic axis, with each model's name beside its point.

    Args:
        points: Name, cost, score, and both ends of the score's interval (NaN for none), which need not
            be as far from it. A point without cost or score is named below the axis.
        xlabel: Name of the cost, with its unit.
        ylabel: Name of the score.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
        networks: Models in colour.

    Raises:
        ValueError: If there is no point, a name twice, a cost not above 0, or a low above its high.
    """
    names = [point[0] for point in points]
    figure, (axes,) = style.start_figure(names, title, synthetic, 4.6)
    styles = style.assign_styles(names, networks)
    drawn = {}
    for name, cost, value, low, high in points:
        style.check_interval(name, low, high)
        if cost <= 0:
            raise ValueError(
                f"A cost must be above 0 to have a place on a logarithmic axis, but {name!r} has "
                f"{cost:.4g}. Give NaN to leave it out by name."
            )
        if np.isfinite([cost, value]).all():
            ends = (low, high) if np.isfinite([low, high]).all() else (value, value)
            drawn[name] = (cost, value, *ends)
    for name, (cost, value, low, high) in drawn.items():
        pen = styles[name]
        axes.vlines(cost, low, high, color=pen.colour, lw=1.4)
        axes.plot(cost, value, pen.marker, color=pen.colour, ms=7, zorder=3)
    missing = ", ".join(name for name in names if name not in drawn)
    below = "\n" + fill(f"no value: {missing}", 80) if missing else ""
    axes.set(xscale="log", ylabel=ylabel, xlabel=xlabel + below)
    axes.margins(x=0.15, y=0.12)
    style.label_points(axes, drawn, styles)
    return figure
