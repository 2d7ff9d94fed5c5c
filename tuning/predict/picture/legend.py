"""The legend below a map: north arrow, scale bar, symbols, and colour bar with the threshold."""

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon, Rectangle

from data.cubes.ground import measure_line
from data.scene.georeference import Grid
from tuning.plots.style import INK
from tuning.predict.picture.preview import MapPreview

OUTLINE = "#1d1147"
NODATA: dict[str, Any] = {"fc": "#f6f6f6", "ec": "#c4c9ce", "hatch": "////", "lw": 0}
TOO_FEW = "#9fc5e0"  # blue, unlike the probabilities, the grey relief and the hatch of no data
WIDTH_IN = 5.5  # minimum width of the legend

_HEIGHT_IN = 0.8
_BAR_IN = 2.1  # width of the colour bar
_SCALE_IN = 1.4  # maximum length of the scale bar
_SCALE_LEFT_IN, _SCALE_LOW_IN = 0.55, 0.33
_STEPS = (1, 2, 5)
_SMALL = 7.5  # points


def add_map_legend(
    figure: Figure, axes: Axes, preview: MapPreview, colours: ScalarMappable, threshold: float
) -> None:
    """Add a legend centred below the map, as wide as the map but at least 5.5 inches.

    Args:
        figure: The figure, with 1.3 inches below the map.
        axes: The map's axes.
        preview: The map.
        colours: Colour map and norm of the probabilities.
        threshold: Probability to mark on the colour bar.
    """
    width, height = figure.get_size_inches()
    box = axes.get_position()
    map_in = box.width * width
    legend_in = max(map_in, WIDTH_IN)
    left = (box.x0 + box.width / 2) * width - legend_in / 2
    legend = figure.add_axes((left / width, 0, legend_in / width, _HEIGHT_IN / height))
    legend.set(xlim=(0, legend_in), ylim=(0, _HEIGHT_IN))
    legend.axis("off")
    _draw_north(legend)
    _draw_scale(legend, measure_width(preview.grid) / map_in)
    _draw_symbols(legend, preview)
    bar = (left + legend_in - _BAR_IN) / width, 0.42 / height, _BAR_IN / width, 0.13 / height
    _draw_colour_bar(figure, figure.add_axes(bar), colours, threshold, preview.factor)


def _draw_north(legend: Axes) -> None:
    arrow = [(0.09, 0.28), (0.17, 0.58), (0.25, 0.28), (0.17, 0.35)]
    legend.add_patch(Polygon(arrow, fc=INK, ec=INK, lw=0.5))
    legend.text(0.17, 0.6, "N", fontsize=8, ha="center", va="bottom", color=INK)


def measure_width(grid: Grid) -> float:
    """Return the length on the ground of a map's middle row, in m."""
    west, south, east, north = grid.frame.bounds
    middle = (south + north) / 2
    length = measure_line(grid.crs, (west, middle), (east, middle))
    return length if math.isfinite(length) else grid.width * grid.pixel_m


def round_length(longest_m: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that does not exceed *longest_m*."""
    power = 10.0 ** math.floor(math.log10(longest_m))
    return max(step * power for step in _STEPS if step * power <= longest_m)


def _draw_scale(legend: Axes, metres_per_in: float) -> None:
    length_m = round_length(_SCALE_IN * metres_per_in)
    inches = length_m / metres_per_in
    for half, colour in ((0, INK), (1, "white")):
        corner = (_SCALE_LEFT_IN + half * inches / 2, _SCALE_LOW_IN)
        legend.add_patch(Rectangle(corner, inches / 2, 0.07, fc=colour, ec=INK, lw=0.6))
    name = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    for text, at in (("0", 0.0), (name, inches)):
        x, y = _SCALE_LEFT_IN + at, _SCALE_LOW_IN + 0.12
        legend.text(x, y, text, fontsize=_SMALL, ha="center", va="bottom", color=INK)


def _draw_symbols(legend: Axes, preview: MapPreview) -> None:
    symbols = [Patch(fc="none", ec=OUTLINE, lw=1.1, label="landslide")]
    if preview.too_few.any():
        symbols.append(Patch(fc=TOO_FEW, ec="none", label="too few acquisitions"))
    if (preview.nodata & ~preview.too_few).any():
        symbols.append(Patch(label="no data", **NODATA))
    legend.legend(
        handles=symbols,
        loc="center",
        bbox_to_anchor=(0.47, 0.55),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        handlelength=1.4,
    )


def _draw_colour_bar(
    figure: Figure, bar: Axes, colours: ScalarMappable, threshold: float, factor: int
) -> None:
    drawn = figure.colorbar(colours, cax=bar, orientation="horizontal")
    bar.tick_params(labelsize=_SMALL, length=2, width=0.6, colors=INK)
    drawn.outline.set(lw=0.6, edgecolor=INK)
    low = colours.get_clim()[0] or 0.0
    ticks = [low, *(tick for tick in (0.25, 0.5, 0.75, 1.0) if tick - low > (1 - low) / 8)]
    drawn.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])
    bar.axvline(threshold, color=OUTLINE, lw=1.4)
    bar.text(
        threshold,
        1.25,
        f"threshold {threshold:.3g}",
        transform=bar.get_xaxis_transform(),
        fontsize=_SMALL,
        ha="center",
        va="bottom",
        color=OUTLINE,
    )
    cell = f"highest landslide probability in {factor} x {factor} px"
    name = "landslide probability" if factor == 1 else cell
    bar.set_xlabel(name, fontsize=8, color=INK, labelpad=2)
