"""What a comparison can decide, by arithmetic."""

import numpy as np
import pytest
from scipy.stats import norm

from tuning.statistics.power import plan_decision

REACH = 2.0 + norm.ppf(0.8)  # critical value 2, and 80 % power


def test_the_detectable_difference_is_the_reach_of_the_standard_error() -> None:
    needs = plan_decision(0.01, 0.0009, 0.0016, 2.0, 1e9, 3, 30)
    assert needs.error == pytest.approx(0.05)
    assert needs.detectable == pytest.approx(REACH * 0.05, rel=1e-6)


def test_the_number_of_seeds_leaves_the_blocks_as_they_are() -> None:
    # allowed variance (0.2 / REACH)^2; blocks have 0.0009, so seeds may have the rest; now 0.0064 with 3
    needs = plan_decision(0.2, 0.0009, 0.0064, 2.0, 1e9, 3, 30)
    rest = (0.2 / REACH) ** 2 - 0.0009
    assert needs.seeds == pytest.approx(3 * 0.0064 / rest, rel=1e-6)
    assert needs.blocks == np.inf  # the seeds alone have more than is allowed


def test_nothing_is_planned_without_a_variance() -> None:
    needs = plan_decision(0.1, np.nan, 0.1, 2.0, 1.0, 3, 30)
    assert np.isnan([needs.error, needs.detectable]).all()
    assert needs.seeds == needs.blocks == np.inf
