"""Tests of the budget: seeds are dropped, never cells."""

import pytest

from tuning.matrix.cost.budget import fit_budget
from tuning.matrix.cost.estimate import CAMPAIGN_S, CellCost, MatrixCost

HOUR = 3600.0
CELL = CellCost("one", searches=2, repeats=5, baselines=1, fixed_s=HOUR - CAMPAIGN_S, seed_s=HOUR)


def cost(seeds: int = 5, slots: int = 1) -> MatrixCost:
    return MatrixCost((CELL, CELL), seeds, slots, ())


def test_hours_grow_with_seeds_and_fall_with_slots() -> None:
    assert cost(3).hours == pytest.approx(8)
    assert cost().hours_with(1) == pytest.approx(4)
    assert cost(3, slots=2).hours == pytest.approx(4, abs=0.02)


@pytest.mark.parametrize(("hours", "seeds"), [(None, 5), (12.0, 5), (11.9, 4), (6.0, 2)])
def test_a_budget_takes_as_many_seeds_as_fit(hours: float | None, seeds: int) -> None:
    assert fit_budget(cost(), hours) == seeds


def test_a_budget_that_holds_less_than_two_seeds_is_refused_with_what_is_needed() -> None:
    with pytest.raises(
        ValueError, match=r"--budget 5 hours must hold every cell with 2 seeds.* 6\.00 hours"
    ):
        fit_budget(cost(), 5.0)
    assert fit_budget(cost(1), 4.0) == 1
    with pytest.raises(ValueError, match=r"must hold every cell with 1 seed, without which"):
        fit_budget(cost(1), 1.0)
