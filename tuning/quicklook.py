"""A picture of a map: probability over shaded relief, the landslides' outlines on top.

Reference:
    Shading as the cosine between the surface's normal and the sun: Horn (1981), Proceedings of the IEEE 69(1), doi
    10.1109/PROC.1981.11918.
"""

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon, Rectangle
from matplotlib.ticker import MaxNLocator

from tuning._decimate import View, read_view
from tuning._looks import INK
from tuning.figures import title_of

SUN_AZIMUTH, SUN_ALTITUDE = 315.0, 45.0  # degrees: north-west, as maps are lit
OUTLINE = "#1d1147"
DPI = 200

_SOFT = "#57606a"

_MAP_IN = 8.0  # longest side of the map: 1600 px
_LEAST_MAP_IN = 0.5
_WIDTH_IN = 6.6  # least width of the figure
_LEFT_IN, _RIGHT_IN = 0.75, 0.35
_HEAD_IN, _FOOT_IN = 0.75, 1.3
_LOWEST = 0.1  # probabilities below are left clear, as are those below half the threshold
_EXAGGERATION = 1.5  # a map is looked at from above, where slopes seem flatter
_STEPS_KM = (1, 2, 5)


def draw_quicklook(
    path: Path,
    probability: Path,
    mask: Path,
    relief: Path | None,
    *,
    threshold: float,
    title: str,
    caption: str,
    synthetic: bool,
    heights: bool = True,
) -> Path:
    """Draw a map at a size of at most 1600 px and write it as PNG.

    Args:
        path: The picture.
        probability: Raster of the probabilities.
        mask: Raster with 1 = landslide, 0 = background, other = no data, on the same grid.
        relief: Raster of heights or backscatter on the same grid, if there is one.
        threshold: Probability from which a pixel counts as landslide.
        title: What is shown.
        caption: One line of facts below the title.
        synthetic: Whether the map comes from invented data.
        heights: Whether *relief* holds heights in m, which are shaded, and not backscatter.

    Raises:
        ValueError: If the rasters do not lie on one grid.
        OSError: If a file cannot be read or written.
    """
    view = read_view(probability, mask, relief)
    figure, axes = _start(view, title_of(title, synthetic), caption)
    low = min(_LOWEST, threshold / 2)
    ramp, norm = _make_ramp(), Normalize(low, 1.0)
    style: dict[str, Any] = {"extent": view.extent_km, "interpolation": "nearest", "aspect": "equal"}
    axes.imshow(_paint_ground(view, heights), zorder=1, **style)
    shown = np.ma.masked_less(np.ma.masked_invalid(view.probability), low)
    axes.imshow(shown, cmap=ramp, norm=norm, zorder=2, **style)
    _outline(axes, view)
    _finish_axes(axes, view)
    _add_foot(figure, axes, view, ramp, norm, threshold)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
    return path


def shade(heights: np.ndarray, pixel_m: float) -> np.ndarray:
    """Shade a relief lit from the north-west.

    Args:
        heights: Height in m, shape ``(H, W)``; rows run south.
        pixel_m: Side of a pixel.

    Returns:
        Cosine of the angle between the surface's normal and the sun, from 0 to 1, shape ``(H, W)``; that of flat
        ground is 0.71. NaN where a height or its neighbour is NaN.
    """
    east = np.gradient(heights, pixel_m, axis=1) if heights.shape[1] > 1 else 0 * heights
    north = -np.gradient(heights, pixel_m, axis=0) if heights.shape[0] > 1 else 0 * heights
    azimuth, altitude = math.radians(SUN_AZIMUTH), math.radians(SUN_ALTITUDE)
    towards = -east * math.sin(azimuth) - north * math.cos(azimuth)
    lit = towards * math.cos(altitude) + math.sin(altitude)
    return np.asarray(np.clip(lit / np.sqrt(1 + east**2 + north**2), 0, 1))


def _make_ramp() -> Colormap:
    """Return a ramp of even steps from pale yellow to dark purple that grows opaque."""
    colours = mpl.colormaps["inferno_r"](np.linspace(0.06, 0.66, 256))
    colours[:, 3] = np.linspace(0.4, 0.9, 256)
    return ListedColormap(colours, "landslide")


