"""Maps of where a model errs: each test tile at its place, coloured by the area that was missed and by that found wrongly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tuning.plots import style
from tuning.plots.trial_figures import set_title

COLOURS = "YlOrBr"  # from light to dark, so that a greyscale print keeps the order
GREYS = {"train": "#c8cdd2", "val": "#e6e9ec"}
QUANTITIES = ("missed landslide area", "area found wrongly")
_KM = 1000.0
_EDGE = "#30363d"


@dataclass(frozen=True)
class ErrorPanel:
    """The tiles of one region.

    Attributes:
        title: Name of the region; empty if there is one only.
        corners: West and north of each of N test tiles in m, shape ``(N, 2)``.
        errors: Missed and wrongly found area of each in km2, shape ``(N, 2)``.
        blocks: Number of each tile's spatial block, shape ``(N,)``.
        tile_m: Edge of a tile in m.
        others: Corners of tiles that were not tested, shape ``(M, 2)``, by part.
    """

    title: str
    corners: np.ndarray
    errors: np.ndarray
    blocks: np.ndarray
    tile_m: float
    others: Mapping[str, np.ndarray] = field(default_factory=dict)


def draw_error_map(panels: Sequence[ErrorPanel], title: str, synthetic: bool) -> Figure:
    """Draw a row of two maps per region, all in one scale of colours; lines are the blocks' outlines.

    Args:
        panels: At least one region.
        title: Title of the figure.
        synthetic: Whether the tiles are the twin's.

    Raises:
        ValueError: If there is no region.
    """
    if not panels:
        raise ValueError(
            f"A map of errors must have a region, but {title!r} got none. Leave it out."
        )
    heights = [_find_height(panel) for panel in panels]
    figure = Figure(figsize=(style.WIDTH_IN, sum(heights) + 1.1), layout="constrained")
    set_title(figure, title, synthetic)
    rows = figure.subplots(len(panels), 2, squeeze=False, height_ratios=heights)
    highest = max(float(panel.errors.max(initial=0.0)) for panel in panels) or 1.0
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, highest), COLOURS)
    for panel, pair in zip(panels, rows, strict=True):
        for number, axes in enumerate(pair):
            _draw_tiles(axes, panel, scale.to_rgba(panel.errors[:, number]))
            name = QUANTITIES[number]
            axes.set_title(f"{panel.title}: {name}" if panel.title else name, fontsize=9)
            axes.set_xlabel("easting in km", fontsize=8)
        pair[0].set_ylabel("northing in km", fontsize=8)
    bar = figure.colorbar(scale, ax=rows.ravel().tolist(), location="bottom", shrink=0.6, aspect=35)
    bar.set_label("km² per tile", fontsize=8.5)
    bar.ax.tick_params(labelsize=7.5)
    _add_legend(figure, panels)
    return figure


def _find_height(panel: ErrorPanel) -> float:
    """Return the height of a region's maps in inches, from its extent."""
    every = np.concatenate([panel.corners, *panel.others.values()])
    width, height = np.ptp(every, axis=0) + panel.tile_m
    return float(np.clip(2.7 * height / width, 1.4, 4.2)) + 0.55


def _outline(corners: np.ndarray, tile_m: float) -> np.ndarray:
    """Return the corner points of each tile in km, shape ``(N, 4, 2)``."""
    west, north = (corners / _KM).T
    side = tile_m / _KM
    east, south = west + side, north - side
    points = [(west, north), (east, north), (east, south), (west, south)]
    return np.stack([np.column_stack(point) for point in points], axis=1)


def _draw_tiles(axes: Axes, panel: ErrorPanel, colours: np.ndarray) -> None:
    for part, corners in panel.others.items():
        if len(corners):
            other = list(_outline(corners, panel.tile_m))
            axes.add_collection(PolyCollection(other, fc=GREYS[part], ec="white", lw=0.3))
    squares = _outline(panel.corners, panel.tile_m)
    axes.add_collection(PolyCollection(list(squares), fc=colours, ec="#b4bac0", lw=0.3))
    borders = find_borders(squares, panel.blocks)
    axes.add_collection(LineCollection(borders, colors=_EDGE, lw=0.9))
    axes.set_aspect("equal", adjustable="datalim")
    axes.autoscale_view()
    axes.tick_params(labelsize=7)
    axes.ticklabel_format(useOffset=False)
    axes.spines[["top", "right"]].set_visible(False)


def find_borders(squares: np.ndarray, blocks: np.ndarray) -> list[np.ndarray]:
    """Return the sides of tiles beyond which there is no tile of their block.

    Args:
        squares: Corner points of each tile in order around it, shape ``(N, 4, 2)``.
        blocks: Number of each tile's block, shape ``(N,)``.

    Returns:
        Lines of shape ``(2, 2)``.
    """
    sides: dict[tuple[object, ...], list[np.ndarray]] = {}
    for square, block in zip(squares, blocks, strict=True):
        for start, end in zip(square, np.roll(square, -1, axis=0), strict=True):
            ends = sorted((tuple(np.round(start, 3)), tuple(np.round(end, 3))))
            sides.setdefault((int(block), *ends), []).append(np.array([start, end]))
    return [lines[0] for lines in sides.values() if len(lines) == 1]


def _add_legend(figure: Figure, panels: Sequence[ErrorPanel]) -> None:
    parts = [part for part in GREYS if any(len(p.others.get(part, ())) for p in panels)]
    patches = [Patch(fc=GREYS[part], label=f"{part} tiles") for part in parts]
    patches.append(Patch(fc="none", ec=_EDGE, label="spatial block of test tiles"))
    figure.legend(handles=patches, loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
