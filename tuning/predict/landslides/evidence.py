"""What is measured at each landslide of a map beside its probability: change of backscatter by orbit, and slope."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from tuning.predict.landslides.background import BackgroundChange
from tuning.predict.landslides.terrain import TerrainSums
from tuning.predict.raster_io import read_strips


@dataclass(frozen=True)
class Evidence:
    """What to measure at each landslide.

    Attributes:
        threshold: Minimum probability of a landslide pixel.
        change: Raster of the change of backscatter in dB, whose bands' descriptions begin with the orbit and a colon.
        heights: Raster of heights in m; None if the scene has none.
    """

    threshold: float
    change: Path
    heights: Path | None = None


@dataclass(frozen=True)
class Found:
    """What was measured at N landslides.

    Attributes:
        change: Mean change by orbit in dB, each of shape ``(N,)``; NaN = no data.
        shown: Whether the orbit shows it, each of shape ``(N,)``, bool.
        background: The background's change by orbit.
        slope: Mean slope in degrees, shape ``(N,)``; NaN = unknown.
        terrain: Shares of the ground in layover and shadow, of `TerrainSums.list_shares`; None without heights.
    """

    change: dict[str, np.ndarray]
    shown: dict[str, np.ndarray]
    background: dict[str, BackgroundChange]
    slope: np.ndarray
    terrain: dict[str, Any] | None


class EvidenceSums:
    """Sums over the pixels of landslides and of the background, strip by strip.

    Args:
        count: Number of landslides.
        change: The open raster of `Evidence.change`.
        heights: The open raster of heights, or None.
    """

    def __init__(
        self,
        count: int,
        change: rasterio.DatasetReader,
        heights: rasterio.DatasetReader | None,
    ) -> None:
        orbits = [text.partition(":")[0] for text in change.descriptions]
        self._change = {orbit: _Mean(count) for orbit in orbits}
        self._background = {orbit: BackgroundChange(*change.shape) for orbit in orbits}
        self._slope = _Mean(count)
        self._terrain = TerrainSums(heights, orbits) if heights else None
        self._rows = read_strips(change, bands=change.indexes)

    def add(
        self, first_row: int, mask: np.ndarray, labels: np.ndarray, area_m2: np.ndarray
    ) -> None:
        """Add the next strip.

        Args:
            first_row: Its first row.
            mask: The map's mask there, shape ``(rows, W)``.
            labels: Landslide of each of its landslide pixels, in reading order.
            area_m2: Area of each pixel on the ground, shape ``(rows, W)``.
        """
        landslide, background = mask == 1, mask == 0
        bands = next(self._rows)[1]
        for orbit, band in zip(self._change, bands, strict=True):
            self._change[orbit].add(labels, band[landslide])
            self._background[orbit].add(first_row, band, background)
        if self._terrain:
            slopes = self._terrain.read_slopes(first_row, landslide, area_m2)
            self._slope.add(labels, slopes[landslide])

    def finish(self, size_px: np.ndarray) -> Found:
        """Return what was measured, given the pixels of each landslide, shape ``(N,)``."""
        change = {orbit: mean.compute() for orbit, mean in self._change.items()}
        shown = {
            orbit: background.find_shown(change[orbit], size_px)
            for orbit, background in self._background.items()
        }
        terrain = self._terrain.list_shares() if self._terrain else None
        return Found(change, shown, self._background, self._slope.compute(), terrain)


class _Mean:
    """Means over the pixels of landslides that have a value."""

    def __init__(self, count: int) -> None:
        self._total, self._known = np.zeros(count), np.zeros(count, np.int64)

    def add(self, labels: np.ndarray, pixels: np.ndarray) -> None:
        known = np.isfinite(pixels)
        count = len(self._total)
        self._total += np.bincount(labels[known], pixels[known], count)
        self._known += np.bincount(labels[known], minlength=count)

    def compute(self) -> np.ndarray:
        mean = np.full(len(self._total), np.nan)
        np.divide(self._total, self._known, out=mean, where=self._known > 0)
        return mean


def describe_background(found: Found) -> dict[str, Any]:
    """Return by orbit the background's median change, and by pixels of a patch what an orbit must exceed to show it, in dB."""
    return {
        orbit: {
            "median_db": one.median_db,
            "limit_db": {f"{size} px": limit for size, limit in one.list_limits().items()},
        }
        for orbit, one in found.background.items()
    }
