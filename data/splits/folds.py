"""K-fold spatial cross-validation: the map is cut into K blocks, each of which is the test part of one fold.

Blocks: a straight line cuts the tiles in two, and further lines cut each side, until there are K blocks. A cut
divides tiles and landslide pixels in the same proportion (some line halves any two sets of points at
once). Of 176 directions, the one with the smallest error is taken; a tile that touches the other side
counts as a tenth of a misplaced tile. So every block is convex: no tile of another block is inside its outline.

Fold: one block is test, and the belt of tiles around it is val, so that no test tile touches a train
tile by edge or corner. The belt is in the middle of the landslides and has up to three times the average
share of landslide pixels. The tiles nearest to test that correct the share join val, until it is within
a factor of 1.4 of the average and val has 8 % of all tiles. The rest is train; there is no buffer.

**Val tiles touch train tiles**, so scores on val may be too good. Val chooses epoch, threshold and
hyperparameters; only test measures. The folds share train tiles, so their scores are not independent, and their
standard deviation understates the uncertainty of their mean.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from data.tiles.catalogue import read_catalogue

FOLDS = range(2, 11)  # allowed values of K
MIN_VAL = 0.08  # of all tiles
VAL_BALANCE = 1.4  # below the tested limit of 1.5, for folders in which tiles are missing

_TOUCH = 0.1  # misplaced tiles that one tile at the cut counts as
_REACH = range(-8, 9)
# Integers: sorting along them is exact, so all machines make the same cuts.
_DIRECTIONS = [(east, north) for east in _REACH for north in _REACH if math.gcd(east, north) == 1]


@dataclass(frozen=True)
class _TileGrid:
    """The catalogue as arrays over its tiles, sorted by id.

    Attributes:
        ids: Tile ids.
        cells: Column and row on the tile grid, shape ``(N, 2)``.
        annotated_px: Landslide pixels, shape ``(N,)``.
        touch: Whether two tiles share an edge or a corner, shape ``(N, N)``.
    """

    ids: tuple[str, ...]
    cells: np.ndarray
    annotated_px: np.ndarray
    touch: np.ndarray


def make_fold(folds: int, fold: int) -> dict[str, tuple[str, ...]]:
    """Return one fold of the catalogue's 290 tiles.

    Args:
        folds: Number of folds, one of ``FOLDS``.
        fold: From 1 to *folds*.

    Returns:
        Sorted ids of ``train``, ``val`` and ``test``; each tile is in one part.

    Raises:
        ValueError: If either number is out of range.
    """
    if folds not in FOLDS:
        raise ValueError(f"Folds must be from {FOLDS[0]} to {FOLDS[-1]}, but got {folds}.")
    if not 1 <= fold <= folds:
        raise ValueError(f"A fold of {folds} must be from 1 to {folds}, but got {fold}.")
    tiles = _read_grid()
    test = np.zeros(len(tiles.ids), bool)
    test[_cut_blocks(folds)[fold - 1]] = True
    val = _surround(tiles, test)
    masks = {"train": ~(test | val), "val": val, "test": test}
    return {part: tuple(tiles.ids[i] for i in np.flatnonzero(mask)) for part, mask in masks.items()}


@cache
def _read_grid() -> _TileGrid:
    tiles = sorted(read_catalogue().values(), key=lambda tile: tile.tile_id)
    cells = np.array([(tile.column, tile.row) for tile in tiles])
    distance = np.abs(cells[:, None] - cells).max(axis=-1)
    px = np.array([tile.annotated_px for tile in tiles])
    return _TileGrid(tuple(tile.tile_id for tile in tiles), cells, px, distance == 1)


@cache
def _cut_blocks(folds: int) -> list[np.ndarray]:
    """Cut the map into *folds* blocks of tile indices, with neighbouring blocks in succession."""
    tiles = _read_grid()
    return _divide(tiles, np.arange(len(tiles.ids)), folds)


def _divide(tiles: _TileGrid, block: np.ndarray, folds: int) -> list[np.ndarray]:
    if folds == 1:
        return [block]
    first = folds // 2
    cuts = [_cut(tiles, block, first / folds, direction) for direction in _DIRECTIONS]
    _, here, there = min(cuts, key=lambda cut: cut[0])
    return _divide(tiles, here, first) + _divide(tiles, there, folds - first)


def _cut(
    tiles: _TileGrid, block: np.ndarray, share: float, direction: tuple[int, int]
) -> tuple[float, np.ndarray, np.ndarray]:
    """Cut *share* of tiles and landslides off a block along a direction; return error, first and second side."""
    east, north = direction
    column, row = tiles.cells[block].T
    order = block[np.lexsort((block, east * row - north * column, east * column + north * row))]
    px = np.cumsum(tiles.annotated_px[order])
    error = np.abs(np.arange(1, len(order)) / len(order) - share) + np.abs(px[:-1] / px[-1] - share)
    at = int(np.argmin(error)) + 1
    here, there = order[:at], order[at:]
    border = tiles.touch[np.ix_(here, there)]
    touching = int(border.any(axis=0).sum() + border.any(axis=1).sum())
    return float(error[at - 1] * len(order) + _TOUCH * touching), here, there


def _surround(tiles: _TileGrid, test: np.ndarray) -> np.ndarray:
    """Return the mask of val: the belt around *test*, and the nearest tiles that balance its landslide share."""
    val = tiles.touch[:, test].any(axis=1) & ~test
    distance = ((tiles.cells[:, None] - tiles.cells[test]) ** 2).sum(axis=-1).min(axis=1)
    nearest = [i for i in np.argsort(distance, kind="stable") if not test[i] and not val[i]]
    px, mean = tiles.annotated_px, float(tiles.annotated_px.mean())
    while True:
        ratio = float(px[val].mean()) / mean
        balanced = 1 / VAL_BALANCE <= ratio <= VAL_BALANCE
        if balanced and val.sum() >= MIN_VAL * len(val):
            return val
        candidate = next(i for i in nearest if (px[i] < mean) == (ratio > 1))
        nearest.remove(candidate)
        val[candidate] = True
