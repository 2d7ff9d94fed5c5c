"""Figures of effects: intervals of differences around a margin of equivalence, and scores by model and level as a heat map."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from tuning.plots import style
from tuning.plots.trial_figures import set_title

ROW_IN = 0.27  # height of a row of a forest plot
CELL_IN = (0.95, 0.5)  # width and height of a cell of a heat map
MARGIN_COLOUR = "#e3edf4"
LEAST_SHADE = 0.05  # difference of the darkest colour: noise shall look like noise


@dataclass(frozen=True)
class ForestRow:
    """A difference with its intervals.

    Attributes:
        group: Heading that neighbouring rows share, such as a level.
        name: What the difference is of, such as a model.
        estimate: The difference.
        low, high: 95 % interval; NaN if it is not known.
        low90, high90: 90 % interval.
        verdict: Word at the end of the row.
        decided: Whether the difference is shown, which fills the marker.
    """

    group: str
    name: str
    estimate: float
    low: float
    high: float
    low90: float
    high90: float
    verdict: str
    decided: bool


def draw_forest(
    rows: Sequence[ForestRow],
    margin: float,
    xlabel: str,
    title: str,
    synthetic: bool,
    networks: Collection[str] | None = None,
) -> Figure:
    """Draw differences under headings: the 95 % interval thin, the 90 % interval thick, and the margin as a band.

    Args:
        rows: From top to bottom; rows of a group are neighbours.
        margin: Of equivalence, drawn around 0.
        xlabel: Name of the difference.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
        networks: Names in colour; the first six if None.

    Raises:
        ValueError: If there is no row, or an interval's low exceeds its high.
    """
    names = list(dict.fromkeys(row.name for row in rows))
    groups = list(dict.fromkeys(row.group for row in rows))
    places = _place_rows(rows)
    bottom = max(places, default=0) + 0.8
    height = 1.25 + ROW_IN * (bottom + 1)
    figure, (axes,) = style.start_figure(names, title, synthetic, height)
    styles = style.assign_styles(names, networks)
    axes.axvspan(-margin, margin, color=MARGIN_COLOUR, lw=0, zorder=0)
    axes.axvline(0, color=style.INK, lw=0.9, zorder=1)
    for row, place in zip(rows, places, strict=True):
        style.check_interval(f"{row.group}, {row.name}", row.low, row.high)
        _draw_row(axes, row, place, styles[row.name])
    heads = {row.group: place for row, place in reversed(list(zip(rows, places, strict=True)))}
    for group in groups:
        axes.text(
            *(0.0, heads[group] - 1),
            f" {group}",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=9,
            fontweight="bold",
            color=style.INK,
        )
    axes.set_yticks(places, [row.name for row in rows], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel=f"{xlabel}; shaded: ± {margin:g}", ylim=(bottom, -0.8))
    axes.margins(x=0.06)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(visible=False, axis="y")
    return figure


def _place_rows(rows: Sequence[ForestRow]) -> list[float]:
    """Return each row's position from the top; a new group leaves room for its heading."""
    places: list[float] = []
    for number, row in enumerate(rows):
        new = not number or rows[number - 1].group != row.group
        before = places[-1] if places else -1.0
        places.append(before + 1.0 + new * (1.0 if not number else 1.3))
    return places


def _draw_row(axes: Axes, row: ForestRow, place: float, pen: style.ModelStyle) -> None:
    axes.hlines(place, row.low, row.high, color=pen.colour, lw=1.1, zorder=2)
    axes.hlines(place, row.low90, row.high90, color=pen.colour, lw=2.8, zorder=2)
    face = pen.colour if row.decided else "white"
    axes.plot(row.estimate, place, pen.marker, ms=6.5, mfc=face, mec=pen.colour, mew=1.3, zorder=3)
    axes.text(
        1.02,
        place,
        f"{_format_change(row.estimate)}  {row.verdict}",
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=8.5,
        fontweight="bold" if row.decided else "normal",
    )


def _format_change(change: float) -> str:
    return f"{change:+z.3f}".replace("-", "\N{MINUS SIGN}")


