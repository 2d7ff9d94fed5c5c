"""A picture of a map: probability over shaded relief, the landslides' outlines on top.

Reference:
    Shading as the cosine between the surface's normal and the sun: Horn (1981), Proceedings of the IEEE 69(1), doi
    10.1109/PROC.1981.11918.
"""

import math
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as MplPath
from matplotlib.ticker import MaxNLocator

from tuning.plots.style import INK
from tuning.plots.trial_figures import title_of
from tuning.predict.legend import NODATA, OUTLINE, WIDTH_IN, add_legend
from tuning.predict.preview import MapPreview, read_preview

SUN_AZIMUTH, SUN_ALTITUDE = 315.0, 45.0  # degrees: north-west, as maps are lit
DPI = 200

_SOFT = "#57606a"

_MAP_IN = 8.0  # longest side of the map: 1600 px
_LEAST_MAP_IN = 0.5
_LEFT_IN, _RIGHT_IN = 0.75, 0.35
_HEAD_IN, _FOOT_IN = 0.75, 1.3
_TICK_IN = 0.7  # room of a tick's label
_EDGES_AT_ONCE = 5000  # a path object each would take a kilobyte per edge
_EXAGGERATION = 1.5  # a map is looked at from above, where slopes seem flatter


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
        FileExistsError: If the picture is there.
        ValueError: If the rasters do not lie on one grid.
        OSError: If a file cannot be read or written.
    """
    if path.exists():
        raise FileExistsError(
            f"A picture must go to a folder without one, but {path} is there. Give another folder."
        )
    view = read_preview(probability, mask, relief)
    figure, axes = _start(view, title_of(title, synthetic), caption)
    low = threshold / 2  # what lies below is left clear
    ramp, norm = _make_ramp(), Normalize(low, 1.0)
    style: dict[str, Any] = {
        "extent": view.extent_km,
        "interpolation": "nearest",
        "aspect": "equal",
    }
    axes.imshow(_paint_ground(view, heights), zorder=1, **style)
    shown = np.ma.masked_less(np.ma.masked_invalid(view.probability), low)
    axes.imshow(shown, cmap=ramp, norm=norm, zorder=2, **style)
    _outline(axes, view, _size_in(figure, axes)[1])
    _finish_axes(figure, axes, view)
    add_legend(figure, axes, view, ScalarMappable(norm, ramp), threshold)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
    return path


def hillshade(heights: np.ndarray, pixel_m: float) -> np.ndarray:
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
    lit = towards * math.cos(altitude) + math.sin(altitude) + 0 * heights  # a gap stays one
    return np.asarray(np.clip(lit / np.sqrt(1 + east**2 + north**2), 0, 1))


def _make_ramp() -> Colormap:
    """Return a ramp of even steps from pale yellow to dark purple that grows opaque."""
    colours = mpl.colormaps["inferno_r"](np.linspace(0.06, 0.66, 256))
    colours[:, 3] = np.linspace(0.4, 0.9, 256)
    return ListedColormap(colours, "landslide")


def _paint_ground(view: MapPreview, heights: bool) -> np.ndarray:
    """Return the grey below the probabilities, clear where there is no data, shape ``(H, W, 4)``."""
    grey = np.full(view.landslide.shape, 0.92)
    if view.relief is not None:
        side = view.factor * view.grid.pixel_m
        tone = (
            0.5 + 0.48 * hillshade(_EXAGGERATION * view.relief, side)
            if heights
            else _stretch(view.relief)
        )
        grey = np.where(np.isfinite(tone), tone, grey)
    painted = np.dstack([grey, grey, grey, ~view.nodata])
    return (255 * painted).round().astype(np.uint8)  # matplotlib holds many copies of an image


def _stretch(values: np.ndarray) -> np.ndarray:
    """Stretch backscatter between its 2nd and 98th percentile to light greys."""
    seen = values[np.isfinite(values)]
    if not seen.size:
        return values
    low, high = np.percentile(seen, (2, 98))
    return np.asarray(0.58 + 0.38 * np.clip((values - low) / max(high - low, 1e-6), 0, 1))


def trace_edges(on: np.ndarray) -> np.ndarray:
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


def _size_in(figure: Figure, axes: Axes) -> tuple[float, float]:
    """Return a map's width and height in inches."""
    box, (width, height) = axes.get_position(), figure.get_size_inches()
    return float(box.width * width), float(box.height * height)


