"""The regions of the synthetic twin, each an entry: its tiles, its heights, its event, orbits, seasons and physics.

Hokkaido has the real tiles' positions and annotated pixels (`hokkaido_tiles.csv`) and a smooth mean height and relief fitted
to published statistics per tile (`dem_fields.npz`). All detail is synthetic.

Noto is invented. It has the place and the day of the earthquake of 2024-01-01 (Noto Peninsula, 07:10 UTC), which is not among
the data set's inventories, on a ridge that is a formula; its tracks' dates and its landslides are made up. It differs where
regions differ: zone, season, prevalence, sensor, dates that are not those of the next tile, and series from two tracks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np

from data.tiles import PIXEL_M, TILE_PX
from data.tiles.catalogue import read_catalogue
from data.tiles.paths import region_of
from data.tiles.regions import read_regions
from data.twin.noise import Noise, NoiseWindow, interpolate
from data.twin.orbits import Calendar, Orbit, Track
from data.twin.physics import Physics
from data.twin.terrain import Heights

FIELDS_FILE = Path(__file__).with_name("dem_fields.npz")
FIELDS_ORIGIN = (430, 3672)  # column and -row, in tiles, of the first node of dem_fields.npz


@dataclass(frozen=True)
class Site:
    """A tile's position: column and row of its north-west corner in the 1280 m grid of its UTM zone."""

    tile_id: str
    column: int
    row: int
    annotated_px: int

    @property
    def region(self) -> str:
        """Name of the region."""
        return region_of(self.tile_id)

    @property
    def corner_m(self) -> tuple[float, float]:
        """Easting and northing of the upper-left corner in m."""
        size_m = TILE_PX * PIXEL_M
        return self.column * size_m, self.row * size_m


@dataclass(frozen=True)
class TwinRegion:
    """One region.

    Attributes:
        name: First part of its tile ids.
        utm_zone: Zone of its grid, on the northern hemisphere.
        calendar: Its event, dates and seasons.
        orbits: Its orbit directions by name.
        list_sites: Returns its tiles.
        heights: Its smooth heights.
        dem_cell_px: Size of a cell of its height model, columns by rows: one arc second (Copernicus GLO-30).
        physics: Its constants of backscatter.
    """

    name: str
    utm_zone: int
    calendar: Calendar
    orbits: dict[str, Orbit]
    list_sites: Callable[[], list[Site]]
    heights: Heights
    dem_cell_px: tuple[float, float]
    physics: Physics


def _list_hokkaido_sites() -> list[Site]:
    return [
        Site(tile_id, tile.column, tile.row + 1, tile.annotated_px)
        for tile_id, tile in read_catalogue().items()
    ]


@cache
def _read_fields() -> tuple[np.ndarray, np.ndarray]:
    with np.load(FIELDS_FILE) as file:
        return file["M"].astype(np.float64), file["S"].astype(np.float64)


def _smooth_hokkaido(window: NoiseWindow) -> tuple[np.ndarray, np.ndarray]:
    column, row = FIELDS_ORIGIN
    x, y = window.columns / TILE_PX - column, -window.rows / TILE_PX - row
    means, log_deviations = _read_fields()
    return interpolate(means, x, y), interpolate(log_deviations, x, y)


HOKKAIDO = TwinRegion(
    name="hokkaido",
    utm_zone=54,
    calendar=Calendar(
        event=date.fromisoformat(str(read_regions()["hokkaido"].event)[:10]),
        first=date(2018, 2, 20),
        last=date(2019, 3, 6),
    ),
    # Sentinel-1B, relative orbits 68 and 46; incidence over the tiles about 38.5 and 39.5 degrees.
    orbits={
        "s1asc": Orbit("s1asc", "s1-asc", (Track(78.0, date(2018, 9, 1), 0.11),)),
        "s1dsc": Orbit("s1dsc", "s1-dsc", (Track(282.0, date(2018, 8, 30)),)),
    },
    list_sites=_list_hokkaido_sites,
    heights=_smooth_hokkaido,
    dem_cell_px=(2.27, 3.09),  # at 42.7 degrees north
    physics=Physics(windthrow=(0.9, -0.9)),  # typhoon Jebi, 2018-09-05
)

