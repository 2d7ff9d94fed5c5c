"""The map of splits: every tile at its true position and size, coloured by its part."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.tiles import TILE_PX, TileSurvey
from data.tiles.catalogue import GRID_M

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours (2008), which colour-blind readers can distinguish.
PART_COLOURS = {
    "train": "#56B4E9",
    "val": "#F0E442",
    "test": "#D55E00",
    "buffer": "#999999",
    "unused": "#E6E6E6",
}
# Paul Tol's muted scheme, ordered so that neighbouring folds contrast; the last is grey.
FOLD_COLOURS = (
    "#88CCEE",
    "#CC6677",
    "#DDCC77",
    "#44AA99",
    "#AA4499",
    "#999933",
    "#6699CC",
    "#EE8866",
    "#BBCC33",
    "#BBBBBB",
)

_TILE_KM = GRID_M / 1000
_PANEL_IN = (4.5, 5.4)  # width and height without the legend; these sizes are in inches
_MAP_IN = (3.8, 4.35)
_MAP_LEFT_IN = 0.6
_MAP_BOTTOM_IN = 0.5
_LINE_IN = 0.16
_TITLE_IN = 0.35
_MAX_LINES = 5  # of a legend column
_DPI = 100
_LANDSLIDES = "inner square: landslide share"
_OUTLINED = "test tile that touches train"


@dataclass(frozen=True)
class TileGroup:
    """Tiles of one colour.

    Attributes:
        label: Legend entry.
        colour: Hexadecimal, such as ``#D55E00``.
        tile_ids: The tiles.
        mark: Short text drawn over the median tile, such as the number of a fold.
    """

    label: str
    colour: str
    tile_ids: tuple[str, ...]
    mark: str = ""


@dataclass(frozen=True)
class Panel:
    """One map of the figure.

    Attributes:
        title: One bold line.
        subtitle: One line below the title.
        groups: Disjoint groups of tiles of one coordinate system.
        outlined: Tiles drawn with a black outline.
    """

    title: str
    subtitle: str
    groups: tuple[TileGroup, ...]
    outlined: tuple[str, ...] = ()


def draw_map(title: str, panels: Sequence[Panel], tiles: Mapping[str, TileSurvey]) -> "Figure":
    """Draw panels of 4.5 inches width, two or three in a row.

    Args:
        title: The figure's title.
        panels: At least one panel.
        tiles: Position and landslide pixels of every tile in the panels.

    Returns:
        The figure, for :func:`save_map`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = len(panels) if len(panels) <= 3 else math.ceil(math.sqrt(len(panels)))
    rows = math.ceil(len(panels) / columns)
    legend = max(_legend_rows(panel) for panel in panels) * _LINE_IN
    panel_height = _PANEL_IN[1] + legend
    width, height = _PANEL_IN[0] * columns, panel_height * rows + _TITLE_IN
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    figure.text(0.5, 1 - _TITLE_IN / 2 / height, title, fontsize=11, ha="center", va="center")
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        left = _PANEL_IN[0] * column + _MAP_LEFT_IN
        bottom = height - _TITLE_IN - panel_height * (row + 1) + _MAP_BOTTOM_IN + legend
        box = (left / width, bottom / height, _MAP_IN[0] / width, _MAP_IN[1] / height)
        _draw_panel(figure.add_axes(box), panel, tiles)
    return figure