def _outline(axes: Axes, view: MapPreview, height_in: float) -> None:
    """Draw the landslides' edges, thinner where cells are small."""
    left, _, _, top = view.extent_km
    side = view.factor * view.grid.pixel_m / 1000
    edges = trace_edges(view.landslide)
    ends = np.stack([left + side * edges[..., 1], top - side * edges[..., 0]], axis=-1)
    cell_pt = 72 * height_in * view.factor / view.grid.height
    width = float(np.clip(cell_pt / 3, 0.3, 1.1))
    for start in range(0, len(ends), _EDGES_AT_ONCE):
        corners = ends[start : start + _EDGES_AT_ONCE].reshape(-1, 2)
        codes = np.tile([MplPath.MOVETO, MplPath.LINETO], len(corners) // 2)
        some = PathPatch(MplPath(corners, codes), fc="none", ec=OUTLINE, lw=width, zorder=3)
        some.set_capstyle("projecting")
        axes.add_artist(some)  # a patch would be searched for its limits, edge by edge


def _start(view: MapPreview, title: str, caption: str) -> tuple[Figure, Axes]:
    """Start a figure with room for the map at its true shape, a head and a foot."""
    scale = _MAP_IN / max(view.grid.height, view.grid.width)
    map_width, map_height = (
        max(side * scale, _LEAST_MAP_IN) for side in (view.grid.width, view.grid.height)
    )
    width = max(map_width, WIDTH_IN) + _LEFT_IN + _RIGHT_IN
    title = "\n".join(fill(line, int(9 * width)) for line in title.splitlines())
    caption = fill(caption, int(14 * width))
    head = _HEAD_IN + 0.2 * title.count("\n") + 0.14 * caption.count("\n")
    height = map_height + head + _FOOT_IN
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    left = _LEFT_IN + (width - _LEFT_IN - _RIGHT_IN - map_width) / 2
    place = (left / width, _FOOT_IN / height, map_width / width, map_height / height)
    style: dict[str, Any] = {"ha": "center", "parse_math": False}  # a name may hold a dollar sign
    middle, above = (left + map_width / 2) / width, (_FOOT_IN + map_height + 0.12) / height
    figure.text(middle, 1 - 0.16 / height, title, fontsize=12, va="top", color=INK, **style)
    figure.text(middle, above, caption, fontsize=8.5, va="bottom", color=_SOFT, **style)
    return figure, figure.add_axes(place)


def _finish_axes(figure: Figure, axes: Axes, view: MapPreview) -> None:
    """Hatch what lies below the map, and write its coordinates at the edges."""
    grid = view.grid
    west, north, side = grid.west_m / 1000, grid.north_m / 1000, grid.pixel_m / 1000
    width, height = side * grid.width, side * grid.height
    axes.add_patch(Rectangle((west, north - height), width, height, zorder=0, **NODATA))
    axes.set(xlim=(west, west + width), ylim=(north - height, north))
    axes.tick_params(labelsize=7.5, colors=INK, width=0.6, length=3)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.set_xlabel(f"easting in km, {grid.crs}", fontsize=8, color=INK, labelpad=3)
    axes.set_ylabel("northing in km", fontsize=8, color=INK, labelpad=3)
    for axis, room in zip((axes.xaxis, axes.yaxis), _size_in(figure, axes), strict=True):
        most = max(1, min(6, int(room / _TICK_IN)))
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.spines[:].set(lw=0.6, color=INK)
