"""What the comparison rests on: pooled spread, and what each pair would take."""

from math import inf, isnan, nan

import pytest

from tests.tuning.report.sections.test_verdict import pair_of
from tuning.report.sections.basis import make_needs_row, pool_spread
from tuning.statistics.estimate import Estimate
from tuning.statistics.power import Needs


def estimate_of(std: float, seeds: int) -> Estimate:
    return Estimate(0.5, std, 0.4, 0.6, 0.5, seeds, 10, 10, 5.0)


def test_spread_over_seeds_is_pooled_by_degrees_of_freedom() -> None:
    spread, degrees = pool_spread([estimate_of(0.01, 3), estimate_of(0.02, 5), estimate_of(nan, 1)])
    assert degrees == 6
    assert spread == pytest.approx(((2 * 0.01**2 + 4 * 0.02**2) / 6) ** 0.5)
    none, degrees = pool_spread([estimate_of(nan, 1)])
    assert isnan(none)
    assert degrees == 0


def test_what_a_pair_takes_is_said_for_undecided_pairs_alone() -> None:
    pair = pair_of("A", "B", 0.03, "undecided")
    assert make_needs_row(pair) == ["A", "B", 0.005, 0.016, "7.0", "8", "∞"]
    far = type(pair)(**(vars(pair) | {"needs": Needs(0.1, 0.4, inf, 1e5)}))
    assert make_needs_row(far)[-2:] == ["∞", "∞"]
    assert make_needs_row(pair_of("A", "B", 0.03, "better"))[-2:] == ["", ""]