def _paint_ground(view: View, heights: bool) -> np.ndarray:
    """Return the grey below the probabilities, clear where there is no data, shape ``(H, W, 4)``."""
    grey = np.full(view.landslide.shape, 0.92)
    if view.relief is not None:
        side = view.factor * view.grid.pixel_m
        tone = 0.5 + 0.48 * shade(_EXAGGERATION * view.relief, side) if heights else _stretch(view.relief)
        grey = np.where(np.isfinite(tone), tone, grey)
    return np.dstack([grey, grey, grey, ~view.nodata])


def _stretch(values: np.ndarray) -> np.ndarray:
    """Stretch backscatter between its 2nd and 98th percentile to light greys."""
    seen = values[np.isfinite(values)]
    if not seen.size:
        return values
    low, high = np.percentile(seen, (2, 98))
    return np.asarray(0.58 + 0.38 * np.clip((values - low) / max(high - low, 1e-6), 0, 1))


def _find_edges(on: np.ndarray) -> np.ndarray:
    """Return the straight edges between cells on and off as ``(row, column)`` of both ends, shape ``(E, 2, 2)``."""
    padded = np.pad(on, 1).astype(np.int8)
    edges = []
    for turned in (False, True):
        cells = padded.T if turned else padded
        border = np.abs(np.diff(cells, axis=0))[:, 1:-1]  # (lines, cells along)
        ends = np.diff(np.pad(border, ((0, 0), (1, 1))), axis=1)
        line, start = np.nonzero(ends == 1)
        _, stop = np.nonzero(ends == -1)
        pairs = np.stack([np.stack([line, start], 1), np.stack([line, stop], 1)], axis=1)
        edges.append(pairs[..., ::-1] if turned else pairs)
    return np.concatenate(edges)


def _outline(axes: Axes, view: View) -> None:
    left, _, _, top = view.extent_km
    side = view.factor * view.grid.pixel_m / 1000
    edges = _find_edges(view.landslide)
    lines = np.stack([left + side * edges[..., 1], top - side * edges[..., 0]], axis=-1)
    cell_pt = axes.get_position().height * axes.figure.get_figheight() * 72 / view.landslide.shape[0]
    width = float(np.clip(cell_pt / 3, 0.3, 1.1))
    axes.add_collection(LineCollection(list(lines), colors=OUTLINE, lw=width, capstyle="projecting", zorder=3))


def _start(view: View, title: str, caption: str) -> tuple[Figure, Axes]:
    """Start a figure with room for the map at its true shape, a head and a foot."""
    scale = _MAP_IN / max(view.grid.height, view.grid.width)
    map_width, map_height = (max(side * scale, _LEAST_MAP_IN) for side in (view.grid.width, view.grid.height))
    width = max(map_width + _LEFT_IN + _RIGHT_IN, _WIDTH_IN)
    lines = len(title.splitlines())
    height = map_height + _HEAD_IN + 0.2 * (lines - 1) + _FOOT_IN
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    left = _LEFT_IN + (width - _LEFT_IN - _RIGHT_IN - map_width) / 2
    axes = figure.add_axes((left / width, _FOOT_IN / height, map_width / width, map_height / height))
    middle = (left + map_width / 2) / width
    figure.text(middle, 1 - 0.16 / height, title, fontsize=12, ha="center", va="top", color=INK)
    below = (_FOOT_IN + map_height + 0.12) / height
    figure.text(middle, below, caption, fontsize=8.5, ha="center", va="bottom", color=_SOFT)
    return figure, axes


