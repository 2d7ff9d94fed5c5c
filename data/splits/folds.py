"""Straight cuts through the tiles of a region: K-fold spatial cross-validation, and the belt between test and train.

Blocks: a straight line cuts the tiles in two, and further lines cut each side, until there are K blocks. A cut
divides tiles and landslide pixels in the same proportion (some line halves any two sets of points at
once). Of 176 directions, the one with the smallest error is taken; a tile that touches the other side
counts as a tenth of a misplaced tile. So every block is convex: no tile of another block is inside its outline.

Fold: one block is test, and the belt of tiles around it is val, so that no test tile touches a train
tile by edge or corner. The belt is in the middle of the landslides and may have several times the average
share of landslide pixels. The tiles nearest to test that correct the share join val, until it is within
a factor of 1.4 of the average and val has 8 % of all tiles. The rest is train; there is no buffer. Where a few tiles
hold most landslides, the factor may be out of reach: then val stops at a quarter of the tiles.

**Val tiles touch train tiles**, so scores on val may be too good. Val chooses epoch, threshold and
hyperparameters; only test measures. The folds share train tiles, so their scores are not independent, and their
standard deviation understates the uncertainty of their mean.
"""

import math
from collections import deque
from collections.abc import Collection, Iterator
from functools import lru_cache

import numpy as np

from data.splits.grid import TileGrid, make_grid
from data.splits.names import FOLDS
from data.tiles import TileSurvey

MIN_VAL = 0.08  # of all tiles
MAX_VAL = 0.25  # unless the belt alone is larger
VAL_BALANCE = 1.4  # below the tested limit of 1.5, for folders in which tiles are missing

_TOUCH = 0.1  # misplaced tiles that one tile at the cut counts as
_REACH = range(-8, 9)
# Integers: sorting along them is exact, so all machines make the same cuts.
_DIRECTIONS = [(east, north) for east in _REACH for north in _REACH if math.gcd(east, north) == 1]

Parts = dict[str, tuple[str, ...]]


def make_fold(tiles: Collection[TileSurvey], folds: int, fold: int) -> Parts:
    """Return one fold of a region's tiles.

    Args:
        tiles: Position and landslide pixels of the tiles of one region.
        folds: Number of folds, one of ``FOLDS``.
        fold: From 1 to *folds*.

    Returns:
        Sorted ids of ``train``, ``val`` and ``test``; each tile is in one part. A part may have no landslides.

    Raises:
        ValueError: If either number is out of range.
    """
    if folds not in FOLDS:
        raise ValueError(f"Folds must be from {FOLDS[0]} to {FOLDS[-1]}, but got {folds}.")
    if not 1 <= fold <= folds:
        raise ValueError(f"A fold of {folds} must be from 1 to {folds}, but got {fold}.")
    grid, blocks = _cut_blocks(tuple(sorted(tiles, key=lambda tile: tile.tile_id)), folds)
    test = np.zeros(len(grid.ids), bool)
    test[blocks[fold - 1]] = True
    return name_parts(grid, test, surround(grid, test))


def name_parts(grid: TileGrid, test: np.ndarray, val: np.ndarray) -> Parts:
    """Return the ids of train, val and test from masks of test and val, shape ``(N,)``."""
    masks = {"train": ~(test | val), "val": val, "test": test}
    return {part: grid.name(mask) for part, mask in masks.items()}


@lru_cache(maxsize=32)
def _cut_blocks(tiles: tuple[TileSurvey, ...], folds: int) -> tuple[TileGrid, list[np.ndarray]]:
    """Cut the map into *folds* blocks of tile indices, with neighbouring blocks in succession."""
    grid = make_grid(tiles)
    return grid, _divide(grid, np.arange(len(tiles)), folds)


def _divide(grid: TileGrid, block: np.ndarray, folds: int) -> list[np.ndarray]:
    if folds == 1 or len(block) < 2:
        return [block] + [block[:0]] * (folds - 1)
    first = folds // 2
    _, here, there = min(list_cuts(grid, block, first / folds), key=lambda cut: cut[0])
    return _divide(grid, here, first) + _divide(grid, there, folds - first)


def list_cuts(
    grid: TileGrid, block: np.ndarray, share: float
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Cut *share* of tiles and landslides off a block along each direction.

    Args:
        grid: The tiles.
        block: Indices of at least two tiles.
        share: More than 0, less than 1.

    Yields:
        Error in misplaced tiles, and the indices of both sides; the first side has the share.
    """
    for direction in _DIRECTIONS:
        yield _cut(grid, block, share, direction)


def _cut(
    grid: TileGrid, block: np.ndarray, share: float, direction: tuple[int, int]
) -> tuple[float, np.ndarray, np.ndarray]:
    east, north = direction
    x, y = grid.corners[block].T
    order = block[np.lexsort((block, east * y - north * x, east * x + north * y))]
    px = np.cumsum(grid.annotated_px[order])
    tiles_error = np.abs(np.arange(1, len(order)) / len(order) - share)
    error = tiles_error + np.abs(px[:-1] / max(px[-1], 1) - share)
    at = int(np.argmin(error)) + 1
    here, there = order[:at], order[at:]
    sides = np.zeros(len(grid.ids), int)
    sides[here], sides[there] = 1, 2
    at_cut = np.unique(grid.pairs[sides[grid.pairs].sum(axis=1) == 3, 0])
    return float(error[at - 1] * len(order) + _TOUCH * len(at_cut)), here, there


def surround(grid: TileGrid, test: np.ndarray) -> np.ndarray:
    """Return the mask of val: the belt around *test*, and the nearest tiles that balance its landslide share.

    Args:
        grid: The tiles.
        test: Mask of the test tiles, shape ``(N,)``.
    """
    val = grid.find_belt(test)
    px, mean = grid.annotated_px, float(grid.annotated_px.mean())
    nearest = [i for i in _sort_by_distance(grid, test) if not test[i] and not val[i]]
    poor, rich = (
        deque(i for i in nearest if bool(px[i] < mean) is under) for under in (True, False)
    )
    while True:
        ratio = float(px[val].mean()) / mean if val.any() and mean else 1.0
        helps, others = (poor, rich) if ratio > 1 else (rich, poor)
        settled = 1 / VAL_BALANCE <= ratio <= VAL_BALANCE or not helps
        if val.sum() >= (MIN_VAL if settled else MAX_VAL) * len(val) or not (helps or others):
            return val
        val[(helps or others).popleft()] = True


def _sort_by_distance(grid: TileGrid, test: np.ndarray) -> np.ndarray:
    """Return all indices, those nearest to a test tile first."""
    if not test.any():
        return np.arange(len(test))
    distance = np.full(len(test), np.inf)
    for corner in grid.corners[test]:
        distance = np.minimum(distance, ((grid.corners - corner) ** 2).sum(axis=-1))
    return np.argsort(distance, kind="stable")