def save_map(figure: "Figure", path: Path) -> None:
    """Write a map as PNG with panels of 450 px width; create its folder if missing.

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI, pil_kwargs={"optimize": True})


def _draw_panel(axes: "Axes", panel: Panel, tiles: Mapping[str, TileSurvey]) -> None:
    axes.set_title(panel.title, fontsize=10, fontweight="bold", pad=19)
    axes.text(0.5, 1.02, panel.subtitle, fontsize=8, ha="center", transform=axes.transAxes)
    for group in panel.groups:
        _draw_group(axes, group, tiles)
    _add_squares(axes, panel.outlined, tiles, _OUTLINED, fc="none", ec="black", lw=1.2)
    axes.set_aspect("equal", adjustable="datalim")
    axes.autoscale_view()
    axes.set_xlabel(f"easting (km, {_name_crs(panel, tiles)})", fontsize=8)
    axes.set_ylabel("northing (km)", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.ticklabel_format(useOffset=False)
    axes.spines[["top", "right"]].set_visible(False)
    _add_legends(axes, panel)


def _name_crs(panel: Panel, tiles: Mapping[str, TileSurvey]) -> str:
    """Return the coordinate system of a panel, such as ``UTM 54N`` for ``EPSG:32654``."""
    every = (tiles[tile].crs for group in panel.groups for tile in group.tile_ids)
    crs = next(every, "no tiles")
    zone = re.fullmatch(r"EPSG:32([67])([0-9]{2})", crs)
    return f"UTM {zone[2]}{'N' if zone[1] == '6' else 'S'}" if zone else crs


def _draw_group(axes: "Axes", group: TileGroup, tiles: Mapping[str, TileSurvey]) -> None:
    """Draw tiles, each with a dark square whose relative area is its share of landslide pixels."""
    from matplotlib import patheffects

    _add_squares(axes, group.tile_ids, tiles, group.label, fc=group.colour, ec="white", lw=0.4)
    with_landslides = [tile for tile in group.tile_ids if tiles[tile].annotated_px]
    _add_squares(axes, with_landslides, tiles, _LANDSLIDES, fc=_darken(group.colour), scaled=True)
    if group.mark and group.tile_ids:
        corners = [_corner_km(tiles[tile]) for tile in with_landslides or group.tile_ids]
        east, north = (statistics.median(side) for side in zip(*corners, strict=True))
        half = _TILE_KM / 2
        mark = axes.text(east + half, north + half, group.mark, ha="center", va="center")
        mark.set(fontsize=13, fontweight="bold")
        mark.set_path_effects([patheffects.withStroke(linewidth=3, foreground="white")])


def _add_squares(
    axes: "Axes",
    tile_ids: Sequence[str],
    tiles: Mapping[str, TileSurvey],
    label: str,
    *,
    scaled: bool = False,
    **style: Any,
) -> None:
    """Add one square per tile, of the tile's size or *scaled* to its share of landslide pixels."""
    from matplotlib.collections import PolyCollection

    corners = []
    for tile in tile_ids:
        west, south = _corner_km(tiles[tile])
        side = _TILE_KM * (math.sqrt(tiles[tile].annotated_px) / TILE_PX if scaled else 1)
        margin = (_TILE_KM - side) / 2
        left, bottom = west + margin, south + margin
        right, top = left + side, bottom + side
        corners.append([(left, bottom), (right, bottom), (right, top), (left, top)])
    axes.add_collection(PolyCollection(corners, label=label, **style))


def _corner_km(tile: TileSurvey) -> tuple[float, float]:
    """Return easting and northing of a tile's lower left corner in km."""
    return tile.west_m / 1000, tile.north_m / 1000 - _TILE_KM


def _legend_columns(panel: Panel) -> int:
    return max(1, math.ceil(len(panel.groups) / _MAX_LINES))


def _legend_rows(panel: Panel) -> int:
    return max(2, math.ceil(len(panel.groups) / _legend_columns(panel)))


def _add_legends(axes: "Axes", panel: Panel) -> None:
    """Add the legend of colours below the map on the left, that of symbols on the right."""
    from matplotlib.legend import Legend
    from matplotlib.patches import Patch

    colours = [Patch(fc=group.colour, label=group.label) for group in panel.groups]
    symbols = [Patch(fc="#444444", label=_LANDSLIDES)]
    if panel.outlined:
        symbols.append(Patch(fc="none", ec="black", lw=1.2, label=_OUTLINED))
    for entries, side, columns in ((colours, 0, _legend_columns(panel)), (symbols, 1, 1)):
        legend = Legend(
            axes,
            entries,
            [str(entry.get_label()) for entry in entries],
            loc="upper right" if side else "upper left",
            bbox_to_anchor=(side, -0.095),
            ncols=columns,
            fontsize=7.5,
            frameon=False,
            handlelength=1.0,
            columnspacing=1.0,
            borderpad=0,
        )
        axes.add_artist(legend)


def _darken(colour: str) -> str:
    """Return a hexadecimal colour at 45 % of its brightness."""
    return "#" + "".join(f"{int(int(colour[i : i + 2], 16) * 0.45):02X}" for i in (1, 3, 5))
