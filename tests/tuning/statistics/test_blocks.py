"""Blocks join neighbouring tiles, and never two folds or regions."""

import numpy as np
import pytest

from data.tiles.catalogue import GRID_M
from tuning.statistics.blocks import check_blocks, count_effective, make_units, measure_moran


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


def test_fewer_than_five_blocks_are_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match=r"needs 5 spatial blocks.* but got 4 from 36 tiles") as at:
        check_blocks(make_units(make_grid(6, 6), ["f"] * 36, ["hokkaido"] * 36))
    assert "--block-tiles" in str(at.value)


def test_five_blocks_suffice() -> None:
    check_blocks(make_units(make_grid(15, 3), ["f"] * 45, ["hokkaido"] * 45))


def test_a_block_has_an_edge_of_one_tile_or_more() -> None:
    with pytest.raises(ValueError, match="--block-tiles must be 1 or more, but got 0"):
        make_units(make_grid(6, 6), ["f"] * 36, ["hokkaido"] * 36, block_tiles=0)


def test_a_tile_without_position_is_refused() -> None:
    corners = make_grid(6, 6)
    corners[3, 0] = np.nan
    with pytest.raises(ValueError, match="Blocks need the position of every tile"):
        make_units(corners, ["f"] * 36, ["hokkaido"] * 36)


def test_weights_are_shares_of_a_fold_and_folds_weigh_the_same() -> None:
    sizes = np.array([1, 3, 0, 0, 0, 0, 20, 0, 20, 0, 0, 0])
    units = make_units(make_grid(6, 2), ["a"] * 6 + ["b"] * 6, ["x"] * 12, sizes, block_tiles=1)
    assert units.weights[:6].tolist() == [0.125, 0.375, 0, 0, 0, 0]
    assert units.weights[6:].sum() == 0.5
    assert units.weighty == 4


def test_morans_i_tells_equal_neighbours_from_unlike_ones() -> None:
    units = make_units(make_grid(8, 8), ["f"] * 64, ["hokkaido"] * 64)
    column, row = np.arange(64) % 8, np.arange(64) // 8
    assert measure_moran((-1.0) ** (column + row), units) == pytest.approx(-1)
    assert measure_moran(np.where(column < 4, 1.0, -1.0), units) > 0.8
    noise = np.random.default_rng(0).standard_normal((200, 64))
    mean = np.mean([measure_moran(one - one.mean(), units) for one in noise])
    assert mean == pytest.approx(-1 / 63, abs=0.02)  # its expectation for independent tiles
    assert np.isnan(measure_moran(np.zeros(64), units))


def test_neighbours_are_of_one_region() -> None:
    halves = make_grid(2, 8)
    units = make_units(halves, ["f"] * 16, ["a", "b"] * 8, block_tiles=1)
    assert measure_moran(np.array([1.0, -1.0] * 8), units) == pytest.approx(1)


def test_the_effective_number_of_blocks_counts_those_that_matter() -> None:
    assert count_effective(np.array([0.1, -0.1, 0.1, -0.1])) == pytest.approx(4)
    assert count_effective(np.array([5.0, 0.0, 0.0])) == 1
    assert np.isnan(count_effective(np.zeros(3)))
