"""Tiles that continue each other: which of them touch, and which of their objects are one.

Tiles are cut from one grid, so an object may reach over the border of its tile. Where the tile beyond is measured too, the two parts
are joined. Labels are compared along the borders alone: memory grows with the number of objects, not with the
extent of the mosaic.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from data.tiles import PIXEL_M

# Steps to the eight tiles around, in rows (southwards) and columns; step k is the opposite of step 7 - k.
STEPS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
EAST, SOUTH_WEST, SOUTH, SOUTH_EAST = (STEPS.index(s) for s in ((0, 1), (1, -1), (1, 0), (1, 1)))


def find_neighbours(
    corners: np.ndarray, planes: Sequence[str], shape: tuple[int, int]
) -> np.ndarray:
    """Find the tiles around each tile.

    Args:
        corners: Easting and northing of the upper left corners in m, shape ``(N, 2)``; NaN if unknown.
        planes: What tells coordinate systems apart, one per tile, such as the region: tiles of two planes never touch.
        shape: Height and width of a tile in pixels.

    Returns:
        Index of the tile at each of ``STEPS``, -1 where there is none, shape ``(N, 8)``, int64. Tiles touch if
        they share a whole edge or a corner, to the pixel; tiles at one place touch nothing.

    Raises:
        ValueError: If the numbers of corners and planes differ.
    """
    if corners.shape != (len(planes), 2):
        raise ValueError(
            f"Each tile must have a corner and a plane, but got corners of shape {corners.shape} "
            f"and {len(planes)} planes. Give west and north of every tile."
        )
    pixels = np.rint(corners / PIXEL_M * (1, -1))  # columns and rows
    known = [bool(np.isfinite(at).all()) for at in pixels]
    places = [(plane, *at) for plane, at in zip(planes, pixels.tolist(), strict=True)]
    times = Counter(places)
    alone = {place: row for row, place in enumerate(places) if times[place] == 1 and known[row]}
    found = np.full((len(planes), len(STEPS)), -1, np.int64)
    for (plane, column, row), tile in alone.items():
        for number, (down, right) in enumerate(STEPS):
            beside = (plane, column + right * shape[1], row + down * shape[0])
            found[tile, number] = alone.get(beside, -1)
    return found


def isolate(tiles: int) -> np.ndarray:
    """Return the neighbours of tiles that touch nothing, shape ``(tiles, 8)``."""
    return np.full((tiles, len(STEPS)), -1, np.int64)


def check_neighbours(neighbours: np.ndarray, tiles: int) -> None:
    """Check that neighbours are those of :func:`find_neighbours`, for as many tiles.

    Raises:
        ValueError: If the shape is wrong, or an index is of no tile.
    """
    right = neighbours.shape == (tiles, len(STEPS))
    if not right or neighbours.min(initial=-1) < -1 or neighbours.max(initial=-1) >= tiles:
        raise ValueError(
            f"Neighbours must be of shape ({tiles}, {len(STEPS)}), each the index of a tile or -1, but got "
            f"{neighbours.shape}, {neighbours.min(initial=-1)} to {neighbours.max(initial=-1)}. "
            "Find them among the same tiles."
        )


def pad_with_neighbours(
    maps: np.ndarray, neighbours: np.ndarray, tiles: np.ndarray, width: int
) -> np.ndarray:
    """Surround some tiles with the nearest pixels of the tiles around them.

    Args:
        maps: Shape ``(N, H, W)``, bool.
        neighbours: Of :func:`find_neighbours`, shape ``(N, 8)``.
        tiles: Indices of the tiles to return, shape ``(B,)``.
        width: Pixels to add on each side, at most the height or width of a tile.

    Returns:
        Shape ``(B, H + 2 width, W + 2 width)``; False where there is no tile.
    """
    padded = np.pad(maps[tiles], ((0, 0), (width, width), (width, width)))
    for number, (down, right) in enumerate(STEPS):
        beyond = neighbours[tiles, number]
        at = np.flatnonzero(beyond >= 0)
        to_rows, rows = _meet(down, maps.shape[1], width)
        to_columns, columns = _meet(right, maps.shape[2], width)
        padded[at, to_rows, to_columns] = maps[beyond[at], rows, columns]
    return padded


def _meet(step: int, size: int, width: int) -> tuple[slice, slice]:
    """Return where pixels go along one axis of a padded tile, and which of the tile beyond they are."""
    if step < 0:
        return slice(0, width), slice(size - width, size)
    if step > 0:
        return slice(width + size, None), slice(0, width)
    return slice(width, width + size), slice(0, size)


def take_rims(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last row ``(N, 2, W)`` and column ``(N, 2, H)`` of tiles ``(N, H, W)``."""
    return labels[:, (0, -1)].copy(), labels[:, :, (0, -1)].swapaxes(1, 2).copy()


def join_parts(
    rows: np.ndarray, columns: np.ndarray, neighbours: np.ndarray, parts: int
) -> np.ndarray:
    """Join the parts of objects that touch over a border, also at a corner.

    Args:
        rows: Numbers of the parts on the first and last rows of :func:`take_rims`, from 1 up; 0 for background.
        columns: The same on the first and last columns.
        neighbours: Of :func:`find_neighbours`, shape ``(N, 8)``.
        parts: How many parts there are in all tiles.

    Returns:
        Number of the object of each part, from 0 up, shape ``(parts,)``; equal for parts of one object.
    """
    links = np.concatenate(
        [
            *_link_edges(columns, neighbours[:, EAST]),
            *_link_edges(rows, neighbours[:, SOUTH]),
            _link(rows[:, 1, -1:], rows[:, 0, :1], neighbours[:, SOUTH_EAST]),
            _link(rows[:, 1, :1], rows[:, 0, -1:], neighbours[:, SOUTH_WEST]),
        ]
    )
    ones = np.ones(len(links), bool)
    graph = coo_array((ones, (links[:, 0] - 1, links[:, 1] - 1)), shape=(parts, parts))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _link_edges(rims: np.ndarray, beyond: np.ndarray) -> list[np.ndarray]:
    """Link the last rim of each tile to the first one of the tile beyond: straight and aslant."""
    last, first = rims[:, 1], rims[:, 0]
    return [
        _link(last, first, beyond),
        _link(last[:, 1:], first[:, :-1], beyond),
        _link(last[:, :-1], first[:, 1:], beyond),
    ]


def _link(last: np.ndarray, first: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """Return the numbers that meet, shape ``(L, 2)``."""
    tiles = np.flatnonzero(beyond >= 0)
    met = np.stack([last[tiles].ravel(), first[beyond[tiles]].ravel()], axis=1)
    return np.unique(met[(met > 0).all(axis=1)], axis=0)
