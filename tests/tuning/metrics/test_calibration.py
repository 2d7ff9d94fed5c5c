"""Calibration from the histogram alone: hand-made answers, and scikit-learn's within the stated bound."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tuning.metrics.calibration import MOST_BINS, brier, calibration_error, reliability
from tuning.metrics.histogram import BINS, count_bins

WIDTH = 2.0**-15  # of the widest bin


def draw(rng: np.random.Generator, spread: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw probabilities, and labels that fall out less extreme than they say."""
    logits = rng.normal(-2, spread, 50_000)
    mask = rng.random(50_000) < 1 / (1 + np.exp(-0.6 * logits))
    return torch.from_numpy(logits).float().sigmoid().numpy(), mask.astype(np.uint8)


def count(probs: np.ndarray | list[float], mask: np.ndarray | list[int]) -> np.ndarray:
    return count_bins(torch.tensor(probs), torch.tensor(mask)).numpy()


def test_brier_score_follows_from_the_squares() -> None:
    # landslide at 0.75: 0.0625; background at 0.5: 0.25; at 0: 0; landslide at 1: 0; mean 0.3125 / 4
    counts = count([0.75, 0.5, 0.0, 1.0], [1, 0, 0, 1])
    assert brier(counts) == pytest.approx(0.3125 / 4, abs=WIDTH)


def test_brier_score_of_a_constant_map_is_the_share_s_variance() -> None:
    assert brier(count([0.25] * 8, [1, 1] + [0] * 6)) == pytest.approx(0.25 * 0.75, abs=WIDTH)


@pytest.mark.parametrize("spread", [0.1, 3.0, 12.0])
def test_brier_score_agrees_with_scikit_learn(rng: np.random.Generator, spread: float) -> None:
    probs, mask = draw(rng, spread)
    assert brier(count(probs, mask)) == pytest.approx(brier_score_loss(mask, probs), abs=4e-5)


def test_reliability_follows_from_the_pixels() -> None:
    # [0, 0.5): 0.125 and 0.375, one landslide of two; [0.5, 1]: 0.5, 0.75, 1, all three
    found = reliability(count([0.125, 0.375, 0.5, 0.75, 1.0], [0, 1, 1, 1, 1]), bins=2)
    assert found.pixels.tolist() == [2, 3]
    assert found.observed.tolist() == [0.5, 1.0]
    np.testing.assert_allclose(found.predicted, [0.25, 0.75], atol=WIDTH / 2)


def test_error_follows_from_the_gaps() -> None:
    # bins as above: (2 |0.25 - 0.5| + 3 |0.75 - 1|) / 5
    counts = count([0.125, 0.375, 0.5, 0.75, 1.0], [0, 1, 1, 1, 1])
    assert calibration_error(counts, bins=2) == pytest.approx((2 * 0.25 + 3 * 0.25) / 5, abs=WIDTH)


def test_error_is_zero_for_a_sure_and_right_map() -> None:
    assert calibration_error(count([0.0, 0.0, 1.0], [0, 0, 1])) == pytest.approx(0, abs=WIDTH)


def test_bins_without_pixels_are_nan_and_weigh_nothing() -> None:
    found = reliability(count([0.1, 0.1], [0, 1]), bins=4)
    assert np.isnan(found.predicted).tolist() == [False, True, True, True]
    assert np.isnan(found.observed).tolist() == [False, True, True, True]
    assert found.pixels.sum() == 2


@pytest.mark.parametrize("bins", [1, 8, 15, 16, 100])
def test_reliability_agrees_with_scikit_learn(rng: np.random.Generator, bins: int) -> None:
    probs, mask = draw(rng)
    near = np.abs(probs * bins - np.round(probs * bins)) < 2 * WIDTH * bins
    probs, mask = probs[~near], mask[~near]  # off the borders, where rounding may choose the side
    found = reliability(count(probs, mask), bins)
    observed, predicted = calibration_curve(mask, probs, n_bins=bins)
    some = found.pixels > 0
    np.testing.assert_allclose(found.observed[some], observed, atol=1e-12)
    np.testing.assert_allclose(found.predicted[some], predicted, atol=WIDTH / 2)
    expected = np.abs(observed - predicted) @ found.pixels[some] / len(probs)
    assert calibration_error(counts=count(probs, mask), bins=bins) == pytest.approx(
        expected, abs=WIDTH / 2
    )


def test_every_pixel_counts_once_for_any_number_of_bins(rng: np.random.Generator) -> None:
    counts = count(*draw(rng))
    for bins in (1, 7, 15, MOST_BINS):
        assert reliability(counts, bins).pixels.sum() == counts.sum()


def test_histograms_add_up(rng: np.random.Generator) -> None:
    probs, mask = draw(rng)
    parts = count(probs[:9000], mask[:9000]) + count(probs[9000:], mask[9000:])
    assert brier(parts) == brier(count(probs, mask))
    assert calibration_error(parts) == calibration_error(count(probs, mask))


def test_scores_are_nan_without_a_pixel() -> None:
    nothing = np.zeros((2, BINS), np.int64)
    assert np.isnan([brier(nothing), calibration_error(nothing)]).all()


@pytest.mark.parametrize("bins", [0, -1, MOST_BINS + 1])
def test_wrong_number_of_bins_is_refused(bins: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 1000 bins, but got {bins}"):
        reliability(np.zeros((2, BINS), np.int64), bins)


@pytest.mark.parametrize("measure", [brier, reliability, calibration_error])
def test_histogram_of_other_bins_is_refused(measure: Callable[[np.ndarray], object]) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 65025\), but got \(2, 100\)"):
        measure(np.ones((2, 100), np.int64))
