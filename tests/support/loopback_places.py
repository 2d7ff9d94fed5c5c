"""What satellites saw of two places, as a loopback catalogue serves it: four tiles of the twin's Noto, and the real tile."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from unittest.mock import patch

import numpy as np
import pyproj
import xarray as xr
from shapely import box, transform
from shapely.geometry.base import BaseGeometry

from data.tiles import PIXEL_M, TILE_PX, tile_path
from data.twin import regions
from data.twin.backscatter import draw_acquisitions, observe
from data.twin.noise import Noise
from data.twin.orbits import Orbit
from data.twin.regions import NOTO, Site, TwinRegion, read_sites
from data.twin.surface import make_surface
from data.twin.write_tile import encode
from tests.support.real_tiles import REAL_ID, REAL_TILES

TWIN_TILES = ("noto_1", "noto_2", "noto_4", "noto_5")  # two by two around a corner
TWIN_EVENT = "2024-01-01T07:10"
REAL_EVENT = "2023-05-16T12:00"
DIRECTIONS = {"s1asc": "ascending", "s1dsc": "descending"}


@dataclass(frozen=True)
class Seen:
    """One pass over a place.

    Attributes:
        orbit: ``s1asc`` or ``s1dsc``.
        track: Relative orbit.
        time: Start, UTC.
        decibels: VV and VH, shape ``(2, H, W)``; NaN where the pass does not reach.
    """

    orbit: str
    track: int
    time: datetime
    decibels: np.ndarray

    @property
    def direction(self) -> str:
        """``ascending`` or ``descending``."""
        return DIRECTIONS[self.orbit]


@dataclass(frozen=True)
class Place:
    """A place's grid of 10 m, its passes and its heights.

    Attributes:
        epsg: Its UTM zone.
        west: Easting of the grid's corner in m.
        north: Northing of the grid's corner in m.
        event: Time of the event, UTC.
        synthetic: Whether the images are simulated.
        passes: In order of time.
        heights: In m, shape ``(H, W)``.
        mask: 1 where a landslide was drawn, shape ``(H, W)``.
    """

    epsg: int
    west: float
    north: float
    event: str
    synthetic: bool
    passes: tuple[Seen, ...]
    heights: np.ndarray
    mask: np.ndarray

    def outline(self, rows: slice = slice(None), columns: slice = slice(None)) -> BaseGeometry:
        """Return the outline of some rows and columns in longitude and latitude, its edges straight on the ground."""
        height, width = self.heights.shape
        first, last, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        return self.unproject(
            box(
                self.west + PIXEL_M * left,
                self.north - PIXEL_M * last,
                self.west + PIXEL_M * right,
                self.north - PIXEL_M * first,
            )
        )

    def unproject(self, shape: BaseGeometry) -> BaseGeometry:
        """Return a shape of the grid in longitude and latitude."""
        return transform(shape, _to_degrees(self.epsg).transform, interleaved=False)

    def inner_box(self, margin_px: int = 12) -> tuple[float, float, float, float]:
        """Return west, south, east, north in degrees of an area whose grid lies within the place's."""
        inner = slice(margin_px, -margin_px)
        return tuple(round(number, 6) for number in self.outline(inner, inner).bounds)

    def list_passes(self, orbit: str, track: int) -> list[Seen]:
        """Return the passes of one track."""
        return [one for one in self.passes if (one.orbit, one.track) == (orbit, track)]


def list_nearest(place: Place, orbit: str, track: int, before: int, after: int) -> list[Seen]:
    """Return a track's passes nearest the event."""
    passes = place.list_passes(orbit, track)
    first = sum(one.time <= datetime.fromisoformat(place.event) for one in passes)
    return passes[max(first - before, 0) : first + after]


@cache
def _to_degrees(epsg: int) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(epsg, 4326, always_xy=True)


# Track, the twin's track and the start of its passes. The last one sees the east of the place only.
_TWIN_TRACKS = {
    "s1asc": ((112, 0, time(8, 48, 10)),),
    "s1dsc": ((119, 0, time(20, 58, 20)), (46, 1, time(21, 6, 40))),
}
WIDE_TRACK, NARROW_TRACK, ASCENDING_TRACK = 119, 46, 112
NARROW_FROM = 90  # first column that the narrow track sees