def draw_heat_map(
    scores: Mapping[str, Mapping[str, float]],
    levels: Sequence[str],
    reference: str,
    title: str,
    synthetic: bool,
) -> Figure:
    """Draw the score of each model at each level, and mark where its place differs from that at the reference.

    A cell has the score, its difference from the same model at the reference, the place within its level, and an arrow if the
    place is better or worse than at the reference. Its colour is the difference, whose sign a greyscale print does not show.

    Args:
        scores: Score by model and level; a missing one is hatched.
        levels: Levels from left to right.
        reference: The reference level, whose column is framed.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.

    Raises:
        ValueError: If there is no model, or the reference is no level.
    """
    if not scores or reference not in levels:
        raise ValueError(
            f"A heat map needs a model and its reference among the levels, but got {list(scores)} and {reference!r} of "
            f"{list(levels)}. Leave this figure out."
        )
    names = list(scores)
    values = np.array([[scores[n].get(level, np.nan) for level in levels] for n in names])
    places = _rank(values)
    column = list(levels).index(reference)
    changes = values - values[:, [column]]
    figure, axes = _start_map(names, levels, title, synthetic)
    limit = float(np.nanmax(np.abs(changes), initial=LEAST_SHADE))
    shown = axes.imshow(changes, cmap="RdBu", vmin=-1.25 * limit, vmax=1.25 * limit, aspect="auto")
    for row, number in np.ndindex(values.shape):
        red, green, blue, _ = shown.cmap(shown.norm(changes[row, number]))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55  # luma of ITU-R BT.601
        _fill_cell(axes, row, number, values, places, column, "white" if dark else style.INK)
    frame = Rectangle((column - 0.5, -0.5), 1, len(names), fill=False, ec=style.INK, lw=1.6)
    frame.set(clip_on=False, zorder=5)
    axes.add_patch(frame)
    bar = figure.colorbar(shown, ax=axes, location="bottom", shrink=0.5, aspect=30, pad=0.02)
    bar.set_label(f"difference in AP from {reference}", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    bar.locator = MaxNLocator(5)
    bar.update_ticks()
    return figure


def _start_map(
    names: Sequence[str], levels: Sequence[str], title: str, synthetic: bool
) -> tuple[Figure, Axes]:
    width = max(style.WIDTH_IN, 1.6 + CELL_IN[0] * len(levels))
    figure = Figure(figsize=(width, 2.1 + CELL_IN[1] * len(names)), layout="constrained")
    set_title(figure, title, synthetic)
    axes = figure.add_subplot()
    turned = max(map(len, levels)) > 12 and len(levels) > 3
    axes.set_xticks(range(len(levels)), levels, fontsize=8.5, rotation=25 * turned)
    if turned:
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("left")
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.set_xticks(np.arange(1, len(levels)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=2)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return figure, axes


def _rank(values: np.ndarray) -> np.ndarray:
    """Return the place of each model within its level, 1 for the highest; NaN for a missing score."""
    places = np.array([(column > column[:, None]).sum(axis=1) + 1.0 for column in values.T]).T
    return np.where(np.isnan(values), np.nan, places)


def _fill_cell(
    axes: Axes,
    row: int,
    number: int,
    values: np.ndarray,
    places: np.ndarray,
    column: int,
    ink: str,
) -> None:
    if np.isnan(values[row, number]):
        box = Rectangle((number - 0.5, row - 0.5), 1, 1, fc="#f2f2f2", ec="#c4c9ce", hatch="///")
        box.set_linewidth(0)
        axes.add_patch(box)
        axes.text(number, row, "missing", ha="center", va="center", fontsize=8, color="#555555")
        return
    place, before = places[row, number], places[row, column]
    mark = ""
    if place != before and not np.isnan(before):
        mark = (
            " \N{BLACK UP-POINTING TRIANGLE}"
            if place < before
            else " \N{BLACK DOWN-POINTING TRIANGLE}"
        )
    text = f"{values[row, number]:.3f}"
    if number != column and not np.isnan(values[row, column]):
        text += f"  {_format_change(values[row, number] - values[row, column])}"
    axes.text(number, row - 0.13, text, ha="center", va="center", fontsize=8.5, color=ink)
    weight = "bold" if mark else "normal"
    axes.text(
        *(number, row + 0.24),
        f"place {place:.0f}{mark}",
        ha="center",
        va="center",
        fontsize=7.5,
        fontweight=weight,
        color=ink,
    )
