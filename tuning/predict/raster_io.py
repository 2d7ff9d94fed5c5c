"""Rasters read from top to bottom in bounded memory."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

CACHE_BYTES = 256 * 2**20  # GDAL's default is a twentieth of the machine's memory
STRIP_PX = 4_000_000  # pixels per read, at any width


def bound_cache() -> rasterio.Env:
    """Return a context manager that limits GDAL's block cache to ``CACHE_BYTES``."""
    return rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES)


def read_strips(
    raster: rasterio.DatasetReader, multiple: int = 1
) -> Iterator[tuple[int, np.ndarray]]:
    """Read the first band from top to bottom.

    Args:
        raster: An open raster.
        multiple: The number of rows of each strip but the last is a multiple of it.

    Yields:
        First row and values ``(rows, W)`` of a strip of about four million pixels.
    """
    rows = max(1, STRIP_PX // raster.width // multiple) * multiple
    for first in range(0, raster.height, rows):
        window = Window(0, first, raster.width, min(rows, raster.height - first))
        yield first, raster.read(1, window=window)


def checksum_raster(path: Path) -> int:
    """Return the CRC-32 of a raster's values, row by row from the top."""
    checksum = 0
    with rasterio.open(path) as raster:
        for _, rows in read_strips(raster):
            checksum = zlib.crc32(rows.data, checksum)
    return checksum
