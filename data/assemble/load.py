"""Loads one block: the frames or bursts of a pass, or tiles of heights, joined on the grid of the scene."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from data.assemble.blocks import HEIGHTS, Block
from data.assemble.footprints import find_extent, read_footprint, touches
from data.values.nodata import HUGE

if TYPE_CHECKING:
    import pystac
    from odc.geo.geobox import GeoBox

    from data.search.acquisitions import Found
    from data.search.sources import Source

RESAMPLING = (
    "bilinear"  # GDAL widens it to a weighted mean where the file's pixels are smaller than 10 m
)
_ANY_TIME = datetime(
    2000, 1, 1, tzinfo=UTC
)  # a STAC item needs one; heights have none, and a block is of one time
_GEOTIFF = "image/tiff; application=geotiff"


def choose_items(found: Found, block: Block, grid: GeoBox) -> list[pystac.Item]:
    """Return the frames of a block's acquisition, or the tiles of heights, whose footprints reach the block."""
    items = found.heights if block.orbit == HEIGHTS else _list_frames(found, block)
    extent = find_extent(grid[block.cut(grid.shape.yx)])
    return [item for item in items if touches(read_footprint(item.geometry), extent)]


def _list_frames(found: Found, block: Block) -> tuple[pystac.Item, ...]:
    return found.acquisitions[block.orbit][block.step].items


def load_block(
    found: Found, source: Source, block: Block, grid: GeoBox, stop: threading.Event
) -> dict[str, np.ndarray]:
    """Load a block.

    Args:
        found: What was found.
        source: Signs addresses and gives GDAL's options.
        block: The block.
        grid: The grid of the whole scene.
        stop: Set to give up.

    Returns:
        By band, shape ``(H, W)``, float32: dB, heights in m; NaN = no data. Without any frame, all are NaN.

    Raises:
        AssetError: If an asset cannot be read.
        StoppedError: If the reading was given up.
    """
    part = grid[block.cut(grid.shape.yx)]
    items = choose_items(found, block, grid)
    if not items:
        return {band: np.full(part.shape.yx, np.nan, np.float32) for band in block.bands}
    values = _load(items, source, block.bands, part, stop)
    return values if block.orbit == HEIGHTS else {n: to_db(v) for n, v in values.items()}


def _load(
    items: Sequence[pystac.Item],
    source: Source,
    bands: Sequence[str],
    part: GeoBox,
    stop: threading.Event,
) -> dict[str, np.ndarray]:
    import odc.stac

    from data.assemble.reader import PatientDriver

    is_power = HEIGHTS not in bands
    loaded = odc.stac.load(
        [_simplify(item, bands, part) for item in items],
        bands=list(bands),
        geobox=part,
        groupby=_as_one,
        preserve_original_order=True,
        resampling=RESAMPLING,
        dtype="float32",
        nodata=np.nan,
        use_overviews=False,
        fuse_func=f"{__name__}.keep_first" if is_power else None,
        driver=PatientDriver(source, stop, zero_is_empty=is_power),
    )
    return {band: np.asarray(loaded[band].values[0], np.float32) for band in bands}


def _simplify(item: pystac.Item, bands: Sequence[str], part: GeoBox) -> pystac.Item:
    """Return an item of its assets' addresses alone, with the block as its footprint.

    What a catalogue says of pixels may be wrong, and odc-stac would believe it; the GeoTIFF itself is asked. Which items
    reach the block has been decided.
    """
    import pystac
    from shapely.geometry import mapping

    plain = pystac.Item(item.id, mapping(find_extent(part)), None, _ANY_TIME, {})
    for band in bands:
        plain.add_asset(band, pystac.Asset(item.assets[band].href, media_type=_GEOTIFF))
    return plain


def _as_one(*_: Any) -> int:
    """Group all items of a block."""
    return 0


def keep_first(joined: np.ndarray, frame: np.ndarray) -> None:
    """Add a frame's linear power to a mosaic in place, where the mosaic has none.

    Args:
        joined: Mosaic of the frames before, shape ``(H, W)``, float32; NaN, zero and less = no data.
        frame: The next frame, same shape.
    """
    with np.errstate(invalid="ignore"):
        np.copyto(joined, frame, where=~(joined > 0) & (frame > 0))


def to_db(power: np.ndarray) -> np.ndarray:
    """Convert linear power to dB, float32; zero, negative power, fills and NaN become NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        valid = (power > 0) & (power < HUGE)
        db = 10 * np.log10(power)
    return np.where(valid, db, np.nan).astype(np.float32)
