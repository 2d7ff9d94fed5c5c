"""A map reduced to picture size, read strip by strip; landslides of one pixel stay visible."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from data.scene.georeference import Grid
from tuning.predict.cog import COVERAGE
from tuning.predict.raster_io import bound_cache, read_strips

LONGEST_PX = 1600


@dataclass(frozen=True)
class MapPreview:
    """A map reduced to H x W cells of ``factor x factor`` pixels; the last cells may extend beyond the grid.

    Attributes:
        grid: The map's grid at full resolution.
        factor: Pixels along a cell's side.
        probability: Maximum per cell, NaN if no pixel has data, shape ``(H, W)``, float32.
        landslide: Cells with a landslide pixel, shape ``(H, W)``, bool.
        relief: Mean per cell, NaN if no pixel has data, shape ``(H, W)``, float32; or None.
        covered: Cells with backscatter on any date, shape ``(H, W)``, bool; or None if it is not known.
    """

    grid: Grid
    factor: int
    probability: np.ndarray
    landslide: np.ndarray
    relief: np.ndarray | None
    covered: np.ndarray | None = None

    @property
    def nodata(self) -> np.ndarray:
        """Cells without a mapped pixel, shape ``(H, W)``, bool."""
        return np.asarray(np.isnan(self.probability))

    @property
    def too_few(self) -> np.ndarray:
        """Those of them with backscatter, but too few acquisitions, shape ``(H, W)``, bool."""
        return self.nodata & (False if self.covered is None else self.covered)

    @property
    def extent_km(self) -> tuple[float, float, float, float]:
        """Left, right, lower and upper edge of the cells."""
        side = self.factor * self.grid.pixel_m / 1000
        west, north = self.grid.west_m / 1000, self.grid.north_m / 1000
        rows, columns = self.landslide.shape
        return west, west + side * columns, north - side * rows, north


def read_preview(
    probability: Path,
    mask: Path,
    relief: Path | None = None,
    longest_px: int = LONGEST_PX,
    coverage: Path | None = None,
) -> MapPreview:
    """Read a map's rasters, reduced to at most *longest_px* cells per side.

    Raises:
        ValueError: If the rasters are not on one grid.
        rasterio.errors.RasterioIOError: If a file cannot be read.
    """
    with bound_cache(), rasterio.open(mask) as raster:
        corner = raster.transform
        grid = Grid(
            *(raster.crs.to_string(), corner.c, corner.f, corner.a, raster.height, raster.width)
        )
        factor = -(-max(grid.height, grid.width) // longest_px)
        strips = [
            _reduce_max((rows == 1).astype(np.uint8), factor)
            for _, rows in read_strips(raster, factor)
        ]
        landslide = np.concatenate(strips) > 0
        maximum = _read_like(probability, grid, factor, _reduce_max)
        heights = _read_like(relief, grid, factor, _reduce_mean) if relief else None
        covered = _read_like(coverage, grid, factor, _reduce_covered) if coverage else None
    return MapPreview(grid, factor, maximum, landslide, heights, covered)


def _read_like(
    path: Path, grid: Grid, factor: int, reduce: Callable[[np.ndarray, int], np.ndarray]
) -> np.ndarray:
    with rasterio.open(path) as raster:
        if raster.shape != (grid.height, grid.width) or raster.transform[:6] != grid.transform:
            raise ValueError(
                f"A picture's rasters must be on one grid, but {path.name} has shape {raster.shape} and the "
                f"mask {(grid.height, grid.width)}. Write both on the same grid."
            )
        return np.concatenate([reduce(rows, factor) for _, rows in read_strips(raster, factor)])


def _split(values: np.ndarray, factor: int) -> np.ndarray:
    """Split an array into cells, padded with NaN or 0, shape ``(H, factor, W, factor)``."""
    fill = np.nan if values.dtype.kind == "f" else 0
    rows, columns = (-(-side // factor) for side in values.shape)
    below, right = rows * factor - values.shape[0], columns * factor - values.shape[1]
    padded = np.pad(values, ((0, below), (0, right)), constant_values=fill)
    return padded.reshape(rows, factor, columns, factor)


def _reduce_max(values: np.ndarray, factor: int) -> np.ndarray:
    return np.asarray(np.fmax.reduce(_split(values, factor), axis=(1, 3)))


def _reduce_covered(counts: np.ndarray, factor: int) -> np.ndarray:
    return _reduce_max((counts != COVERAGE.nodata).astype(np.uint8), factor) > 0


def _reduce_mean(values: np.ndarray, factor: int) -> np.ndarray:
    cells = _split(values, factor)
    finite = np.isfinite(cells)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, cells, 0).sum(axis=(1, 3), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
