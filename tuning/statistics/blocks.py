"""Spatial blocks of test tiles: what is resampled together, because neighbouring tiles are alike.

A landslide area, a weather cell and a forest span several tiles, so tiles are not independent observations: on the twin the
correlation of neighbours' paired differences (Moran's I at lag 1) is 0.3 to 0.5 for baselines. Squares of *k* x *k* tiles are
resampled as a whole. They are nested in folds and in regions (events): no block holds tiles of two of them.

Reference:
    Lahiri (2003), Resampling Methods for Dependent Data, Springer (block bootstrap). Moran (1950), Notes on Continuous
    Stochastic Phenomena, Biometrika 37(1/2), doi:10.1093/biomet/37.1-2.17. Roberts et al. (2017), Cross-validation
    strategies for data with temporal, spatial, hierarchical, or phylogenetic structure, Ecography 40(8),
    doi:10.1111/ecog.02881.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.tiles.catalogue import GRID_M

BLOCK_TILES = 3  # edge of a block
MIN_BLOCKS = 5  # with fewer, a standard error rests on less than four deviations


@dataclass(frozen=True)
class SamplingUnits:
    """Blocks and folds of N test tiles.

    Attributes:
        blocks: Number of each tile's spatial block from 0 up, shape ``(N,)``, int64.
        folds: Number of each tile's fold from 0 up, shape ``(N,)``, int64; a score is the mean over folds.
        regions: Number of each tile's region from 0 up, shape ``(N,)``, int64.
        corners: West and north of each tile in m, shape ``(N, 2)``.
        weights: Share of each tile in a score, shape ``(N,)``, such as its share of the landslide pixels; they add to 1,
            and those of every fold to the same.
    """

    blocks: np.ndarray
    folds: np.ndarray
    regions: np.ndarray
    corners: np.ndarray
    weights: np.ndarray

    @property
    def count(self) -> int:
        """Number of blocks."""
        return int(self.blocks.max()) + 1

    @property
    def weighty(self) -> int:
        """Number of blocks that have any weight, such as landslides."""
        return len(np.unique(self.blocks[self.weights > 0]))

    def add_up(self, tiles: np.ndarray) -> np.ndarray:
        """Add the tiles of each block, from ``(..., N)`` to ``(..., blocks)``."""
        sums = np.zeros((*tiles.shape[:-1], self.count))
        for block in range(self.count):
            sums[..., block] = tiles[..., self.blocks == block].sum(axis=-1)
        return sums


def make_units(
    corners: np.ndarray,
    folds: Sequence[str],
    regions: Sequence[str],
    sizes: np.ndarray | None = None,
    block_tiles: int = BLOCK_TILES,
) -> SamplingUnits:
    """Group test tiles in spatial blocks of each fold and region.

    Args:
        corners: West and north of the N tiles in m, shape ``(N, 2)``.
        folds: Name of each tile's fold.
        regions: Name of each tile's region.
        sizes: What each tile contributes to a score, shape ``(N,)``, such as its landslide pixels; all alike if None.
        block_tiles: Edge of a block in tiles; 1 makes every tile a block.

    Raises:
        ValueError: If *block_tiles* is less than 1, or a position is not finite.
    """
    check_block_tiles(block_tiles)
    if not np.isfinite(corners).all():
        raise ValueError(
            f"Blocks need the position of every tile, but got {corners[~np.isfinite(corners).all(1)][0].tolist()}. "
            "Give west and north in metres."
        )
    fold_numbers, region_numbers = (_number(names) for names in (folds, regions))
    groups = _number([f"{fold} {region}" for fold, region in zip(folds, regions, strict=True)])
    squares = np.zeros((len(groups), 3), np.int64)
    for group in range(groups.max() + 1):
        here = groups == group
        steps = np.rint((corners[here] - corners[here].min(axis=0)) / GRID_M).astype(np.int64)
        squares[here] = np.column_stack([groups[here], steps // block_tiles])
    _, blocks = np.unique(squares, axis=0, return_inverse=True)
    weights = _share(np.ones(len(groups)) if sizes is None else sizes, fold_numbers)
    return SamplingUnits(blocks.reshape(-1), fold_numbers, region_numbers, corners, weights)


def check_blocks(units: SamplingUnits, block_tiles: int = BLOCK_TILES) -> None:
    """Raise ValueError if test tiles make fewer than ``MIN_BLOCKS`` blocks."""
    if units.count < MIN_BLOCKS:
        raise ValueError(
            f"A comparison needs {MIN_BLOCKS} spatial blocks of test tiles, but got {units.count} from {len(units.blocks)} "
            f"tiles in blocks of {block_tiles} x {block_tiles}. Take smaller blocks (--block-tiles) or a larger test part "
            "(--split)."
        )


def _number(names: Sequence[str]) -> np.ndarray:
    return np.asarray(np.unique(np.asarray(names), return_inverse=True)[1]).reshape(-1)


def _share(sizes: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return each tile's share of its fold's size, divided by the number of folds."""
    totals = np.bincount(folds, np.asarray(sizes, np.float64))
    share: np.ndarray = sizes / np.where(totals > 0, totals, 1.0)[folds] / len(totals)
    return share


def measure_moran(values: np.ndarray, units: SamplingUnits) -> float:
    """Return Moran's I at lag 1: the correlation of tiles with those that share an edge.

    Args:
        values: One value per tile that averages 0, shape ``(N,)``, such as the influences of :mod:`tuning.statistics.influence`.
        units: Positions of the tiles.

    Returns:
        About 0 for independent tiles, 1 for equal neighbours; NaN without neighbours or with equal values.
    """
    steps = np.abs(units.corners[:, None] - units.corners).sum(axis=-1) / GRID_M
    near = (np.abs(steps - 1) < 0.01) & (units.regions[:, None] == units.regions)
    spread = float(values @ values)
    if not near.any() or spread == 0:
        return float("nan")
    return float(values @ near @ values / spread * len(values) / near.sum())


def count_effective(influences: np.ndarray) -> float:
    """Return on how many blocks a difference rests, shape ``(blocks,)``: 1 / sum of squared shares of the influence.

    All blocks if they have equal influence, 1 if one has all of it (inverse Herfindahl index).
    """
    sizes = np.abs(influences)
    squared = float((sizes**2).sum())
    return float(sizes.sum() ** 2 / squared) if squared else float("nan")


def check_block_tiles(block_tiles: int) -> None:
    """Raise ValueError if the edge of a block is less than one tile."""
    if block_tiles < 1:
        raise ValueError(f"--block-tiles must be 1 or more, but got {block_tiles}.")
