"""Rasters read from top to bottom in bounded memory."""

import zlib
from collections.abc import Iterator, Sequence
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
    raster: rasterio.DatasetReader, multiple: int = 1, bands: int | Sequence[int] = 1
) -> Iterator[tuple[int, np.ndarray]]:
    """Read a band from top to bottom, or several at once.

    Args:
        raster: An open raster.
        multiple: The number of rows of each strip but the last is a multiple of it.
        bands: Number of the band, from 1, or of several.

    Yields:
        First row and values ``(rows, W)``, of several bands ``(bands, rows, W)``, of a strip of about four million pixels.
    """
    rows = max(1, STRIP_PX // raster.width // multiple) * multiple
    for first in range(0, raster.height, rows):
        window = Window(0, first, raster.width, min(rows, raster.height - first))
        yield first, raster.read(bands, window=window)


def checksum_raster(path: Path) -> list[int]:
    """Return the CRC-32 of each band's values, row by row from the top."""
    with rasterio.open(path) as raster:
        checksums = [0] * raster.count
        for _, rows in read_strips(raster, bands=raster.indexes):
            checksums = update_checksums(checksums, rows)
    return checksums


def update_checksums(checksums: Sequence[int], rows: np.ndarray) -> list[int]:
    """Return the CRC-32 of each band after further rows, ``(bands, rows, W)``."""
    pairs = zip(rows, checksums, strict=True)
    return [zlib.crc32(np.ascontiguousarray(band).data, before) for band, before in pairs]
