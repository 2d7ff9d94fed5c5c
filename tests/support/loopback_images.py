"""Images of loopback products: a pass cut into its two frames or bursts, averaged to 30 m, and written as a GeoTIFF."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine

BURST_STEP = 3  # of OPERA's 30 m: three by three pixels of a place's grid
SLANT = 0.06  # rows of a frame's or burst's end per column: an orbit does not fly due north

# Rows of the two frames or bursts of a pass, as shares of a place; they overlap.
PARTS = ((0.0, 0.58), (0.42, 1.0))


def cut_part(power: np.ndarray, part: int) -> tuple[slice, slice, np.ndarray]:
    """Return the rows and columns of a frame, and its pixels: NaN beyond its slanted ends.

    Args:
        power: A pass, shape ``(2, H, W)``; NaN = not seen.
        part: Number in ``PARTS``.
    """
    height, width = power.shape[1:]
    first, last = (round(share * height) for share in PARTS[part])
    columns = np.flatnonzero(np.isfinite(power[0]).any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    row, column = np.mgrid[first:last, left:right]
    slant = SLANT * (column - left)
    inside = np.ones(row.shape, bool)
    if part > 0:
        inside &= row >= first + SLANT * width - slant
    if part < len(PARTS) - 1:
        inside &= row < last - slant
    cut = np.where(inside, power[:, first:last, left:right], np.nan)
    return slice(first, last), slice(left, right), cut


def average(image: np.ndarray) -> np.ndarray:
    """Return the means of three by three pixels, shape ``(2, H // 3, W // 3)``; NaN where one has no data."""
    bands, height, width = image.shape
    height, width = height // BURST_STEP, width // BURST_STEP
    blocks = image[:, : height * BURST_STEP, : width * BURST_STEP]
    return blocks.reshape(bands, height, BURST_STEP, width, BURST_STEP).mean(axis=(2, 4))


def write_cog(
    file: Path,
    values: np.ndarray,
    epsg: int,
    transform: Affine,
    nodata: float | None,
    **tags: str,
) -> None:
    """Write one band as a cloud-optimised GeoTIFF."""
    file.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        "driver": "COG",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": values.dtype.name,
        "crs": rasterio.CRS.from_epsg(epsg),
        "transform": transform,
        "nodata": nodata,
        "compress": "deflate",
        "blocksize": 512,
    }
    with rasterio.open(file, "w", **profile) as raster:
        raster.write(values, 1)
        raster.update_tags(**tags)
