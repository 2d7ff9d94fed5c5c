"""Styles of models in figures that compare them: one colour, marker and line each, and labels without overlap.

Networks are coloured, all other models are grey. Markers and line styles differ too, so that figures can be read in a
greyscale print and with every kind of colour vision.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from tuning.plots.trial_figures import COLOURS, LINES, MARKERS, set_title

WIDTH_IN = 6.4  # 704 px at the dots per inch of tuning/plots/trial_figures.py
INK, FAINT = "#30363d", "#8a939c"
_GREYS = ("#4d4d4d", "#757575", "#949494")  # each at least 3:1 on white
_NEAR_PT, _FAR_PT = 8.0, 40.0  # least and greatest distance of a label from its point
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
_ALIGN_X = {1: "left", 0: "center", -1: "right"}
_ALIGN_Y = {1: "bottom", 0: "center", -1: "top"}


@dataclass(frozen=True)
class ModelStyle:
    """Style of one model.

    Attributes:
        colour: A colour for a network, a grey for the rest.
        marker: Symbol of its points, unique among the first 13 models.
        line: Line style of matplotlib.
        width_pt: Line width.
        order: Drawing order (matplotlib's ``zorder``).
    """

    colour: str
    marker: str
    line: Any
    width_pt: float
    order: float

    def line_arguments(self) -> dict[str, Any]:
        """Return matplotlib's arguments for a line in this style."""
        style = {"color": self.colour, "ls": self.line, "lw": self.width_pt}
        return style | {"zorder": self.order}


def assign_styles(names: Iterable[str], networks: Collection[str] | None) -> dict[str, ModelStyle]:
    """Return a style for each model; the same names in the same order have the same styles in each figure.

    Args:
        names: Models in order.
        networks: Models in colour; the first six if None.
    """
    styles: dict[str, ModelStyle] = {}
    coloured = grey = 0
    for place, name in enumerate(names):
        marker = MARKERS[place % len(MARKERS)]
        if coloured < len(COLOURS) if networks is None else name in networks:
            colour = COLOURS[coloured % len(COLOURS)]
            line = LINES[(coloured + coloured // len(COLOURS)) % 4]
            styles[name] = ModelStyle(colour, marker, line, 2.0, 3.0)
            coloured += 1
        else:
            colour = _GREYS[grey % len(_GREYS)]
            styles[name] = ModelStyle(colour, marker, LINES[1 + (grey + grey // 3) % 3], 1.1, 2.0)
            grey += 1
    return styles


def check_names(names: Collection[str], title: str) -> None:
    """Check the names of the models of a figure.

    Raises:
        ValueError: If there is no model to draw, or two have one name.
    """
    if not names:
        raise ValueError(
            f"A comparison must have a model, but {title!r} got none. Leave this figure out."
        )
    twice = [name for name, times in Counter(list(names)).items() if times > 1]
    if twice:
        raise ValueError(
            f"Each model must have its own name, but {title!r} got {twice[0]!r} twice. Rename one."
        )


def start_figure(
    names: Collection[str],
    title: str,
    synthetic: bool,
    height_in: float,
    ratios: Sequence[float] = (1.0,),
) -> tuple[Figure, list[Axes]]:
    """Create a figure of the comparisons' width, its axes below each other with heights by *ratios*.

    Raises:
        ValueError: If there is no model to draw, or two have one name.
    """
    check_names(names, title)
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasAgg(figure)  # measures texts before the figure is saved
    set_title(figure, title, synthetic)
    panels = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)
    for axes in panels[:, 0]:
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, list(panels[:, 0])


def format_score(value: float) -> str:
    """Format a score; NaN as an en dash."""
    return f"{value:z.3f}" if np.isfinite(value) else "\N{EN DASH}"


def check_interval(name: str, low: float, high: float) -> None:
    """Check the ends of an interval; NaN is allowed.

    Raises:
        ValueError: If its low exceeds its high.
    """
    if low > high:
        raise ValueError(
            f"An interval must run from low to high, but {name!r} has {low:.4g} to {high:.4g}. "
            "Swap its ends."
        )


def legend_height_in(count: int) -> float:
    """Return the height of a legend of *count* models below the axes, in inches."""
    return 0.12 + 0.19 * -(-count // 2)


def add_legend(figure: Figure, axes: Axes) -> None:
    """Put a legend of two columns below the axes."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(2, len(labels)),
        frameon=False,
        fontsize=8.5,
        handlelength=3.2,
        labelspacing=0.35,
    )


def _overlap(box: Bbox, others: Sequence[Bbox]) -> float:
    """Return the area in px² that a box shares with others."""
    low, high = np.split(np.array([other.extents for other in others]), 2, axis=1)
    sides = np.minimum(high, box.max) - np.maximum(low, box.min)
    return float(sides.clip(min=0.0).prod(axis=1).sum())


def _try_places(label: Annotation, taken: Sequence[Bbox], inside: Bbox) -> Bbox:
    """Move a label to the nearest free position, or to the one with the least overlap; return its box."""
    renderer = label.axes.figure.canvas.get_renderer()  # type: ignore[union-attr]
    best: tuple[float, Bbox, tuple[float, float], tuple[int, int]] | None = None
    far = _NEAR_PT
    while far <= _FAR_PT:
        for side in _SIDES:
            _put(label, (side[0] * far, side[1] * far), side)
            label.update_positions(renderer)
            box = Text.get_window_extent(label, renderer)  # the text alone, without its line
            outside = box.width * box.height - _overlap(box, [inside])
            cost = _overlap(box, taken) + 10 * outside
            if best is None or cost < best[0]:
                best = (cost, box, label.get_position(), side)
            if cost == 0:
                return box
        far += 4.0
    assert best is not None  # noqa: S101 - for mypy: the loop above runs at least once
    _put(label, best[2], best[3])
    return best[1]


def _put(label: Annotation, offset: tuple[float, float], side: tuple[int, int]) -> None:
    label.set_position(offset)
    label.set(ha=_ALIGN_X[side[0]], va=_ALIGN_Y[side[1]])


def label_points(
    axes: Axes,
    points: Mapping[str, tuple[float, float, float, float]],
    styles: Mapping[str, ModelStyle],
) -> None:
    """Write each point's name beside it, clear of points, intervals and other names.

    Args:
        axes: Axes whose limits are final.
        points: x, y, and the lower and upper end of the vertical interval (y twice for none) by name, all finite.
        styles: Style of each name.
    """
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    inside, taken = axes.get_window_extent(), []
    for x, y, *ends in points.values():
        (left, middle), (_, low), (_, high) = axes.transData.transform([(x, v) for v in (y, *ends)])
        taken += [Bbox([[left - 5, middle - 5], [left + 5, middle + 5]])]
        taken += [Bbox([[left - 2, low], [left + 2, high]])]
    for name, (x, y, *_) in points.items():
        label = axes.annotate(
            name,
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8.5,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": FAINT, "lw": 0.6, "shrinkA": 0, "shrinkB": 5},
        )
        label.set_in_layout(False)
        taken.append(_try_places(label, taken, inside))
