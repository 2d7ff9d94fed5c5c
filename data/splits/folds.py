"""K-fold spatial cross-validation: the map cut into K blocks, each of which is test in one fold.

Blocks: a straight line cuts the tiles in two, another one each side, until there are K blocks. A cut
divides tiles and landslide pixels in the same proportion (some line halves any two sets of points at
once); among 176 directions the one with the least error wins, where a tile that borders the other
side counts as a tenth of a tile on the wrong side. So every block is convex: no tile of another block
lies inside its outline.

Fold: one block is test, and the belt of tiles around it is val, so that no test tile touches a train
tile by edge or corner. The belt lies in the middle of the landslides and holds up to three times
their usual share; the tiles nearest to test that bring the share back join val, until it is within
a factor 1.4 of the whole's and val has 8 % of all tiles. The rest is train, and no tile is set aside.

Val borders both: **val tiles touch train tiles**, so scores on val may be too good. Val chooses epoch,
threshold and hyperparameters; only test measures. The folds share train tiles, so their scores are
not independent, and their spread understates how uncertain their mean is.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from data.tiles.catalogue import read_catalogue

FOLDS = range(2, 11)  # numbers of folds that can be made
MIN_VAL = 0.08  # of all tiles
VAL_BALANCE = 1.4  # within 1.5, with some room for tiles that the data at hand lacks

_TOUCH = 0.1  # tiles on the wrong side that a tile at the cut counts for
_REACH = range(-8, 9)
# Whole numbers: sorting along them is exact, so every machine cuts alike.
_DIRECTIONS = [(east, north) for east in _REACH for north in _REACH if math.gcd(east, north) == 1]


@dataclass(frozen=True)
class _Map:
    """The catalogue as arrays over its tiles, sorted by id.

    Attributes:
        ids: Tile ids.
        place: Column and row on the tiles' grid, shape ``(N, 2)``.
        annotated_px: Landslide pixels, shape ``(N,)``.
        near: Whether two tiles share an edge or a corner, shape ``(N, N)``.
    """

    ids: tuple[str, ...]
    place: np.ndarray
    annotated_px: np.ndarray
    near: np.ndarray


def make_fold(folds: int, fold: int) -> dict[str, tuple[str, ...]]:
    """Make one fold of the catalogue's 290 tiles.

    Args:
        folds: Number of folds, one of ``FOLDS``.
        fold: From 1 to *folds*.

    Returns:
        Sorted ids by part: ``train``, ``val`` and ``test``; each tile is in one part.

    Raises:
        ValueError: If either number is out of its range.
    """
    if folds not in FOLDS:
        raise ValueError(f"Folds must be from {FOLDS[0]} to {FOLDS[-1]}, but got {folds}.")
    if not 1 <= fold <= folds:
        raise ValueError(f"A fold of {folds} must be from 1 to {folds}, but got {fold}.")
    tiles = _read_map()
    test = np.zeros(len(tiles.ids), bool)
    test[_cut_blocks(folds)[fold - 1]] = True
    val = _surround(tiles, test)
    masks = {"train": ~(test | val), "val": val, "test": test}
    return {part: tuple(tiles.ids[i] for i in np.flatnonzero(mask)) for part, mask in masks.items()}


@cache
def _read_map() -> _Map:
    tiles = sorted(read_catalogue().values(), key=lambda tile: tile.tile_id)
    place = np.array([(tile.column, tile.row) for tile in tiles])
    apart = np.abs(place[:, None] - place).max(axis=-1)
    px = np.array([tile.annotated_px for tile in tiles])
    return _Map(tuple(tile.tile_id for tile in tiles), place, px, apart == 1)


@cache
def _cut_blocks(folds: int) -> list[np.ndarray]:
    """Cut the map into *folds* blocks of tile numbers, neighbours next to each other."""
    tiles = _read_map()
    return _divide(tiles, np.arange(len(tiles.ids)), folds)


def _divide(tiles: _Map, inside: np.ndarray, folds: int) -> list[np.ndarray]:
    if folds == 1:
        return [inside]
    first = folds // 2
    cuts = [_cut(tiles, inside, first / folds, direction) for direction in _DIRECTIONS]
    _, here, there = min(cuts, key=lambda cut: cut[0])
    return _divide(tiles, here, first) + _divide(tiles, there, folds - first)


def _cut(
    tiles: _Map, inside: np.ndarray, share: float, direction: tuple[int, int]
) -> tuple[float, np.ndarray, np.ndarray]:
    """Cut off *share* of the tiles and of their landslides along a direction; its error is first."""
    east, north = direction
    column, row = tiles.place[inside].T
    order = inside[np.lexsort((inside, east * row - north * column, east * column + north * row))]
    px = np.cumsum(tiles.annotated_px[order])
    wrong = np.abs(np.arange(1, len(order)) / len(order) - share) + np.abs(px[:-1] / px[-1] - share)
    at = int(np.argmin(wrong)) + 1
    here, there = order[:at], order[at:]
    border = tiles.near[np.ix_(here, there)]
    touching = int(border.any(axis=0).sum() + border.any(axis=1).sum())
    return float(wrong[at - 1] * len(order) + _TOUCH * touching), here, there


def _surround(tiles: _Map, test: np.ndarray) -> np.ndarray:
    """Mark the belt around *test*, and the nearest tiles that bring its landslides to balance."""
    val = tiles.near[:, test].any(axis=1) & ~test
    distance = ((tiles.place[:, None] - tiles.place[test]) ** 2).sum(axis=-1).min(axis=1)
    nearest = [i for i in np.argsort(distance, kind="stable") if not test[i] and not val[i]]
    px, whole = tiles.annotated_px, float(tiles.annotated_px.mean())
    while True:
        ratio = float(px[val].mean()) / whole
        balanced = 1 / VAL_BALANCE <= ratio <= VAL_BALANCE
        if balanced and val.sum() >= MIN_VAL * len(val):
            return val
        mending = next(i for i in nearest if (px[i] < whole) == (ratio > 1))
        nearest.remove(mending)
        val[mending] = True
