"""Tiles in the plane: which of them touch each other.

Two tiles of one coordinate system touch if they share an edge or a corner, or overlap. A region in two UTM zones is
projected onto the zone that holds most of its tiles, where a tile of the other zone is turned by a few degrees: there,
tiles touch if their corners are within a tenth of a tile.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from data.tiles import TileSurvey
from data.tiles.catalogue import CATALOGUE_CRS, GRID_M, read_catalogue
from data.tiles.paths import region_of

_REACH_M = (
    GRID_M + 5
)  # of the upper left corners of two tiles that touch: half a pixel of tolerance
_ZONES_REACH_M = 1.1 * GRID_M  # of tiles in two UTM zones
_EDGE_M = 0.95 * GRID_M  # two tiles that touch at a corner alone are further apart in both axes

Plane = tuple[Sequence[str], np.ndarray, float]


@dataclass(frozen=True)
class TileGrid:
    """The tiles of one region as arrays, sorted by id.

    Attributes:
        ids: Tile ids.
        corners: Easting and northing of the upper left corners in whole metres, shape ``(N, 2)``, int64.
        annotated_px: Landslide pixels, shape ``(N,)``.
        pairs: Indices of each two tiles that touch, in both orders, shape ``(P, 2)``.
    """

    ids: tuple[str, ...]
    corners: np.ndarray
    annotated_px: np.ndarray
    pairs: np.ndarray

    def name(self, mask: np.ndarray) -> tuple[str, ...]:
        """Return the ids where a mask of shape ``(N,)`` is True."""
        return tuple(self.ids[i] for i in np.flatnonzero(mask))

    def find_belt(self, mask: np.ndarray) -> np.ndarray:
        """Return the mask of the tiles that touch those of a mask and are not among them; both of shape ``(N,)``."""
        first, second = self.pairs.T
        belt = np.zeros(len(self.ids), bool)
        belt[first[mask[second]]] = True
        belt[mask] = False
        return belt


def make_grid(tiles: Iterable[TileSurvey]) -> TileGrid:
    """Return the arrays of one region's tiles."""
    ordered = sorted(tiles, key=lambda tile: tile.tile_id)
    corners, reach = _project(ordered)
    east, north = corners.T
    distance = np.maximum(abs(east[:, None] - east), abs(north[:, None] - north))
    np.fill_diagonal(distance, 2 * GRID_M)  # a tile does not touch itself
    pairs = np.argwhere(distance <= reach)
    px = np.array([tile.annotated_px for tile in ordered])
    return TileGrid(tuple(tile.tile_id for tile in ordered), corners, px, pairs)


def group_by_region(tiles: Mapping[str, TileSurvey]) -> dict[str, dict[str, TileSurvey]]:
    """Return the tiles of each region, both sorted by name."""
    regions: dict[str, dict[str, TileSurvey]] = defaultdict(dict)
    for tile_id in sorted(tiles, key=lambda tile: (region_of(tile), tile)):
        regions[region_of(tile_id)][tile_id] = tiles[tile_id]
    return dict(regions)


@cache
def survey_catalogue() -> dict[str, TileSurvey]:
    """Return position and landslide pixels of the 290 Hokkaido tiles by id, without reading a file of them."""
    return {
        tile.tile_id: TileSurvey(
            tile_id=tile.tile_id,
            west_m=tile.column * GRID_M,
            north_m=(tile.row + 1) * GRID_M,
            annotated_px=tile.annotated_px,
            crs=CATALOGUE_CRS,
        )
        for tile in read_catalogue().values()
    }


def find_touching(
    first: Iterable[str],
    second: Iterable[str],
    tiles: Mapping[str, TileSurvey],
    *,
    corner: bool = True,
) -> list[str]:
    """Return the tiles of *first* that touch a tile of *second*, in the same region or in another.

    Args:
        first: Tile ids, such as the test tiles.
        second: Tile ids, such as the train tiles.
        tiles: Position of every tile of both.
        corner: Whether a shared corner alone counts as touching.

    Returns:
        Sorted ids of tiles in *first*.
    """
    some, others = set(first), set(second)
    found: set[str] = set()
    for ids, corners, reach in _list_planes([tiles[tile] for tile in some | others]):
        near = _Buckets([c for c, tile in zip(corners, ids, strict=True) if tile in others], reach)
        found.update(
            tile
            for tile, at in zip(ids, corners, strict=True)
            if tile in some and near.touches(at, corner=corner, itself=tile in others)
        )
    return sorted(found)


def _list_planes(tiles: Sequence[TileSurvey]) -> Iterator[Plane]:
    """Yield ids, corners and reach of the tiles of each coordinate system, and of each region in several of them."""
    by_crs, by_region = defaultdict(list), defaultdict(list)
    for tile in tiles:
        by_crs[tile.crs].append(tile)
        by_region[region_of(tile.tile_id)].append(tile)
    several = [group for group in by_region.values() if len({tile.crs for tile in group}) > 1]
    for group in (*by_crs.values(), *several):
        yield [tile.tile_id for tile in group], *_project(group)


def _project(tiles: Sequence[TileSurvey]) -> tuple[np.ndarray, float]:
    """Return the corners of tiles in the plane of most of them, and how far apart the corners of touching tiles are."""
    corners = np.array([(tile.west_m, tile.north_m) for tile in tiles], float).reshape(-1, 2)
    zones = Counter(tile.crs for tile in tiles)
    if len(zones) < 2:
        return np.rint(corners).astype(np.int64), _REACH_M
    from pyproj import Transformer

    main = max(sorted(zones), key=lambda crs: zones[crs])
    for crs in sorted(set(zones) - {main}):
        rows = [i for i, tile in enumerate(tiles) if tile.crs == crs]
        half = np.array([GRID_M / 2, -GRID_M / 2])  # the centre stays when a tile is turned
        east, north = (corners[rows] + half).T
        there = Transformer.from_crs(crs, main, always_xy=True).transform(east, north)
        corners[rows] = np.stack(there, axis=1) - half
    return np.rint(corners).astype(np.int64), _ZONES_REACH_M


class _Buckets:
    """Corners by square of the plane, so that only near ones are compared.

    Args:
        corners: Easting and northing of each, in metres.
        reach: Distance up to which two corners touch, along each axis.
    """

    def __init__(self, corners: Iterable[np.ndarray], reach: float) -> None:
        self._reach = reach
        self._corners: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for east, north in corners:
            self._corners[self._bucket(east, north)].append((int(east), int(north)))

    def touches(self, at: np.ndarray, *, corner: bool, itself: bool) -> bool:
        """Return whether a corner touches one of the others; *itself*: it is one of them, which counts once less."""
        east, north = int(at[0]), int(at[1])
        column, row = self._bucket(east, north)
        apart = [
            (abs(east - x), abs(north - y))
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            for x, y in self._corners.get((column + i, row + j), ())
        ]
        near = [d for d in apart if max(d) <= self._reach and (corner or min(d) <= _EDGE_M)]
        return len(near) > itself

    def _bucket(self, east: float, north: float) -> tuple[int, int]:
        return int(east // self._reach), int(north // self._reach)
