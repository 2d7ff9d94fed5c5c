import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, jaccard_score, precision_score

from tuning.metrics import (
    BINS,
    Confusion,
    average_precision,
    choose_threshold,
    confuse,
    count_bins,
    score,
    score_at,
    trace_curve,
)


def draw(rng: np.random.Generator, size: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    mask = rng.random(size) < 0.1
    probs = rng.beta(np.where(mask, 3, 1), np.where(mask, 1.5, 4))
    return torch.from_numpy(probs.astype(np.float32)), torch.from_numpy(mask.astype(np.uint8))


def test_counts_of_batches_add_up_to_the_whole(rng: np.random.Generator) -> None:
    probs, mask = draw(rng)
    parts = count_bins(probs[:7000], mask[:7000]) + count_bins(probs[7000:], mask[7000:])
    assert torch.equal(parts, count_bins(probs, mask))


def test_counts_hold_every_pixel_in_its_class() -> None:
    counts = count_bins(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0, 1, 1]))
    assert counts.sum() == 3
    assert counts[0, 0] == 1
    assert counts[1, BINS // 2] == 1
    assert counts[1, BINS - 1] == 1


def test_scores_follow_from_the_counts() -> None:
    # precision 6/8, recall 6/10, F1 12/18, IoU 6/12, accuracy 94/100
    scores = score(Confusion(tp=6, fp=2, fn=4, tn=88))
    assert scores.precision == 6 / 8
    assert scores.recall == 6 / 10
    assert scores.f1_dice == 12 / 18
    assert scores.iou == 6 / 12
    assert scores.accuracy == 94 / 100


def test_scores_equal_scikit_learn_at_a_threshold(rng: np.random.Generator) -> None:
    probs, mask = draw(rng)
    scores = score_at(count_bins(probs, mask).numpy(), 0.5)
    found = probs.numpy() >= 0.5
    assert scores["precision"] == precision_score(mask, found)
    assert scores["f1_dice"] == pytest.approx(f1_score(mask, found), abs=1e-15)
    assert scores["iou"] == jaccard_score(mask, found)


def test_average_precision_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    probs, mask = draw(rng)
    expected = average_precision_score(mask, probs)
    assert average_precision(count_bins(probs, mask).numpy()) == pytest.approx(expected, abs=1e-4)


def test_average_precision_is_prevalence_for_a_constant_map() -> None:
    counts = count_bins(torch.full((10,), 0.3), torch.tensor([1] * 2 + [0] * 8)).numpy()
    assert average_precision(counts) == pytest.approx(0.2)


def test_recall_falls_as_the_threshold_rises(rng: np.random.Generator) -> None:
    curve = trace_curve(count_bins(*draw(rng)).numpy())
    assert (np.diff(curve.thresholds) > 0).all()
    assert (np.diff(curve.recall) <= 0).all()
    assert curve.recall[0] == 1.0


def test_chosen_threshold_has_the_highest_f1(rng: np.random.Generator) -> None:
    counts = count_bins(*draw(rng)).numpy()
    best = score_at(counts, choose_threshold(counts))["f1_dice"]
    assert best >= max(score_at(counts, k / BINS)["f1_dice"] for k in range(0, BINS, 4))


def test_iou_is_nan_when_nothing_to_find_and_nothing_found() -> None:
    scores = score(confuse(count_bins(torch.zeros(4), torch.zeros(4)).numpy(), 0.5))
    assert np.isnan([scores.iou, scores.f1_dice, scores.precision, scores.recall]).all()
    assert scores.accuracy == 1.0


def test_average_precision_is_nan_without_landslides() -> None:
    counts = count_bins(torch.rand(4), torch.zeros(4)).numpy()
    assert np.isnan(average_precision(counts))
    assert choose_threshold(counts) == 0.5


def test_counting_refuses_logits() -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], but got -2 to 3. Apply a sigmoid"):
        count_bins(torch.tensor([-2.0, 3.0]), torch.tensor([0, 1]))


def test_counting_refuses_nan() -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], but got nan"):
        count_bins(torch.tensor([0.5, float("nan")]), torch.tensor([0, 1]))


def test_counting_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"one shape, but got \(2, 1\) and \(2,\)"):
        count_bins(torch.zeros(2, 1), torch.zeros(2))
