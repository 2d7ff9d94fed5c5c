"""The layers of a page's map: which pixels of a map's rasters are drawn how.

Pixels become codes from 0 to 255, of which 0 is transparent; `tuning.predict.page.pyramid` makes tiles of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import rasterio
from matplotlib.colors import to_rgb
from rasterio.windows import Window

from data.values.coverage import NO_BACKSCATTER
from tuning.predict.page.pyramid import TILE_PX, Painter, reduce_max, reduce_mean, reduce_min
from tuning.predict.picture.legend import NODATA, TOO_FEW
from tuning.predict.picture.quicklook import EXAGGERATION, hillshade, make_ramp

STEPS = 24  # colours of the probability
CHANGE_DB = 6.0  # a change of so much and more has the strongest colour
CHANGE_COLOURS = "cividis"  # as in QGIS; dark where backscatter fell, also in grey
SAMPLE_PX = 1000  # longest side of the sample whose percentiles stretch a backscatter picture
ORBIT_NAMES = {"s1asc": "ascending", "s1dsc": "descending"}

_GREYS = 255

Strips = Callable[[], Iterator[np.ndarray]]


@dataclass(frozen=True)
class MapLayer:
    """A layer of a page's map.

    Attributes:
        key: Its name in the page.
        title: Its name in the layer switch.
        strips: Reads its codes from top to bottom, strips of 256 rows, ``(256, W)``, uint8.
        painter: Makes images of them.
        shown: Whether it is visible at first.
        switch: Whether it can be switched off.
    """

    key: str
    title: str
    strips: Strips
    painter: Painter
    shown: bool = True
    switch: bool = True


def list_layers(
    folder: Path, threshold: float, relief: Path | None, *, heights: bool
) -> list[MapLayer]:
    """Return the layers of a map's folder, the most important one first.

    Args:
        folder: Folder of the rasters; ``coverage.tif`` and ``change.tif`` may be missing.
        threshold: Minimum probability of a landslide pixel.
        relief: Raster of heights or backscatter on the same grid, or None.
        heights: Whether *relief* holds heights in m, which are shaded, or backscatter.
    """
    probability, coverage, change = (
        folder / f"{name}.tif" for name in ("probability", "coverage", "change")
    )
    low = threshold / 2  # as in the picture
    layers = [
        MapLayer(
            *("probability", "Landslide probability", partial(_read_probability, probability, low)),
            Painter(colour_probability(), reduce_max),
        ),
        MapLayer(
            *("nodata", "Not mapped", partial(_read_unmapped, probability, coverage)),
            Painter(_colour_unmapped(), reduce_min, hatched=2),
        ),
    ]
    if relief is not None:
        read = partial(_read_shades, relief) if heights else partial(_read_backscatter, relief)
        layers.append(
            MapLayer(
                *("relief", "Relief", read, Painter(_colour_greys(), reduce_mean, lossy=True)),
                switch=False,
            )
        )
    return layers + (_list_changes(change) if change.exists() else [])


def _list_changes(path: Path) -> list[MapLayer]:
    """Return a layer per band, named by the band's description, such as ``s1asc: change … in dB``."""
    with rasterio.open(path) as raster:
        names = [text or f"band {band}" for band, text in enumerate(raster.descriptions, 1)]
    painter = Painter(colour_change(), reduce_mean, lossy=True)
    layers = []
    for band, text in enumerate(names, 1):
        orbit = text.partition(":")[0]
        title = f"Change, {ORBIT_NAMES.get(orbit, orbit)} orbit"
        read = partial(_read_change, path, band)
        layers.append(MapLayer(f"change{band}", title, read, painter, shown=False))
    return layers