@cache
def make_twin_place() -> Place:
    """Simulate four tiles of Noto on 15 passes of each of three tracks, 12 days apart: about four seconds.

    A tile of the twin has passes of its own; here all tiles have the same, as a scene has.
    """
    calendar = replace(
        NOTO.calendar,
        first=NOTO.calendar.event - timedelta(days=108),
        last=NOTO.calendar.event + timedelta(days=72),
        varied=False,
        repeated=0.0,
    )
    region = replace(NOTO, calendar=calendar)
    sites = [read_sites()[name] for name in TWIN_TILES]
    with patch.dict(regions.REGIONS, {region.name: region}):
        return _simulate(region, sites)


def _simulate(region: TwinRegion, sites: list[Site]) -> Place:
    left, top = min(one.column for one in sites), max(one.row for one in sites)
    noise = Noise(0)
    surfaces = {(top - site.row, site.column - left): make_surface(site, noise) for site in sites}
    images: dict[tuple[str, int, datetime], np.ndarray] = {}
    for orbit, track, start in _list_tracks(region):
        for (row, column), surface in surfaces.items():
            days = [one.day for one in draw_acquisitions(surface.site, orbit)]
            decibels = encode(observe(surface, orbit, noise), "harmonized")
            for day, image in zip(days, decibels, strict=True):
                key = (orbit.name, track, datetime.combine(day, start))
                whole = images.setdefault(key, np.empty((2, 2 * TILE_PX, 2 * TILE_PX), np.float32))
                whole[:, *_place(row, column)] = image
    for (_, track, _), image in images.items():
        image[..., : NARROW_FROM * (track == NARROW_TRACK)] = np.nan
    heights, mask = (np.empty((2 * TILE_PX, 2 * TILE_PX), kind) for kind in (np.float32, np.uint8))
    for (row, column), surface in surfaces.items():
        heights[_place(row, column)] = surface.dem
        mask[_place(row, column)] = surface.slides.mask
    passes = sorted((Seen(*key, image) for key, image in images.items()), key=lambda one: one.time)
    size_m = PIXEL_M * TILE_PX
    corner = (left * size_m, top * size_m)
    epsg = 32600 + region.utm_zone
    return Place(epsg, *corner, TWIN_EVENT, True, tuple(passes), heights, mask)


def _place(row: int, column: int) -> tuple[slice, slice]:
    return (
        slice(row * TILE_PX, (row + 1) * TILE_PX),
        slice(column * TILE_PX, (column + 1) * TILE_PX),
    )


def _list_tracks(region: TwinRegion) -> Iterator[tuple[Orbit, int, time]]:
    for name, tracks in _TWIN_TRACKS.items():
        orbit = region.orbits[name]
        for track, number, start in tracks:
            yield replace(orbit, tracks=(orbit.tracks[number],), mixed=0.0), track, start


# The files have days only: hours and relative orbits are made up, and dates 12 days apart are of one track.
_REAL_STARTS = {"s1asc": time(17, 6, 40), "s1dsc": time(5, 19, 5)}
_REAL_TRACKS = {"s1asc": (117,), "s1dsc": (95, 168)}


@cache
def read_real_place() -> Place:
    """Read the real tile of Emilia-Romagna (Sen12Landslides, CC BY 4.0: `real/ATTRIBUTION.md`)."""
    passes = []
    for orbit, tracks in _REAL_TRACKS.items():
        with xr.open_dataset(tile_path(REAL_TILES, REAL_ID, orbit)) as tile:
            maps = tile.transpose("time", "y", "x").load()
        days = [day.astype("datetime64[D]").item() for day in maps["time"].values]
        phases = sorted({_phase(day) for day in days})
        decibels = np.stack([maps["VV"].values, maps["VH"].values], axis=1)
        passes += [
            Seen(orbit, tracks[phases.index(_phase(day))], start, image)
            for day, image in zip(days, decibels, strict=True)
            for start in [datetime.combine(day, _REAL_STARTS[orbit])]
        ]
    west, north = float(maps["x"][0]), float(maps["y"][0])
    heights, mask = (maps[name].values[0] for name in ("DEM", "MASK"))
    ordered = tuple(sorted(passes, key=lambda one: one.time))
    epsg = int(maps.attrs["crs"].removeprefix("EPSG:"))
    return Place(epsg, west, north, REAL_EVENT, False, ordered, heights.astype(np.float32), mask)


def _phase(day: date) -> int:
    return day.toordinal() % 12
