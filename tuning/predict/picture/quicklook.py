"""A picture of a map: probability over shaded relief, with the landslides' outlines.

Reference:
    Shading by the cosine of the angle between the surface normal and the sun: Horn (1981), Proceedings of the
    IEEE 69(1), doi 10.1109/PROC.1981.11918.
"""

import math
from collections.abc import Sequence
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
from tuning.predict.picture.legend import NODATA, OUTLINE, TOO_FEW, WIDTH_IN, add_map_legend
from tuning.predict.picture.preview import MapPreview

SUN_AZIMUTH, SUN_ALTITUDE = 315.0, 45.0  # degrees; maps are lit from the north-west by convention
DPI = 200

_SOFT = "#57606a"

_MAP_IN = 8.0  # longest side of the map: 1600 px
_MIN_MAP_IN = 0.5
_LEFT_IN, _RIGHT_IN = 0.75, 0.35
_HEAD_IN, _LEGEND_IN = 0.75, 1.3
_TICK_IN = 0.7  # width of a tick label
_EDGES_PER_PATH = 5000  # one path per edge would take a kilobyte each
EXAGGERATION = 1.5  # slopes look flatter from above


def draw_quicklook(
    path: Path,
    preview: MapPreview,
    *,
    threshold: float,
    title: str,
    caption: str,
    origin: str,
    cautions: Sequence[str] = (),
    heights: bool = True,
) -> Path:
    """Draw a map of at most 1600 px a side and write it as PNG.

    Args:
        path: File to write.
        preview: The map, of :func:`tuning.predict.picture.preview.read_preview`.
        threshold: Minimum probability of a landslide pixel.
        title: The title.
        caption: One line of facts below the title.
        origin: What the model learnt on and what the map was made from; the second line of the title.
        cautions: Where the scene differs from what the model learnt; lines below the caption.
        heights: Whether the map's relief holds heights in m, which are shaded, or backscatter.

    Raises:
        FileExistsError: If the file exists.
        OSError: If it cannot be written.
    """
    if path.exists():
        raise FileExistsError(
            f"The folder must not hold a picture yet, but {path} exists. Choose another folder."
        )
    figure, axes = _make_figure(preview, f"{title}\n{origin}", "\n".join([caption, *cautions]))
    low = threshold / 2  # lower probabilities are transparent
    ramp, norm = make_ramp(), Normalize(low, 1.0)
    style: dict[str, Any] = {
        "extent": preview.extent_km,
        "interpolation": "nearest",
        "aspect": "equal",
    }
    axes.imshow(draw_background(preview, heights), zorder=1, **style)
    shown = np.ma.masked_less(np.ma.masked_invalid(preview.probability), low)
    axes.imshow(shown, cmap=ramp, norm=norm, zorder=2, **style)
    _outline(axes, preview, _size_in(figure, axes)[1])
    _finish_axes(figure, axes, preview)
    add_map_legend(figure, axes, preview, ScalarMappable(norm, ramp), threshold)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
    return path


def hillshade(heights: np.ndarray, pixel_m: float) -> np.ndarray:
    """Shade a relief that is lit from the north-west.

    Args:
        heights: Height in m, shape ``(H, W)``; rows run south.
        pixel_m: Side of a pixel.

    Returns:
        Cosine of the angle between the surface normal and the sun, from 0 to 1, shape ``(H, W)``; 0.71 for flat
        terrain. NaN if a height or its neighbour is NaN.
    """
    east = np.gradient(heights, pixel_m, axis=1) if heights.shape[1] > 1 else 0 * heights
    north = -np.gradient(heights, pixel_m, axis=0) if heights.shape[0] > 1 else 0 * heights
    azimuth, altitude = math.radians(SUN_AZIMUTH), math.radians(SUN_ALTITUDE)
    towards = -east * math.sin(azimuth) - north * math.cos(azimuth)
    lit = towards * math.cos(altitude) + math.sin(altitude) + 0 * heights  # keeps NaN
    return np.asarray(np.clip(lit / np.sqrt(1 + east**2 + north**2), 0, 1))


def make_ramp() -> Colormap:
    """Return a perceptually even colour map from pale yellow to dark purple, with rising opacity."""
    colours = mpl.colormaps["inferno_r"](np.linspace(0.06, 0.66, 256))
    colours[:, 3] = np.linspace(0.4, 0.9, 256)
    return ListedColormap(colours, "landslide")


def draw_background(preview: MapPreview, heights: bool) -> np.ndarray:
    """Return the image below the probabilities, shape ``(H, W, 4)``: grey, blue for too few acquisitions, else transparent."""
    grey = np.full(preview.landslide.shape, 0.92)
    if preview.relief is not None:
        side = preview.factor * preview.grid.pixel_m
        tone = (
            0.5 + 0.48 * hillshade(EXAGGERATION * preview.relief, side)
            if heights
            else _stretch(preview.relief)
        )
        grey = np.where(np.isfinite(tone), tone, grey)
    image = np.dstack([grey, grey, grey, ~preview.nodata])
    image[preview.too_few] = mpl.colors.to_rgba(TOO_FEW)
    return (255 * image).round().astype(np.uint8)  # bytes, because matplotlib copies an image often


