"""Scores over all thresholds equal scikit-learn's, or lie within a bound that is tested."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from tests.support.pixels import Pixels, count_pixels, draw_pixels, sigmoid
from tuning.metrics.curve import (
    average_precision,
    bound_average_precision,
    choose_cautious_threshold,
    choose_threshold,
    f1_oracle,
    is_constant,
    roc_auc,
    trace_curve,
)
from tuning.metrics.histogram import count_bins, edges, to_bins
from tuning.metrics.scores import score_at

OF_COUNTS: list[Callable[[np.ndarray], object]] = [
    trace_curve,
    average_precision,
    bound_average_precision,
    roc_auc,
    choose_threshold,
    f1_oracle,
]


@pytest.mark.parametrize("measure", OF_COUNTS)
def test_histogram_of_other_bins_is_refused(measure: Callable[[np.ndarray], object]) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 65025\), but got \(2, 16384\)"):
        measure(np.ones((2, 1 << 14), np.int64))


def mix(rng: np.random.Generator, centre: float, spread: float, share: float = 0.07) -> Pixels:
    """Draw pixels whose logits spread, with landslides 1.5 deviations higher."""
    mask = rng.random(200_000) < share
    return sigmoid(rng.normal(centre, spread, mask.size) + 1.5 * spread * mask), mask.astype("u1")


def be_sure(rng: np.random.Generator) -> Pixels:
    """Draw probabilities that all lie within 1e-6 of 0 or 1, every tenth on the wrong side."""
    mask = rng.random(200_000) < 0.3
    side = np.where(mask ^ (rng.random(mask.size) < 0.1), 1, -1)
    size = 14 + np.abs(rng.normal(0, 3, mask.size)) + 0.5 * (side * (2 * mask - 1.0))
    return sigmoid(side * size), mask.astype(np.uint8)


def tie(rng: np.random.Generator) -> Pixels:
    """Draw eleven values alone."""
    probs, mask = draw_pixels(rng, 200_000)
    return np.round(probs.numpy(), 1), mask.numpy()


def scale(rng: np.random.Generator) -> Pixels:
    """Draw a score that crowds around 0.5, like a scaled change in dB."""
    mask = rng.random(200_000) < 0.07
    change = rng.normal(0.05 * mask, 0.05)
    return np.clip(0.5 + change, 0, 1).astype(np.float32), mask.astype(np.uint8)


def fix(probs: list[float], mask: list[int]) -> Callable[[np.random.Generator], Pixels]:
    return lambda _: (np.array(probs, np.float32), np.array(mask, np.uint8))


REALISTIC: dict[str, Callable[[np.random.Generator], Pixels]] = {
    "plain": lambda rng: tuple(part.numpy() for part in draw_pixels(rng, 200_000)),  # type: ignore[return-value]
    "unsure": lambda rng: mix(rng, -2, 1),
    "usual": lambda rng: mix(rng, -4, 2),
    "rare": lambda rng: mix(rng, -6, 3, 0.001),
    "sure": lambda rng: mix(rng, -8, 8),
    "saturated": lambda rng: mix(rng, 14, 3),
    "all at the ends": be_sure,
    "heavy ties": tie,
    "scaled change": scale,
    "constant": fix([0.3] * 10, [1] * 2 + [0] * 8),
    "zeros and ones": fix([0, 1, 1, 0, 1], [0, 1, 0, 1, 1]),
    "one pixel": fix([0.7], [1]),
    "two next to one": fix([1 - 2.0**-24, 1.0], [1, 0]),
    "two next to zero": fix([2e-14, 1e-14], [1, 0]),
    "all landslide": fix([0.1, 0.2, 0.3], [1, 1, 1]),
}


@pytest.mark.parametrize("name", REALISTIC)
def test_average_precision_agrees_with_scikit_learn(rng: np.random.Generator, name: str) -> None:
    probs, mask = REALISTIC[name](rng)
    expected = average_precision_score(mask, probs)
    assert average_precision(count_pixels(probs, mask)) == pytest.approx(expected, abs=1e-4)


def test_average_precision_equals_scikit_learn_on_edges(rng: np.random.Generator) -> None:
    for size in (3, 50, 5000):
        probs = rng.choice(edges(), size).astype(np.float32)
        mask = (np.arange(size) % 3 == 0).astype(np.uint8)
        expected = average_precision_score(mask, probs)
        assert average_precision(count_pixels(probs, mask)) == pytest.approx(expected, abs=1e-12)


ADVERSARIAL: dict[str, Callable[[np.random.Generator], Pixels]] = {
    "one bin, well ordered": fix([0.50001, 0.50002, 0.50003], [0, 1, 1]),
    "one bin, wrongly ordered": fix([0.50001, 0.50002, 0.50003], [1, 1, 0]),
    "one bin of landslides": fix([0.9, 0.50002, 0.50003], [0, 1, 1]),
    "below all bins": fix([1e-40, 2e-20, 3e-16], [0, 1, 0]),
    "nearly constant": lambda rng: mix(rng, -14, 0.1),
    "hardly any spread": lambda rng: mix(rng, 0, 0.01),
    "below the lowest": lambda rng: mix(rng, -40, 2),
}


@pytest.mark.parametrize("name", [*REALISTIC, *ADVERSARIAL])
def test_bounds_hold_scikit_learn_s_average_precision(rng: np.random.Generator, name: str) -> None:
    probs, mask = (REALISTIC | ADVERSARIAL)[name](rng)
    counts = count_pixels(probs, mask)
    low, high = bound_average_precision(counts)
    assert low - 1e-9 <= average_precision_score(mask, probs) <= high + 1e-9
    assert low - 1e-9 <= average_precision(counts) <= high + 1e-9


def test_bounds_hold_for_a_handful_of_pixels(rng: np.random.Generator) -> None:
    for _ in range(200):
        probs = (0.5 + rng.integers(0, 40, 12) * 2.0**-18).astype(np.float32)  # five bins
        mask = np.append((rng.random(11) < 0.4).astype(np.uint8), np.uint8(1))
        low, high = bound_average_precision(count_pixels(probs, mask))
        assert low - 1e-12 <= average_precision_score(mask, probs) <= high + 1e-12


def test_bounds_are_reached_by_the_worst_and_the_best_order() -> None:
    step = np.float32(2.0**-20)  # 32 of them share a bin
    probs = np.float32(0.5) + np.array([8, 1, 2, 3, 4]) * step
    counts = count_pixels(probs, np.array([0, 1, 1, 1, 0], np.uint8))
    low, high = bound_average_precision(counts)
    # background first: (1/3 + 2/4 + 3/5) / 3; landslides first: 1
    assert low == pytest.approx((1 / 3 + 2 / 4 + 3 / 5) / 3)
    assert high == 1.0
    assert average_precision(counts) == pytest.approx(3 / 5)


def test_average_precision_is_prevalence_for_a_constant_map() -> None:
    counts = count_bins(torch.full((10,), 0.3), torch.tensor([1] * 2 + [0] * 8)).numpy()
    assert average_precision(counts) == pytest.approx(0.2)


def test_average_precision_is_nan_without_landslides() -> None:
    counts = count_bins(torch.rand(4), torch.zeros(4)).numpy()
    assert np.isnan(average_precision(counts))
    assert np.isnan(bound_average_precision(counts)).all()
    assert np.isnan(f1_oracle(counts))
    assert choose_threshold(counts) == 0.5


# ----------------------------------------------------------------------- curve, ranking, threshold


def test_recall_falls_as_the_threshold_rises(rng: np.random.Generator) -> None:
    curve = trace_curve(count_bins(*draw_pixels(rng)).numpy())
    assert (np.diff(curve.thresholds) > 0).all()
    assert (np.diff(curve.recall) <= 0).all()
    assert curve.recall[0] == 1.0


def test_curve_equals_scikit_learn_s_on_edges(rng: np.random.Generator) -> None:
    probs = rng.choice(edges(), 3000).astype(np.float32)
    mask = (rng.random(3000) < 0.3).astype(np.uint8)
    precision, recall, thresholds = precision_recall_curve(mask, probs)
    curve = trace_curve(count_pixels(probs, mask))
    assert np.array_equal(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.precision, precision[:-1], atol=1e-15)
    np.testing.assert_allclose(curve.recall, recall[:-1], atol=1e-15)


def test_area_under_roc_counts_a_tie_half() -> None:
    # landslides 0.9, 0.4; background 0.4, 0.1: three pairs won, one tied, of four
    counts = count_pixels(
        np.array([0.9, 0.4, 0.4, 0.1], np.float32), np.array([1, 1, 0, 0], np.uint8)
    )
    assert roc_auc(counts) == 3.5 / 4


@pytest.mark.parametrize("name", ["usual", "rare", "sure", "heavy ties", "scaled change"])
def test_area_under_roc_agrees_with_scikit_learn(rng: np.random.Generator, name: str) -> None:
    probs, mask = REALISTIC[name](rng)
    assert roc_auc(count_pixels(probs, mask)) == pytest.approx(roc_auc_score(mask, probs), abs=1e-4)


def test_area_under_roc_is_half_for_a_constant_map_and_nan_for_one_class() -> None:
    assert roc_auc(count_bins(torch.full((4,), 0.3), torch.tensor([0, 0, 0, 1])).numpy()) == 0.5
    assert np.isnan(roc_auc(count_bins(torch.rand(4), torch.zeros(4)).numpy()))
    assert np.isnan(roc_auc(count_bins(torch.rand(4), torch.ones(4)).numpy()))


def test_chosen_threshold_has_the_highest_f1(rng: np.random.Generator) -> None:
    counts = count_bins(*draw_pixels(rng)).numpy()
    best = score_at(counts, choose_threshold(counts))["f1_dice"]
    assert best >= max(score_at(counts, float(edge))["f1_dice"] for edge in edges()[::16])


def test_lowest_threshold_is_chosen_among_equals() -> None:
    # From 0.9 on: tp 1, fp 0, fn 2, F1 2/4. From 0.2 on: tp 3, fp 6, fn 0, F1 6/12.
    probs = np.array([0.9] + [0.2] * 8, np.float32)
    counts = count_pixels(probs, np.array([1, 1, 1] + [0] * 6, np.uint8))
    assert choose_threshold(counts) == edges()[to_bins(torch.tensor([0.2]))[0]]


def test_oracle_is_the_f1_at_the_best_threshold_of_these_very_pixels() -> None:
    # landslides 0.8, 0.6, 0.2; background 0.7, 0.1: from 0.2 on tp 3, fp 1, fn 0: F1 6/7
    probs = np.array([0.8, 0.6, 0.2, 0.7, 0.1], np.float32)
    counts = count_pixels(probs, np.array([1, 1, 1, 0, 0], np.uint8))
    assert f1_oracle(counts) == 6 / 7
    assert f1_oracle(counts) == score_at(counts, choose_threshold(counts))["f1_dice"]


def test_no_threshold_beats_the_oracle(rng: np.random.Generator) -> None:
    counts = count_bins(*draw_pixels(rng)).numpy()
    assert f1_oracle(counts) >= max(score_at(counts, t)["f1_dice"] for t in np.arange(0, 1, 0.01))


def test_a_map_is_constant_if_its_probabilities_share_a_bin_or_lie_in_two_neighbours() -> None:
    mask = np.array([0, 1, 0, 1], np.uint8)
    step = 2.0**-15
    assert is_constant(count_pixels(np.full(4, 0.3, np.float32), mask))
    assert is_constant(count_pixels(np.array([0.5, 0.5 + step] * 2, np.float32), mask))
    assert not is_constant(count_pixels(np.array([0.5, 0.5 + 2 * step] * 2, np.float32), mask))


def test_cautious_threshold_has_the_highest_f1_among_those_with_few_false_pixels() -> None:
    rng = np.random.default_rng(5)
    probs, mask = draw_pixels(rng, 5000)
    counts = count_bins(probs, mask).numpy()
    usual = choose_threshold(counts)
    most = int(counts[0].sum())
    assert choose_cautious_threshold(counts, most) == usual
    limit = int(((probs >= usual) & (mask == 0)).sum()) // 2
    cautious = choose_cautious_threshold(counts, limit)
    assert cautious > usual
    false = ((probs >= cautious) & (mask == 0)).sum()
    assert false <= limit
    allowed = [
        score_at(counts, edge)["f1_dice"]
        for edge in edges()[np.flatnonzero(counts.any(axis=0))]
        if ((probs >= edge) & (mask == 0)).sum() <= limit
    ]
    assert score_at(counts, cautious)["f1_dice"] == pytest.approx(max(allowed))


def test_cautious_threshold_of_a_map_that_is_sure_of_false_pixels_is_one() -> None:
    counts = np.zeros((2, len(edges())), np.int64)
    counts[:, -1] = 5
    assert choose_cautious_threshold(counts, 4) == 1.0