def _finish_axes(axes: Axes, view: View) -> None:
    grid = view.grid
    west, north, side = grid.west_m / 1000, grid.north_m / 1000, grid.pixel_m / 1000
    east, south = west + side * grid.width, north - side * grid.height
    axes.add_patch(Rectangle((west, south), east - west, north - south, fc="#f6f6f6", ec="#c4c9ce", hatch="////", lw=0, zorder=0))
    axes.set(xlim=(west, east), ylim=(south, north))
    axes.tick_params(labelsize=7.5, colors=INK, width=0.6, length=3)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.set_xlabel(f"easting in km, {grid.crs}", fontsize=8, color=INK, labelpad=3)
    axes.set_ylabel("northing in km", fontsize=8, color=INK, labelpad=3)
    for axis, share in ((axes.xaxis, axes.get_position().width * axes.figure.get_figwidth()), (axes.yaxis, axes.get_position().height * axes.figure.get_figheight())):
        axis.set_major_locator(MaxNLocator(max(1, min(6, int(share / 0.7))), steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.spines[:].set(lw=0.6, color=INK)


def _add_foot(figure: Figure, axes: Axes, view: View, ramp: Colormap, norm: Normalize, threshold: float) -> None:
    """Explain below the map: scale and north on the left, signs in the middle, colours on the right."""
    width, height = figure.get_size_inches()
    box = axes.get_position()
    room = max(box.width * width, _WIDTH_IN - _LEFT_IN - _RIGHT_IN)
    left = (width + _LEFT_IN - _RIGHT_IN - room) / 2
    foot = figure.add_axes((left / width, 0, room / width, 0.8 / height))
    foot.set(xlim=(0, room), ylim=(0, 0.8))
    foot.axis("off")
    _draw_north(foot)
    _draw_scale(foot, view, box.width * width)
    signs = [Patch(fc="none", ec=OUTLINE, lw=1.1, label="landslide")]
    if view.nodata.any():
        signs.append(Patch(fc="#f6f6f6", ec="#c4c9ce", hatch="////", lw=0, label="no data"))
    foot.legend(handles=signs, loc="center", bbox_to_anchor=(0.47, 0.55), frameon=False, fontsize=8, labelcolor=INK, handlelength=1.4)
    bar_in = 2.1
    bar = figure.add_axes(((left + room - bar_in) / width, 0.42 / height, bar_in / width, 0.13 / height))
    colours = figure.colorbar(mpl.cm.ScalarMappable(norm, ramp), cax=bar, orientation="horizontal")
    colours.ax.tick_params(labelsize=7.5, length=2, width=0.6, colors=INK)
    colours.outline.set(lw=0.6, edgecolor=INK)
    ticks = [float(norm.vmin or 0), 0.25, 0.5, 0.75, 1.0]
    colours.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])
    bar.axvline(threshold, color=OUTLINE, lw=1.4)
    bar.text(threshold, 1.25, f"threshold {threshold:.3g}", transform=bar.get_xaxis_transform(), fontsize=7.5, ha="center", va="bottom", color=OUTLINE)
    what = "landslide probability" if view.factor == 1 else f"highest landslide probability in {view.factor} x {view.factor} px"
    bar.set_xlabel(what, fontsize=8, color=INK, labelpad=2)


def _draw_north(foot: Axes) -> None:
    foot.add_patch(Polygon([(0.09, 0.28), (0.17, 0.58), (0.25, 0.28), (0.17, 0.35)], fc=INK, ec=INK, lw=0.5))
    foot.text(0.17, 0.6, "N", fontsize=8, ha="center", va="bottom", color=INK)


def _draw_scale(foot: Axes, view: View, map_in: float) -> None:
    """Draw a bar of a round length of at most 1.4 inches."""
    per_in = view.grid.width * view.grid.pixel_m / map_in
    longest = 1.4 * per_in
    power = 10 ** math.floor(math.log10(longest))
    length_m = max(step * power for step in _STEPS_KM if step * power <= longest)
    inches = length_m / per_in
    for start, colour in ((0, INK), (1, "white")):
        foot.add_patch(Rectangle((0.55 + start * inches / 2, 0.33), inches / 2, 0.07, fc=colour, ec=INK, lw=0.6))
    name = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    foot.text(0.55, 0.45, "0", fontsize=7.5, ha="center", va="bottom", color=INK)
    foot.text(0.55 + inches, 0.45, name, fontsize=7.5, ha="center", va="bottom", color=INK)
