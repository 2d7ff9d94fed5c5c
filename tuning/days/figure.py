"""Figures of models over days after the event. Between two acquisitions a map stays as it is, so lines are steps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from tuning.days.result import BY_SIZE, F1, SHARE, DaysResult, name_modality
from tuning.objects.object_scores import SIZES
from tuning.plots import style
from tuning.plots.trial_figures import set_title

LONG_DAYS = 60  # a longer calendar gets a scale on which its first days are wide
PAST = 1.06  # lines end so far beyond the last day
ROW_IN = 0.21  # height of an orbit's row of acquisitions


def draw_days(results: Sequence[DaysResult], title: str, synthetic: bool) -> Figure:
    """Draw average precision over days after the event, with bands; below, when models reach most of it, and the acquisitions.

    Args:
        results: The models in order, with one calendar or several.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.

    Raises:
        ValueError: If there is no model, or two have one label.
    """
    labels = [one.label for one in results]
    arrivals = list_arrivals(results)
    rows = [0.1 + ROW_IN * len(results), 0.12 + ROW_IN * len(arrivals)]
    height = 4.2 + sum(rows) + style.legend_height_in(len(labels))
    figure, (axes, middle, below) = style.start_figure(
        labels, title, synthetic, height, (3.4, *rows)
    )
    pens = style.assign_styles(labels, [one.label for one in results if one.network])
    end = _scale_days(axes, results)
    for one in results:
        pen = pens[one.label]
        days, (low, high) = _extend(one.days, end, one.ap.low, one.ap.high)
        if one.network:
            axes.fill_between(days, low, high, step="post", color=pen.colour, alpha=0.16, lw=0)
        _draw_steps(axes, one.days, one.ap.mean, end, pen, one.label)
    axes.set(ylabel="test average precision")
    axes.set_ylim(bottom=0)
    _draw_plateaus(middle, results, pens)
    _draw_arrivals(below, arrivals)
    style.add_legend(figure, axes)
    return figure


def draw_days_details(results: Sequence[DaysResult], title: str, synthetic: bool) -> Figure:
    """Draw recall by landslide size, F1 and mapped area over days after the event, in six small panels.

    Args:
        results: The models in order.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.

    Raises:
        ValueError: If there is no model, or two have one label.
    """
    labels = [one.label for one in results]
    height = 5.0 + style.legend_height_in(len(labels))
    style.check_names(labels, title)
    figure = Figure(figsize=(style.WIDTH_IN, height), layout="constrained")
    FigureCanvasAgg(figure)
    set_title(figure, title, synthetic)
    panels = figure.subplots(2, 3, sharex=True)
    pens = style.assign_styles(labels, [one.label for one in results if one.network])
    names = (*BY_SIZE, F1, "")
    heads = (*(f"recall, {size}" for size in SIZES), "F1 of pixels", "mapped area, km²")
    for place, (axes, name, head) in enumerate(zip(panels.ravel(), names, heads, strict=True)):
        end = _scale_days(axes, results)
        for one in results:
            values = one.scores[name].mean if name else one.mapped_km2
            _draw_steps(axes, one.days, values, end, pens[one.label], one.label, size=3.2)
        axes.set_title(head, fontsize=9)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        areas = [max(float(one.mapped_km2.max()), one.labelled_km2) for one in results]
        axes.set_ylim(0, 1.03 if name else 1.15 * max(areas) or 1.0)
        if place >= 3:
            axes.set_xlabel("days after the event", fontsize=9)
    _mark_labelled(panels[1, 2], results)
    style.add_legend(figure, panels[0, 0])
    return figure


def list_arrivals(results: Sequence[DaysResult]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return by modality the days on which tiles get an acquisition, and the share of the tiles that do, of any of the models."""
    found: dict[str, dict[int, float]] = {}
    for one in results:
        for name, counts in one.acquisitions.items():
            days = found.setdefault(name, {})
            for day, more in zip(one.days[1:].tolist(), np.diff(counts).tolist(), strict=True):
                if more > 0:
                    days[day] = max(days.get(day, 0.0), min(more, 1.0))
    return {
        name: (np.array(sorted(days)), np.array([days[day] for day in sorted(days)]))
        for name, days in sorted(found.items())
    }


def _extend(days: np.ndarray, end: float, *rows: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Continue steps beyond the last day."""
    return np.append(days, end), [np.append(row, row[-1]) for row in rows]


def _draw_steps(
    axes: Axes,
    days: np.ndarray,
    values: np.ndarray,
    end: float,
    pen: style.ModelStyle,
    label: str,
    size: float = 4.5,
) -> None:
    """Draw steps with a marker where the value changes."""
    longer, (line,) = _extend(days, end, values)
    moved = [0, *(place for place in range(1, len(days)) if values[place] != values[place - 1])]
    axes.plot(
        longer,
        line,
        drawstyle="steps-post",
        marker=pen.marker,
        ms=size,
        markevery=moved,
        label=label,
        **pen.line_arguments(),
    )


def _draw_plateaus(
    axes: Axes, results: Sequence[DaysResult], pens: Mapping[str, style.ModelStyle]
) -> None:
    """Draw a row per model: the first day with most of the last score, its interval, and both as a text."""
    for row, one in enumerate(results):
        pen, reached = pens[one.label], one.to_plateau
        axes.hlines(row, reached.low, reached.high, color=pen.colour, lw=pen.width_pt)
        axes.plot(reached.days, row, pen.marker, color=pen.colour, ms=6, zorder=4, clip_on=False)
        text = str(reached).replace(" days", " d").replace(" day", " d")
        where = axes.get_yaxis_transform()
        axes.text(1.015, row, text, transform=where, va="center", fontsize=8, color=style.INK)
    axes.set_yticks([(len(results) - 1) / 2], [f"{SHARE:.0%} of\nthe last AP"], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(results) - 0.4, -0.6)


def _scale_days(axes: Axes, results: Sequence[DaysResult]) -> float:
    """Scale the axis of days; return where lines end."""
    last = max(1.0, *(float(one.days[-1]) for one in results))
    first = min(float(one.days[one.first]) for one in results)
    if last > LONG_DAYS and first > 0:
        axes.set_xscale("symlog", linthresh=2 * first, linscale=0.8)
        ticks = [day for day in (0, 3, 6, 12, 24, 48, 90, 180, 365, 730) if day <= last]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter("{x:.0f}")
        end = last * PAST**2
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        end = last * PAST
    axes.set_xlim(0, end)
    return end


def _draw_arrivals(axes: Axes, arrivals: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw a row of marks per orbit, the taller the more of the tiles get an acquisition; the first one is solid."""
    for row, (days, shares) in enumerate(arrivals.values()):
        half = 0.12 + 0.26 * shares
        axes.vlines(days, row - half, row + half, color=style.INK, lw=1.8)
        axes.plot(days[:1], [row], "o", color=style.INK, ms=4.5)
    axes.set_yticks(range(len(arrivals)), [name_modality(name) for name in arrivals], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set(xlabel="days after the event", ylim=(len(arrivals) - 0.4, -0.6))


def _mark_labelled(axes: Axes, results: Sequence[DaysResult]) -> None:
    """Draw the labelled area of the landslides, where all models have the same."""
    areas = {round(one.labelled_km2, 6) for one in results}
    if len(areas) == 1:
        axes.axhline(areas.pop(), color=style.INK, ls=":", lw=1.1, zorder=1)
        axes.annotate(
            "labelled",
            (0, results[0].labelled_km2),
            xycoords=("axes fraction", "data"),
            xytext=(3, 2),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=7.5,
            color=style.INK,
        )
