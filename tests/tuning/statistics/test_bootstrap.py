"""Critical values and p-values of one bootstrap agree, and have the level that they say."""

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from tuning.statistics.bootstrap import critical_value, draw_largest, p_value

PAIR = np.array([[0, 1]])


@pytest.mark.parametrize("level", [0.95, 0.90])
def test_p_is_small_just_beyond_the_critical_value(level: float) -> None:
    largest = np.sort(np.abs(np.random.default_rng(0).standard_normal(999)))
    critical = critical_value(largest, level)
    assert p_value(largest, critical + 1e-9) < 1 - level <= p_value(largest, critical)
    assert p_value(largest, 1e9) == 1 / 1000


@pytest.mark.parametrize(
    ("degrees", "expected"), [(1e9, norm.ppf(0.975)), (4.0, student.ppf(0.975, 4))]
)
def test_a_single_pair_has_students_critical_value(degrees: float, expected: float) -> None:
    rng = np.random.default_rng(1)
    blocks = np.stack([rng.standard_normal(30), np.zeros(30)])
    largest = draw_largest(blocks, np.array([0.5, 0.5]), PAIR, np.array([degrees]), rng, 40_000)
    assert critical_value(largest) == pytest.approx(expected, rel=0.03)


def test_more_pairs_raise_the_critical_value_less_than_bonferroni() -> None:
    rng = np.random.default_rng(2)
    blocks = rng.standard_normal((4, 40))
    pairs = np.array([(i, j) for i in range(4) for j in range(i)])
    largest = draw_largest(blocks, np.zeros(4), pairs, np.full(6, 1e9), rng, 40_000)
    assert norm.ppf(0.975) < critical_value(largest) < norm.ppf(1 - 0.025 / 6)