_NOTO_CORNER = (508, 3220)  # column and row of the first patch of tiles
_NOTO_STEP = (6, 2)  # from patch to patch, along the ridge
_NOTO_PATCHES = 8  # of 3 x 3 tiles
_NOTO_SHARE = 0.03  # of landslide pixels


def _list_noto_sites() -> list[Site]:
    """Place 72 tiles along the ridge, and give landslides to half of them, rather to those near its top."""
    grid = np.mgrid[:_NOTO_PATCHES, :3, :3].reshape(3, -1)
    column = _NOTO_CORNER[0] + _NOTO_STEP[0] * grid[0] + grid[1]
    row = _NOTO_CORNER[1] + _NOTO_STEP[1] * grid[0] + grid[2]
    draw = Noise(0)
    top = np.abs(_measure_ridge(column + 0.5, row - 0.5))
    rank = np.argsort(np.argsort(0.2 * top - draw.uniform("noto slides", column, row)))
    weight = np.exp(0.8 * draw.normal("noto pixels", column, row)) * (rank < len(rank) // 2)
    pixels = np.rint(weight / weight.sum() * _NOTO_SHARE * weight.size * TILE_PX**2).astype(int)
    return [
        Site(f"noto_{number}", int(x), int(y), int(count))
        for number, (x, y, count) in enumerate(zip(column, row, pixels, strict=True), 1)
    ]


def _measure_ridge(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return the distance from the ridge's axis, in tiles; positive north of it."""
    along, across = _NOTO_STEP
    east, north = column - _NOTO_CORNER[0] - 1.5, row - _NOTO_CORNER[1] - 0.5
    return np.asarray((along * north - across * east) / np.hypot(along, across))


def _smooth_noto(window: NoiseWindow) -> tuple[np.ndarray, np.ndarray]:
    x, y = window.mesh
    column, row = x / TILE_PX, -y / TILE_PX
    saddles = 0.8 + 0.2 * np.cos(column / 2.1)
    base = 340 * saddles * np.exp(-((_measure_ridge(column, row) / 1.8) ** 2)) - 45
    return base, np.log(8 + 0.16 * np.maximum(base, 0))


NOTO = TwinRegion(
    name="noto",
    utm_zone=53,
    calendar=Calendar(
        event=date(2024, 1, 1),
        first=date(2023, 6, 10),
        last=date(2024, 7, 12),
        varied=True,
        repeated=0.2,
        leaf=(105, 318),
        frost=(365, 45),
        frozen=0.4,
        wet_snow=(34, 22),
    ),
    # Sentinel-1A alone; two descending tracks, five days apart.
    orbits={
        "s1asc": Orbit("s1asc", "s1-asc", (Track(76.5, date(2024, 1, 7), 0.1),)),
        "s1dsc": Orbit(
            name="s1dsc",
            satellite="s1-dsc",
            tracks=(Track(283.5, date(2024, 1, 9)), Track(281.0, date(2024, 1, 2), 0.6)),
            mixed=0.6,
        ),
    },
    list_sites=_list_noto_sites,
    heights=_smooth_noto,
    dem_cell_px=(2.45, 3.09),  # at 37.4 degrees north
    physics=Physics(
        forest=(-8.3, -14.6),
        slide=(4.2, -0.4),
        debris=(-1.8, -0.6),
        darker_share=0.3,
        lasting=0.5,
    ),
)

REGIONS = {region.name: region for region in (HOKKAIDO, NOTO)}


@cache
def read_sites() -> dict[str, Site]:
    """Return the tiles of all regions by id."""
    return {site.tile_id: site for region in REGIONS.values() for site in region.list_sites()}
