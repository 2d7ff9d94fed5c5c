"""Scores of sums over tiles: arithmetic by hand, and other people's code."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import count_bins
from tuning.metrics.tile_sums import pooled_ap, pooled_f1, pooled_iou, reduce_counts


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