def _read_strips(path: Path, band: int = 1, halo: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rows of each strip of 256 with up to *halo* more on both sides, and how many of these are above it."""
    with rasterio.open(path) as raster:
        for first in range(0, raster.height, TILE_PX):
            top = max(first - halo, 0)
            stop = min(first + TILE_PX + halo, raster.height)
            yield first - top, raster.read(band, window=Window(0, top, raster.width, stop - top))


def _read_probability(path: Path, low: float) -> Iterator[np.ndarray]:
    for _, values in _read_strips(path):
        step = np.floor((values - low) / (1 - low) * STEPS)
        shown = np.isfinite(values) & (values >= low)
        yield np.where(shown, 1 + np.clip(step, 0, STEPS - 1), 0).astype(np.uint8)


def _read_unmapped(probability: Path, coverage: Path) -> Iterator[np.ndarray]:
    """Yield 1 where a pixel has too few acquisitions, 2 where it has no backscatter, 0 where it is mapped."""
    counts = _read_strips(coverage) if coverage.exists() else None
    for _, values in _read_strips(probability):
        none = next(counts)[1] == NO_BACKSCATTER if counts else True
        yield np.where(np.isnan(values), np.where(none, 2, 1), 0).astype(np.uint8)


def _to_grey(tone: np.ndarray) -> np.ndarray:
    return np.where(
        np.isfinite(tone), 1 + np.clip(tone, 0, 1) * (_GREYS - 1), 0
    ).round().astype(np.uint8)  # fmt: skip


def _read_shades(path: Path) -> Iterator[np.ndarray]:
    """Yield shaded heights; a strip's neighbours are read too, so that no seam is seen between strips."""
    with rasterio.open(path) as raster:
        side = abs(raster.transform.a)
    for above, values in _read_strips(path, halo=1):
        tone = 0.5 + 0.48 * hillshade(EXAGGERATION * values, side)
        yield _to_grey(tone[above : above + TILE_PX])


def _read_backscatter(path: Path) -> Iterator[np.ndarray]:
    """Yield backscatter in dB between its 2nd and 98th percentile as light greys."""
    with rasterio.open(path) as raster:
        step = -(-max(raster.shape) // SAMPLE_PX)
        sample = raster.read(1, out_shape=tuple(-(-side // step) for side in raster.shape))
    finite = sample[np.isfinite(sample)]
    low, high = np.percentile(finite, (2, 98)) if finite.size else (0.0, 1.0)
    for _, values in _read_strips(path):
        yield _to_grey(0.58 + 0.38 * np.clip((values - low) / max(high - low, 1e-6), 0, 1))


def _read_change(path: Path, band: int) -> Iterator[np.ndarray]:
    for _, values in _read_strips(path, band):
        share = np.clip(values / CHANGE_DB, -1, 1)
        code = np.where(np.isfinite(values), 128 + 127 * share, 0)
        yield code.round().astype(np.uint8)


def colour_probability() -> np.ndarray:
    """Return the colour of each code of the probability, shape ``(256, 4)``, uint8."""
    colours = np.zeros((256, 4))
    colours[1 : STEPS + 1] = make_ramp()((np.arange(STEPS) + 0.5) / STEPS)
    return _to_bytes(colours)


def _colour_unmapped() -> np.ndarray:
    colours = np.zeros((256, 4))
    colours[1] = (*to_rgb(TOO_FEW), 1)
    colours[2] = (*to_rgb(NODATA["fc"]), 1)
    colours[3] = (*to_rgb(NODATA["ec"]), 1)
    return _to_bytes(colours)


def _colour_greys() -> np.ndarray:
    grey = np.clip((np.arange(256) - 1) / (_GREYS - 1), 0, 1)
    return _to_bytes(np.stack([grey, grey, grey, np.arange(256) > 0], axis=-1))


def colour_change() -> np.ndarray:
    """Return the colour of each code of a change, shape ``(256, 4)``, uint8."""
    colours = mpl.colormaps[CHANGE_COLOURS](np.clip((np.arange(256) - 1) / 254, 0, 1))
    colours[:, 3] = np.arange(256) > 0
    return _to_bytes(colours)


def _to_bytes(colours: np.ndarray) -> np.ndarray:
    return (255 * colours).round().astype(np.uint8)


def list_ramp(colours: np.ndarray, codes: range) -> str:
    """Return the colours of codes as CSS gradient stops, over the page's map background."""
    stops = []
    for code in codes:
        red, green, blue, opacity = colours[code]
        stops.append(f"rgb({red} {green} {blue} / {opacity / 255:.2f})")
    return ", ".join(stops)
