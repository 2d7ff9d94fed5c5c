"""The correction of a variance for few, unequal and correlated blocks."""

import numpy as np
import pytest

from tests.support.simulated import read_layout
from tuning.statistics.blocks import make_units
from tuning.statistics.dependence import RANGES, calibrate, correlate, estimate_range

LAYOUT = read_layout()


def make_square(edge: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(edge), np.arange(edge))
    return np.column_stack([x.ravel(), y.ravel()]) * 1280.0


def test_equal_independent_blocks_need_students_correction_alone() -> None:
    corners = np.column_stack([np.arange(10) * 12_800.0, np.zeros(10)])
    found = calibrate(make_units(corners, ["f"] * 10, ["x"] * 10), 1.0)
    assert found.factor == pytest.approx(10 / 9)
    assert found.degrees == pytest.approx(9)


@pytest.mark.parametrize("range_tiles", [1.0, 2.0, 5.0])
def test_the_corrected_variance_is_right_in_the_mean_for_the_real_layout(
    range_tiles: float,
) -> None:
    units = LAYOUT.units()
    root = np.linalg.cholesky(correlate(units, range_tiles) + 1e-9 * np.eye(79))
    effects = np.random.default_rng(1).standard_normal((20_000, 79)) @ root.T
    means = effects @ units.weights
    blocks = units.add_up((effects - means[:, None]) * units.weights)
    found = calibrate(units, range_tiles)
    corrected = (blocks**2).sum(axis=1) * found.factor
    assert corrected.mean() == pytest.approx(means.var(), rel=0.03)
    # a variance with f degrees of freedom has the relative variance 2 / f
    assert corrected.var() / corrected.mean() ** 2 == pytest.approx(2 / found.degrees, rel=0.1)


def test_the_range_of_correlation_is_found() -> None:
    units = make_units(make_square(14), ["f"] * 196, ["x"] * 196)
    rng, found = np.random.default_rng(3), {}
    for true in (1.0, 5.0):
        root = np.linalg.cholesky(correlate(units, true) + 1e-9 * np.eye(196))
        effects = rng.standard_normal((3, 196)) @ root.T
        found[true] = estimate_range(effects * units.weights, units)
    assert found[1.0] <= 1.5
    assert 4 <= found[5.0] <= 8


def test_few_tiles_are_taken_as_correlated_over_a_block() -> None:
    corners = np.column_stack([np.arange(6) * 12_800.0, np.zeros(6)])
    units = make_units(corners, ["f"] * 6, ["x"] * 6)
    assert estimate_range(np.random.default_rng(0).standard_normal((2, 6)), units, 3) == 3
    assert set(RANGES) >= {1.0, 3.0}


def test_regions_are_independent() -> None:
    corners = np.concatenate([make_square(3), make_square(3)])
    units = make_units(corners, ["f"] * 18, ["a"] * 9 + ["b"] * 9, block_tiles=1)
    assert not correlate(units, 8.0)[:9, 9:].any()
    assert correlate(units, 8.0)[:9, :9].all()


def test_one_block_with_landslides_has_no_degrees_of_freedom() -> None:
    corners = np.column_stack([np.arange(6) * 12_800.0, np.zeros(6)])
    units = make_units(corners, ["f"] * 6, ["x"] * 6, np.arange(6) == 2)
    assert calibrate(units, 1.0).degrees == 0
