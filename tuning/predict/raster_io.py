"""Rasters read from top to bottom, within bounded memory."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

CACHE_BYTES = 256 * 2**20  # GDAL's own default is a twentieth of the machine's memory
STRIP_PX = 4_000_000  # pixels read at once, whatever the width


def bound_cache() -> rasterio.Env:
    """Keep GDAL's cache of blocks small in a ``with`` in which rasters are read or written."""
    return rasterio.Env(
        GDAL_CACHEMAX=CACHE_BYTES
    )  # an integer is bytes, other than in GDAL's variable


def read_strips(
    raster: rasterio.DatasetReader, multiple: int = 1
) -> Iterator[tuple[int, np.ndarray]]:
    """Read the first band from top to bottom.

    Args:
        raster: An open raster.
        multiple: The rows of each strip but the last are a multiple of it.

    Yields:
        The first row of a strip and its values ``(rows, W)``, about four million pixels.
    """
    rows = max(1, STRIP_PX // raster.width // multiple) * multiple
    for first in range(0, raster.height, rows):
        window = Window(0, first, raster.width, min(rows, raster.height - first))
        yield first, raster.read(1, window=window)


def add_checksum(rows: np.ndarray, checksum: int = 0) -> int:
    """Go on with a checksum over further rows."""
    return zlib.crc32(np.ascontiguousarray(rows).data, checksum)


def sum_rows(path: Path) -> int:
    """Return the checksum of a raster's rows from top to bottom."""
    checksum = 0
    with rasterio.open(path) as raster:
        for _, rows in read_strips(raster):
            checksum = add_checksum(rows, checksum)
    return checksum
