"""Scores at a threshold equal scikit-learn's; the registry names them all."""

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    jaccard_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
)

from tests.support.pixels import count_pixels, draw_pixels, sigmoid
from tuning.metrics.histogram import BINS, count_bins, edges, reach
from tuning.metrics.scores import (
    METRICS,
    Confusion,
    accuracy,
    confuse,
    f1_dice,
    iou,
    is_blind,
    mcc,
    precision,
    recall,
    score_all,
    score_at,
    score_confusion,
)


def test_histogram_of_other_bins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 65025\), but got \(2, 16384\)"):
        confuse(np.ones((2, 1 << 14), np.int64), 0.5)


def test_scores_follow_from_the_counts() -> None:
    # precision 6/8, recall 6/10, F1 12/18, IoU 6/12, accuracy 94/100
    pixels = Confusion(tp=6, fp=2, fn=4, tn=88)
    assert precision(pixels) == 6 / 8
    assert recall(pixels) == 6 / 10
    assert f1_dice(pixels) == 12 / 18
    assert iou(pixels) == 6 / 12
    assert accuracy(pixels) == 94 / 100
    # (6 x 88 - 2 x 4) / sqrt(8 x 10 x 90 x 92) = 520 / sqrt(662,400)
    assert mcc(pixels) == pytest.approx(520 / 662_400**0.5, abs=1e-15)


def test_correlation_does_not_overflow() -> None:
    small = mcc(Confusion(tp=6, fp=2, fn=4, tn=88))
    large = mcc(Confusion(*(n * 10**15 for n in (6, 2, 4, 88))))
    assert large == pytest.approx(small, abs=1e-15)


@pytest.mark.parametrize("confusion", [(3, 0, 4, 0), (0, 3, 0, 4), (0, 0, 0, 0), (0, 0, 0, 4)])
def test_correlation_is_nan_when_the_label_never_varies(
    confusion: tuple[int, int, int, int],
) -> None:
    assert np.isnan(mcc(Confusion(*confusion)))


@pytest.mark.parametrize("confusion", [(3, 4, 0, 0), (0, 0, 3, 4)])
def test_correlation_is_0_when_the_decision_never_varies(
    confusion: tuple[int, int, int, int],
) -> None:
    assert mcc(Confusion(*confusion)) == 0.0


def test_a_map_that_finds_nothing_scores_0() -> None:
    blind = Confusion(tp=0, fp=0, fn=5, tn=95)
    names = ("precision", "recall", "f1_dice", "iou", "mcc")
    assert [score_confusion(blind)[name] for name in names] == [0.0] * 5
    assert is_blind(blind)
    assert not is_blind(Confusion(tp=0, fp=1, fn=5, tn=94))
    assert not is_blind(Confusion(tp=0, fp=0, fn=0, tn=100))  # nothing to find


def test_correlation_is_signed() -> None:
    assert mcc(Confusion(tp=5, fp=0, fn=0, tn=5)) == 1.0
    assert mcc(Confusion(tp=0, fp=5, fn=5, tn=0)) == -1.0


@pytest.mark.parametrize("number", [reach(0.5), 1, 900, 24_000, 52_321, 64_500, BINS - 1])
def test_scores_equal_scikit_learn_at_an_edge(rng: np.random.Generator, number: int) -> None:
    probs = sigmoid(rng.normal(0, 8, 20_000))
    probs[:200] = edges()[number]  # many pixels lie on the threshold itself
    probs[200:220] = 0
    mask = (rng.random(20_000) < probs).astype(np.uint8)
    scores, found = score_at(count_pixels(probs, mask), edges()[number]), probs >= edges()[number]
    assert scores["precision"] == precision_score(mask, found)
    assert scores["recall"] == recall_score(mask, found)
    assert scores["f1_dice"] == pytest.approx(f1_score(mask, found), abs=1e-15)
    assert scores["iou"] == jaccard_score(mask, found)
    assert scores["accuracy"] == accuracy_score(mask, found)
    assert scores["mcc"] == pytest.approx(matthews_corrcoef(mask, found), abs=1e-12)


def test_iou_is_nan_when_nothing_to_find_and_nothing_found() -> None:
    scores = score_at(count_bins(torch.zeros(4), torch.zeros(4)).numpy(), 0.5)
    assert np.isnan([scores[name] for name in ("iou", "f1_dice", "precision", "recall")]).all()
    assert scores["accuracy"] == 1.0


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_of_the_registry_has_its_best_value_for_a_perfect_map(name: str) -> None:
    metric = METRICS[name]
    counts = count_pixels(np.array([1, 1, 0, 0], np.float32), np.array([1, 1, 0, 0], np.uint8))
    assert score_all(counts, confuse(counts, 0.5))[name] == pytest.approx(metric.best, abs=1e-4)
    assert metric.best in (metric.low, metric.high)


def test_each_metric_of_the_registry_stays_in_its_range(rng: np.random.Generator) -> None:
    for threshold in (0.0, 0.3, 0.9):
        counts = count_bins(*draw_pixels(rng)).numpy()
        scores = score_all(counts, confuse(counts, threshold))
        assert list(scores) == list(METRICS)
        for name, score in scores.items():
            assert np.isnan(score) or METRICS[name].low <= score <= METRICS[name].high


def test_scores_at_a_threshold_are_those_that_depend_on_it() -> None:
    names = {name for name, metric in METRICS.items() if metric.at_threshold}
    assert set(score_confusion(Confusion(1, 2, 3, 4))) == names
    assert names == {"precision", "recall", "f1_dice", "iou", "accuracy", "mcc"}
