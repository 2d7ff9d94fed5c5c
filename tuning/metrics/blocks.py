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
        corners: West and north of each tile in m, shape ``(N, 2)``.
    """

    blocks: np.ndarray
    folds: np.ndarray
    corners: np.ndarray

    @property
    def fold_of_block(self) -> np.ndarray:
        """Fold of each block, shape ``(blocks,)``."""
        _, first = np.unique(self.blocks, return_index=True)
        return np.asarray(self.folds[first])


def make_units(
    corners: np.ndarray,
    folds: Sequence[str],
    regions: Sequence[str],
    block_tiles: int = BLOCK_TILES,
) -> SamplingUnits:
    """Group test tiles in spatial blocks of each fold and region.

    Args:
        corners: West and north of the N tiles in m, shape ``(N, 2)``.
        folds: Name of each tile's fold.
        regions: Name of each tile's region.
        block_tiles: Edge of a block in tiles; 1 makes every tile a block.

    Raises:
        ValueError: If *block_tiles* is less than 1, a position is not finite, or there are fewer than ``MIN_BLOCKS`` blocks.
    """
    check_block_tiles(block_tiles)
    if not np.isfinite(corners).all():
        raise ValueError(
            f"Blocks need the position of every tile, but got {corners[~np.isfinite(corners).all(1)][0].tolist()}. "
            "Give west and north in metres."
        )
    groups = [f"{fold} {region}" for fold, region in zip(folds, regions, strict=True)]
    squares = np.zeros((len(groups), 3), np.int64)
    for number, group in enumerate(sorted(set(groups))):
        here = np.array([one == group for one in groups])
        steps = np.rint((corners[here] - corners[here].min(axis=0)) / GRID_M).astype(np.int64)
        squares[here] = np.column_stack([np.full(here.sum(), number), steps // block_tiles])
    _, blocks = np.unique(squares, axis=0, return_inverse=True)
    _, numbers = np.unique(np.asarray(folds), return_inverse=True)
    units = SamplingUnits(blocks.reshape(-1), numbers.reshape(-1), corners)
    if (count := int(units.blocks.max()) + 1) < MIN_BLOCKS:
        raise ValueError(
            f"A comparison needs {MIN_BLOCKS} spatial blocks of test tiles, but got {count} from {len(groups)} tiles in blocks of "
            f"{block_tiles} x {block_tiles}. Take smaller blocks (--block-tiles) or a larger test part (--split)."
        )
    return units


def check_block_tiles(block_tiles: int) -> None:
    """Raise ValueError if the edge of a block is less than one tile."""
    if block_tiles < 1:
        raise ValueError(f"--block-tiles must be 1 or more, but got {block_tiles}.")
