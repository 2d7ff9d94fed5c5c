"""A model's estimate: arithmetic by hand, and intervals that cover as often as they say."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t as student

from tests.support.simulated import read_layout, simulate
from tuning.metrics.tile_sums import pooled_ap, pooled_f1
from tuning.statistics.blocks import SamplingUnits, make_units
from tuning.statistics.estimate import estimate_all, interquartile_mean, pool_seeds
from tuning.statistics.influence import ModelScores

LAYOUT = read_layout()


def make_line(tiles: int, folds: list[str] | None = None) -> SamplingUnits:
    """Return units of *tiles* tiles far apart, each a block."""
    corners = np.column_stack([np.arange(tiles) * 12_800.0, np.zeros(tiles)])
    return make_units(corners, folds or ["f"] * tiles, ["hokkaido"] * tiles)


def test_interquartile_mean_leaves_out_a_quarter_at_each_end() -> None:
    # of 7 numbers floor(7 / 4) = 1 goes at each end: (2 + 3 + 4 + 5 + 6) / 5
    assert interquartile_mean(np.array([[100.0, 2, 3, 4], [np.nan, 5, 6, -9]])) == 4.0
    assert np.isnan(interquartile_mean(np.array([np.nan])))


def test_estimate_follows_from_the_counts() -> None:
    # pooled F1: seed 0 (tp 4, fp 2, fn 2) 8/12, seed 1 (2, 0, 4) 4/8; by tile: 6/8, 2/4 and 4/6, 0/2
    sums = np.array([[(3, 1, 1, 5), (1, 1, 1, 7)], [(2, 0, 2, 6), (0, 0, 2, 8)]])
    sums = np.concatenate([sums, np.broadcast_to([0, 0, 0, 9], (2, 4, 4))], axis=1)
    found = estimate_all({"a": sums}, pooled_f1, make_line(6))["a"]
    assert found.mean == pytest.approx((8 / 12 + 4 / 8) / 2)
    assert found.std == pytest.approx((8 / 12 - 4 / 8) / np.sqrt(2))
    assert found.iqm == pytest.approx((2 / 4 + 4 / 6) / 2)
    assert (found.seeds, found.tiles, found.scored_tiles) == (2, 6, 2)
    assert 0 <= found.low < found.mean < found.high <= 1


def test_the_score_of_folds_is_their_mean_not_the_pool() -> None:
    # fold a: tp 8 of 10 found alarms 2; fold b: tp 1, alarms 0, missed 1: F1 0.8 and 2/3
    sums = np.array([[[8, 2, 2, 0]] + 4 * [[0, 0, 0, 9]] + [[1, 0, 1, 9]] + 4 * [[0, 0, 0, 9]]])
    units = make_line(10, ["a"] * 5 + ["b"] * 5)
    assert estimate_all({"m": sums}, pooled_f1, units)["m"].mean == pytest.approx((0.8 + 2 / 3) / 2)


def test_one_seed_has_no_spread_but_an_interval_over_blocks() -> None:
    models = simulate(np.random.default_rng(0), LAYOUT, (0.0,), 1)
    found = estimate_all(models, pooled_ap, LAYOUT.units())["a"]
    assert np.isnan(found.std)
    assert found.low < found.mean < found.high


def test_the_interval_over_seeds_is_as_wide_as_students() -> None:
    # equal tiles: only seeds differ. s = 0.1, S = 3: t(2) = 4.303 gives +- 0.248
    sums = np.array([[(100 * k, 0, 1000 - 100 * k, 0)] * 5 for k in (4, 5, 6)])
    units = make_line(5)
    found = estimate_all({"a": sums}, lambda total: total[..., 0] / total.sum(-1), units)["a"]
    assert found.std == pytest.approx(0.1)
    assert (found.high - found.low) / 2 == pytest.approx(0.1 / np.sqrt(3) * student.ppf(0.975, 2))


def test_the_interval_covers_the_mean_over_areas_as_often_as_it_says() -> None:
    rng, means, intervals = np.random.default_rng(7), [], []
    for _ in range(80):
        models = simulate(rng, LAYOUT, (0.0,), 3)
        found = estimate_all(models, pooled_ap, LAYOUT.units())["a"]
        means.append(found.mean)
        intervals.append((found.low, found.high))
    covered = sum(low <= np.mean(means) <= high for low, high in intervals)
    assert 70 <= covered <= 80  # 95 % in the mean; 69 or fewer have a probability of 0.2 %


def test_seeds_of_a_kind_are_pooled_and_fixed_models_have_none() -> None:
    scores = {
        name: ModelScores(np.array(values), np.zeros(5))
        for name, values in {"a": [0.5, 0.6], "b": [0.2, 0.2, 0.5], "c": [0.9]}.items()
    }
    spreads = pool_seeds(scores, {"a": "network", "b": "network", "c": ""})
    # deviations 0.05, 0.05 and 0.1, 0.1, 0.2: (0.005 + 0.06) / 3
    assert spreads["network"].variance == pytest.approx(0.065 / 3)
    assert (spreads["network"].degrees, spreads[""].variance) == (3, 0)


GOOD = np.ones((3, 5, 4), int)


@pytest.mark.parametrize(
    ("score", "sums", "message"),
    [
        (pooled_ap, GOOD[..., :3], "needs 2 x K bins on the last axis"),
        (pooled_f1, 0 * GOOD, "over all tiles of a fold together, but got .*nan"),
        (np.cumsum, GOOD, r"must map \(..., D\) to \(...\), but got \(12,\) from \(3, 4\)"),
    ],
)
def test_scores_that_are_not_defined_are_refused(
    score: Callable[[np.ndarray], np.ndarray], sums: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_all({"a": sums}, score, make_line(5))


def test_blocks_that_are_all_alike_give_no_interval() -> None:
    """A perfect map, or two equal tiles, do not show how a score varies: a point would be a false interval."""
    perfect = np.zeros((1, 4, 4))
    perfect[..., 0], perfect[..., 3] = 10, 90
    corners = np.column_stack([11_520.0 * np.arange(4), np.zeros(4)])
    units = make_units(corners, [""] * 4, [""] * 4)
    found = estimate_all({"a": perfect}, pooled_f1, units)["a"]
    assert found.mean == 1.0
    assert np.isnan([found.low, found.high]).all()
    assert found.degrees == 0
