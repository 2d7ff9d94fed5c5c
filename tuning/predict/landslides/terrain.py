"""Slopes of a map's heights, and how much of it Sentinel-1 cannot see, cell by cell in bounded memory.

Layover and shadow follow from the slope and the view of the orbit alone (`data.values.viewing`): an estimate, without tracing
rays, at the incidence angle in the middle of the swath.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window

from data.cubes.ground import find_north
from data.pack.tile_row import SLOPE_REACH_PX, measure_rise
from data.values.viewing import (
    INCIDENCE_DEG,
    find_heading,
    find_layover,
    find_look,
    find_shadow,
    measure_facing,
)

CELL_PX = (64, 1024)  # rows and columns that are measured at once: they fit in a core's cache
SAMPLE_PX = 2**24  # pixels after which further rows without landslides are left out, evenly


@dataclass(frozen=True)
class View:
    """How an orbit sees a map.

    Attributes:
        orbit: Such as ``s1asc``.
        heading_deg: Flight direction, clockwise from north.
        look_deg: Look direction, clockwise from the north of the map's grid.
    """

    orbit: str
    heading_deg: float
    look_deg: float


def find_views(crs: str, centre: tuple[float, float], orbits: Sequence[str]) -> list[View] | None:
    """Return how some orbits see a map around its centre; None if that is not on Earth.

    Args:
        crs: The map's coordinate system.
        centre: x and y.
        orbits: Names of orbits.
    """
    if (found := find_north(crs, *centre)) is None:
        return None
    latitude, north = found
    return [
        View(orbit, find_heading(orbit, latitude), (find_look(orbit, latitude) - north) % 360)
        for orbit in orbits
    ]


class TerrainSums:
    """Sums over a map's heights, and the slope at its landslides.

    Args:
        heights: An open raster of heights in m, on the map's grid.
        orbits: Names of orbits.
    """

    def __init__(self, heights: rasterio.DatasetReader, orbits: Sequence[str]) -> None:
        self._heights = heights
        transform, (height, width) = heights.transform, heights.shape
        self._pixel_m = transform.a
        self._views = find_views(heights.crs.to_wkt(), transform @ (width / 2, height / 2), orbits)
        self._every = max(1, height * width // SAMPLE_PX)
        self._total = self._known = self._unseen = 0.0
        self._hidden = {orbit: {"layover": 0.0, "shadow": 0.0} for orbit in orbits}

    def read_slopes(self, first_row: int, landslide: np.ndarray, area_m2: np.ndarray) -> np.ndarray:
        """Measure rows of a map.

        Args:
            first_row: The first of them.
            landslide: Pixels whose slope is wanted, shape ``(rows, W)``, bool.
            area_m2: Area of each pixel on the ground, same shape.

        Returns:
            Slope in degrees, same shape, float32; NaN where it is unknown or was not measured.
        """
        slopes = np.full(landslide.shape, np.nan, np.float32)
        for cell in self._list_cells(first_row, landslide.shape):
            sampled = (first_row + cell[0].start) // CELL_PX[0] % self._every == 0
            if sampled or landslide[cell].any():
                down, along = self._measure_cell(first_row, cell)
                slopes[cell] = np.degrees(np.arctan(np.hypot(down, along)))
                if sampled:
                    self._add(down, along, area_m2[cell])
        return slopes

    @staticmethod
    def _list_cells(first_row: int, shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
        height, width = CELL_PX
        tops = [0, *range(height - first_row % height, shape[0], height), shape[0]]
        for top, below in pairwise(tops):
            for left in range(0, shape[1], width):
                yield slice(top, below), slice(left, min(left + width, shape[1]))

    def _measure_cell(
        self, first_row: int, cell: tuple[slice, slice]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rise of a cell down the rows and along the columns, read with a margin so that there are no seams."""
        starts = (first_row + cell[0].start, cell[1].start)
        stops = (first_row + cell[0].stop, cell[1].stop)
        low = [max(start - SLOPE_REACH_PX, 0) for start in starts]
        pairs = zip(stops, self._heights.shape, strict=True)
        high = [min(stop + SLOPE_REACH_PX, size) for stop, size in pairs]
        window = Window(low[1], low[0], high[1] - low[1], high[0] - low[0])
        heights = self._heights.read(1, window=window)
        inner = tuple(
            slice(start - edge, stop - edge)
            for start, stop, edge in zip(starts, stops, low, strict=True)
        )
        if min(heights.shape) < 2:  # a map of one row or column has no slope
            return np.full_like(heights, np.nan)[inner], np.full_like(heights, np.nan)[inner]
        down, along = measure_rise(heights, self._pixel_m)
        return down[inner], along[inner]

    def _add(self, down: np.ndarray, along: np.ndarray, area_m2: np.ndarray) -> None:
        """Add a cell to the sums."""
        known = np.isfinite(down)
        self._total += float(area_m2.sum())
        self._known += float(area_m2[known].sum())
        unseen = known
        for view in self._views or []:
            facing = measure_facing(along, -down, view.look_deg)
            over, dark = find_layover(facing), find_shadow(facing)
            self._hidden[view.orbit]["layover"] += float(area_m2[over].sum())
            self._hidden[view.orbit]["shadow"] += float(area_m2[dark].sum())
            unseen = unseen & (over | dark)
        self._unseen += float(area_m2[unseen].sum())

    def list_shares(self) -> dict[str, Any] | None:
        """Return the shares of the ground in layover and shadow; None without heights or a place on Earth.

        Returns:
            ``orbits`` with ``layover``, ``shadow`` and ``heading_deg`` of each, ``seen_by_neither``: the share in layover or shadow of
            every orbit, all shares of the ground with heights; ``with_heights``, its share of the map; and ``incidence_deg``.
        """
        if not self._views or not self._known:
            return None
        orbits = {
            view.orbit: {
                **{kind: area / self._known for kind, area in self._hidden[view.orbit].items()},
                "heading_deg": round(view.heading_deg, 1),
            }
            for view in self._views
        }
        return {
            "orbits": orbits,
            "seen_by_neither": self._unseen / self._known,
            "with_heights": self._known / self._total,
            "incidence_deg": INCIDENCE_DEG,
        }