def _stretch(values: np.ndarray) -> np.ndarray:
    """Stretch backscatter between its 2nd and 98th percentile to light greys."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values
    low, high = np.percentile(finite, (2, 98))
    return np.asarray(0.58 + 0.38 * np.clip((values - low) / max(high - low, 1e-6), 0, 1))


def trace_edges(mask: np.ndarray) -> np.ndarray:
    """Return the straight edges of a mask as ``(row, column)`` of both ends, shape ``(E, 2, 2)``."""
    padded = np.pad(mask, 1).astype(np.int8)
    edges = []
    for transposed in (False, True):
        cells = padded.T if transposed else padded
        border = np.abs(np.diff(cells, axis=0))[:, 1:-1]  # (lines, cells along)
        ends = np.diff(np.pad(border, ((0, 0), (1, 1))), axis=1)
        line, start = np.nonzero(ends == 1)
        _, stop = np.nonzero(ends == -1)
        pairs = np.stack([np.stack([line, start], 1), np.stack([line, stop], 1)], axis=1)
        edges.append(pairs[..., ::-1] if transposed else pairs)
    return np.concatenate(edges)


def _size_in(figure: Figure, axes: Axes) -> tuple[float, float]:
    """Return a map's width and height in inches."""
    box, (width, height) = axes.get_position(), figure.get_size_inches()
    return float(box.width * width), float(box.height * height)


def _outline(axes: Axes, preview: MapPreview, height_in: float) -> None:
    """Draw the landslides' outlines, thinner for small cells."""
    left, _, _, top = preview.extent_km
    side = preview.factor * preview.grid.pixel_m / 1000
    edges = trace_edges(preview.landslide)
    ends = np.stack([left + side * edges[..., 1], top - side * edges[..., 0]], axis=-1)
    cell_pt = 72 * height_in * preview.factor / preview.grid.height
    width = float(np.clip(cell_pt / 3, 0.3, 1.1))
    for start in range(0, len(ends), _EDGES_PER_PATH):
        corners = ends[start : start + _EDGES_PER_PATH].reshape(-1, 2)
        codes = np.tile([MplPath.MOVETO, MplPath.LINETO], len(corners) // 2)
        outline = PathPatch(MplPath(corners, codes), fc="none", ec=OUTLINE, lw=width, zorder=3)
        outline.set_capstyle("projecting")
        axes.add_artist(outline)  # add_patch would compute limits edge by edge


def _make_figure(preview: MapPreview, title: str, caption: str) -> tuple[Figure, Axes]:
    """Make a figure with axes of the map's aspect ratio, a title above and space for the legend below."""
    scale = _MAP_IN / max(preview.grid.height, preview.grid.width)
    map_width, map_height = (
        max(side * scale, _MIN_MAP_IN) for side in (preview.grid.width, preview.grid.height)
    )
    width = max(map_width, WIDTH_IN) + _LEFT_IN + _RIGHT_IN
    title = "\n".join(fill(line, int(9 * width)) for line in title.splitlines())
    caption = "\n".join(fill(line, int(14 * width)) for line in caption.splitlines())
    head = _HEAD_IN + 0.2 * title.count("\n") + 0.14 * caption.count("\n")
    height = map_height + head + _LEGEND_IN
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    left = _LEFT_IN + (width - _LEFT_IN - _RIGHT_IN - map_width) / 2
    box = (left / width, _LEGEND_IN / height, map_width / width, map_height / height)
    style: dict[str, Any] = {
        "ha": "center",
        "parse_math": False,
    }  # a model's name may contain a dollar sign
    middle, above = (left + map_width / 2) / width, (_LEGEND_IN + map_height + 0.12) / height
    figure.text(middle, 1 - 0.16 / height, title, fontsize=12, va="top", color=INK, **style)
    figure.text(middle, above, caption, fontsize=8.5, va="bottom", color=_SOFT, **style)
    return figure, figure.add_axes(box)


def _finish_axes(figure: Figure, axes: Axes, preview: MapPreview) -> None:
    """Hatch the background, which shows where there is no data, and label the coordinates."""
    grid = preview.grid
    west, north, side = grid.west_m / 1000, grid.north_m / 1000, grid.pixel_m / 1000
    width, height = side * grid.width, side * grid.height
    axes.add_patch(Rectangle((west, north - height), width, height, zorder=0, **NODATA))
    axes.set(xlim=(west, west + width), ylim=(north - height, north))
    axes.tick_params(labelsize=7.5, colors=INK, width=0.6, length=3)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.set_xlabel(f"easting in km, {grid.crs}", fontsize=8, color=INK, labelpad=3)
    axes.set_ylabel("northing in km", fontsize=8, color=INK, labelpad=3)
    for axis, length in zip((axes.xaxis, axes.yaxis), _size_in(figure, axes), strict=True):
        ticks = max(1, min(6, int(length / _TICK_IN)))
        axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.spines[:].set(lw=0.6, color=INK)
