"""Tests of `tuning.statistics.joint`."""

import numpy as np
import pytest

from tests.support.simulated import read_layout, simulate
from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.contrasts import Sample, estimate_contrasts
from tuning.statistics.estimate import FIXED
from tuning.statistics.influence import ModelScores, measure_scores
from tuning.statistics.joint import draw_jointly, first_place_changes

LAYOUT = read_layout()
UNITS = LAYOUT.units()


def make_sample(seed: int = 1) -> Sample:
    models = simulate(np.random.default_rng(seed), LAYOUT, (0.0, 0.2), 5, 1, 0.05, 0.05)
    return Sample(UNITS, measure_scores(models, pooled_ap, UNITS))


def test_draws_spread_as_the_standard_error_of_the_difference() -> None:
    sample, kinds = make_sample(), {"a": "u", "b": "u"}
    drawn = draw_jointly([sample], kinds, np.random.default_rng(0), 20_000)
    gap = estimate_contrasts([sample], [{"a": 1.0, "b": -1.0}], kinds)[0]
    moved = drawn["a"] - drawn["b"]
    assert moved.mean() == pytest.approx(gap.estimate, abs=0.001)
    low, high = np.quantile(moved, [0.025, 0.975])
    assert (low, high) == pytest.approx((gap.low, gap.high), rel=0.15)


def test_what_blocks_share_moves_two_models_together() -> None:
    drawn = draw_jointly([make_sample()], {"a": FIXED, "b": FIXED}, np.random.default_rng(0))
    assert np.corrcoef(drawn["a"], drawn["b"])[0, 1] > 0.9
    apart = [Sample(UNITS, {name: one}) for name, one in make_sample().scores.items()]
    drawn = draw_jointly(apart, {"a": FIXED, "b": FIXED}, np.random.default_rng(0))
    assert abs(np.corrcoef(drawn["a"], drawn["b"])[0, 1]) < 0.1


def test_the_same_generator_gives_the_same_draws() -> None:
    first, second = (
        draw_jointly([make_sample()], {}, np.random.default_rng(3), 50)["a"] for _ in range(2)
    )
    assert (first == second).all()


def test_models_without_any_spread_stay() -> None:
    still = ModelScores(np.array([0.4]), np.zeros(len(UNITS.blocks)))
    drawn = draw_jointly([Sample(UNITS, {"a": still})], {"a": FIXED}, np.random.default_rng(0), 9)
    assert (drawn["a"] == 0.4).all()


def test_the_first_place_changes_as_often_as_draws_say() -> None:
    drawn = {
        "u": np.array([3.0, 3.0, 3.0, 3.0]),
        "v": np.array([2.0, 2.0, 2.0, 4.0]),
        "u2": np.array([1.0, 3.0, 1.0, 1.0]),
        "v2": np.array([2.0, 2.0, 2.0, 2.0]),
    }
    assert first_place_changes(drawn, ["u", "v"], ["u", "v"]) == 0
    assert first_place_changes(drawn, ["u", "v"], ["u2", "v2"]) == 0.5  # draws 1 and 3


def test_one_architecture_has_no_first_place() -> None:
    with pytest.raises(
        ValueError, match="two architectures or more in both cells, but got 1 and 1"
    ):
        first_place_changes({"u": np.zeros(3)}, ["u"], ["u"])
