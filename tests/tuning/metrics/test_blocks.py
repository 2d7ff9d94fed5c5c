"""Blocks join neighbouring tiles, and never two folds or regions."""

import numpy as np
import pytest

from data.tiles.catalogue import GRID_M
from tuning.metrics.blocks import make_units


def make_grid(columns: int, rows: int) -> np.ndarray:
    """Return the corners of a full grid of tiles, ``(columns * rows, 2)``."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.column_stack([x.ravel(), y.ravel()]) * float(GRID_M) + 512_000.0


def test_a_block_is_a_square_of_neighbouring_tiles() -> None:
    corners = make_grid(6, 9)
    units = make_units(corners, ["f"] * 54, ["hokkaido"] * 54)
    assert np.bincount(units.blocks).tolist() == [9] * 6
    for block in range(6):
        spread = np.ptp(corners[units.blocks == block], axis=0)
        assert spread.tolist() == [2 * GRID_M, 2 * GRID_M]


def test_a_block_of_one_tile_is_the_tile() -> None:
    units = make_units(make_grid(5, 2), ["f"] * 10, ["hokkaido"] * 10, block_tiles=1)
    assert sorted(units.blocks.tolist()) == list(range(10))


def test_blocks_are_nested_in_folds_and_regions() -> None:
    corners = np.concatenate([make_grid(6, 3)] * 4)  # the same places four times
    folds = ["a"] * 36 + ["b"] * 36
    regions = ["hokkaido"] * 18 + ["noto"] * 18 + ["hokkaido"] * 18 + ["noto"] * 18
    units = make_units(corners, folds, regions)
    groups = [
        {(folds[i], regions[i]) for i in np.flatnonzero(units.blocks == block)}
        for block in range(units.blocks.max() + 1)
    ]
    assert len(groups) == 8
    assert all(len(group) == 1 for group in groups)
    assert units.fold_of_block.tolist() == [units.folds[units.blocks == b][0] for b in range(8)]


def test_fewer_than_five_blocks_are_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match=r"needs 5 spatial blocks.* but got 4 from 36 tiles") as at:
        make_units(make_grid(6, 6), ["f"] * 36, ["hokkaido"] * 36)
    assert "--block-tiles" in str(at.value)


def test_a_block_has_an_edge_of_one_tile_or_more() -> None:
    with pytest.raises(ValueError, match="--block-tiles must be 1 or more, but got 0"):
        make_units(make_grid(6, 6), ["f"] * 36, ["hokkaido"] * 36, block_tiles=0)


def test_a_tile_without_position_is_refused() -> None:
    corners = make_grid(6, 6)
    corners[3, 0] = np.nan
    with pytest.raises(ValueError, match="Blocks need the position of every tile"):
        make_units(corners, ["f"] * 36, ["hokkaido"] * 36)
