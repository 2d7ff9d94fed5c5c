"""Scores of sums over tiles, and one model's estimate: arithmetic by hand, and other people's code."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from tuning.metrics.compare import (
    estimate,
    interquartile_mean,
    pooled_ap,
    pooled_f1,
    pooled_iou,
    reduce_counts,
)
from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import count_bins

DRAWS = 400
GOOD = np.ones((3, 4, 4), int)
STRATA = np.array([0, 0, 1, 1])


def make_rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_pooled_ap_follows_from_the_counts() -> None:
    # from the upper bin on: 2 of 3 right, recall 2/3; all: 3 of 7 right, recall 1: 2/3 * 2/3 + 1/3 * 3/7
    assert pooled_ap(np.array([3, 1, 1, 2])) == pytest.approx(4 / 9 + 1 / 7)


def test_pooled_ap_is_the_average_precision_of_whole_histograms() -> None:
    rng = make_rng()
    mask = rng.random(20_000) < 0.1
    probs = torch.from_numpy(rng.beta(np.where(mask, 3, 1), np.where(mask, 1.5, 4)))
    counts = count_bins(probs, torch.from_numpy(mask.astype(np.uint8))).numpy()
    assert pooled_ap(counts.reshape(-1)) == pytest.approx(average_precision(counts), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_pooled_ap_agrees_with_scikit_learn(seed: int) -> None:
    rng = make_rng(seed)
    label = np.append(rng.random(60) < 0.3, True)
    bins = rng.integers(0, 8, 61)
    total = np.bincount(bins + 8 * label, minlength=16)
    assert pooled_ap(total) == pytest.approx(average_precision_score(label, bins), abs=1e-12)


def test_scores_are_the_same_one_by_one_and_all_at_once() -> None:
    sums = make_rng().integers(1, 9, (2, 6, 64))
    for score, width in ((pooled_ap, 64), (pooled_f1, 4), (pooled_iou, 4)):
        part = sums[..., :width]
        alone = [[float(score(tile)) for tile in seed] for seed in part]
        np.testing.assert_array_equal(score(part), alone)


def test_f1_and_iou_follow_from_the_counts() -> None:
    # F1 12/18, IoU 6/12; nothing to find and nothing found has no score
    total = np.array([[6, 2, 4, 88], [0, 0, 0, 100]])
    np.testing.assert_allclose(pooled_f1(total), [12 / 18, np.nan])
    np.testing.assert_allclose(pooled_iou(total), [6 / 12, np.nan])


def test_average_precision_is_nan_without_landslides() -> None:
    np.testing.assert_allclose(pooled_ap(np.array([[3, 1, 0, 0], [3, 1, 0, 2]])), [np.nan, 2 / 3])


def test_reduced_histograms_keep_every_pixel() -> None:
    counts = np.array([[1, 2, 3, 4, 5], [0, 1, 0, 1, 7]])
    assert reduce_counts(counts, 3).tolist() == [[1, 5, 9], [0, 1, 8]]  # the first, then two each
    assert reduce_counts(counts, 5).tolist() == counts.tolist()


def test_reduced_histograms_hardly_change_average_precision() -> None:
    rng = make_rng()
    mask = rng.random(400_000) < 0.015
    logits = torch.from_numpy(rng.normal(np.where(mask, 1.0, -2.5), 1.0) * 2)
    counts = count_bins(torch.sigmoid(logits), torch.from_numpy(mask.astype(np.uint8))).numpy()
    whole = average_precision(counts)
    for bins, lost in ((1024, 2.5e-3), (4096, 6e-4)):
        assert whole - lost < pooled_ap(reduce_counts(counts, bins).reshape(-1)) < whole + 1e-9


def test_interquartile_mean_leaves_out_a_quarter_at_each_end() -> None:
    # of 7 numbers floor(7 / 4) = 1 goes at each end: (2 + 3 + 4 + 5 + 6) / 5
    assert interquartile_mean(np.array([[100.0, 2, 3, 4], [np.nan, 5, 6, -9]])) == 4.0
    assert np.isnan(interquartile_mean(np.array([np.nan])))


def test_estimate_follows_from_the_counts() -> None:
    # pooled F1: seed 0 (tp 4, fp 2, fn 2) 8/12, seed 1 (2, 0, 4) 4/8; by tile: 6/8, 2/4 and 4/6, 0/2
    sums = np.array([[(3, 1, 1, 5), (1, 1, 1, 7)], [(2, 0, 2, 6), (0, 0, 2, 8)]])
    found = estimate(sums, pooled_f1, np.zeros(2, int), make_rng(), DRAWS)
    assert found.mean == pytest.approx((8 / 12 + 4 / 8) / 2)
    assert found.std == pytest.approx((8 / 12 - 4 / 8) / np.sqrt(2))
    assert found.tile_mean == pytest.approx((6 / 8 + 2 / 4 + 4 / 6 + 0) / 4)
    assert found.iqm == pytest.approx((2 / 4 + 4 / 6) / 2)
    assert (found.seeds, found.tiles, found.scored_tiles, found.draws) == (2, 2, 2, DRAWS)


def test_tiles_without_a_score_count_in_the_pool_alone() -> None:
    # two bins of background, two of landslides; the second tile has nothing to find, but a false alarm
    sums = np.array([[[4, 0, 1, 1], [3, 1, 0, 0]]])
    found = estimate(sums, pooled_ap, np.array([1, 0]), make_rng(), DRAWS)
    # tile 0: upper bin 1 of 1, all 2 of 6: 1/2 + 1/2 * 1/3; pooled: 1 of 2, then 2 of 10
    assert found.tile_mean == found.iqm == pytest.approx(1 / 2 + 1 / 6)
    assert found.mean == pytest.approx(1 / 4 + 1 / 10)
    assert (found.tiles, found.scored_tiles) == (2, 1)


@pytest.mark.parametrize(
    ("score", "sums", "strata", "message"),
    [
        (pooled_ap, GOOD[..., :3], STRATA, "needs 2 x K bins on the last axis"),
        (pooled_f1, 0 * GOOD, STRATA, "over all tiles together, but got .*nan"),
        (np.cumsum, GOOD, STRATA, r"must map \(..., D\) to \(...\), but got \(12,\) from \(3, 4\)"),
        # of two tiles, one with landslides, a quarter of the resamples takes the other one twice
        (pooled_f1, GOOD[:, :2] * [[1], [0]], np.zeros(2, int), r"not in \d+ of 2000 .* strata"),
    ],
)
def test_scores_that_are_not_defined_are_refused(
    score: Callable[[np.ndarray], np.ndarray], sums: np.ndarray, strata: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        estimate(sums, score, strata, make_rng())


@pytest.mark.parametrize(
    ("counts", "bins", "message"),
    [
        (np.ones((3, 8)), 4, r"shape \(..., 2, BINS\), but got \(3, 8\)"),
        (np.ones((2, 8)), 9, "can keep 1 to 8 bins, but got bins=9"),
        (np.ones((2, 8)), 0, "but got bins=0"),
    ],
)
def test_wrong_histograms_are_refused(counts: np.ndarray, bins: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reduce_counts(counts, bins)


def test_no_resample_loses_the_only_tile_with_landslides() -> None:
    # drawn without regard to strata, (11/12)^12 = 35 % of the resamples would not hold it
    sums = np.array([[[6, 2, 4, 88]] + 11 * [[0, 1, 0, 99]]])
    found = estimate(sums, pooled_f1, (np.arange(12) == 0).astype(int), make_rng(), DRAWS)
    # every other tile has one false alarm, whichever are drawn: 12 / (12 + 2 + 11 + 4)
    assert found.low == found.mean == found.high == pytest.approx(12 / 29)
