"""Calibration changes probabilities, never their order, and brings them near the observed shares."""

import time

import numpy as np
import pytest
import torch
from scipy.special import expit

from tuning.metrics.calibration import brier, calibration_error
from tuning.metrics.curve import average_precision, choose_threshold
from tuning.metrics.histogram import BINS, count_bins, edges
from tuning.metrics.recalibration import Calibration, fit_calibration, recalibrate
from tuning.metrics.scores import confuse


def draw(seed: int, pixels: int = 100_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true probabilities, labels, and the probabilities of a network that is too sure."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-3, 2, pixels)
    labels = rng.random(pixels) < expit(odds)
    return expit(odds), labels, expit(2 * odds + 3)


def count(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    pairs = torch.from_numpy(probs.astype(np.float32)), torch.from_numpy(labels.astype(np.uint8))
    counted: np.ndarray = count_bins(*pairs).numpy()
    return counted


def test_a_too_sure_network_becomes_calibrated_on_other_pixels() -> None:
    _, labels, sure = draw(0)
    calibration = fit_calibration(count(sure, labels))
    true, others, probs = draw(1)
    before = count(probs, others)
    after = recalibrate(before, calibration)
    assert calibration_error(before) > 0.05
    assert calibration_error(after) < 0.005
    assert brier(after) < brier(before)
    np.testing.assert_allclose(calibration.apply(probs), true, atol=0.03)


def test_a_calibrated_network_stays() -> None:
    true, labels, _ = draw(2)
    calibration = fit_calibration(count(true, labels))
    np.testing.assert_allclose(calibration.apply(true), true, atol=0.02)


@pytest.mark.parametrize("seed", [0, 1])
def test_order_average_precision_and_mask_stay(seed: int) -> None:
    _, labels, probs = draw(seed)
    counts = count(probs, labels)
    calibration = fit_calibration(counts)
    after = recalibrate(counts, calibration)
    assert after.sum(axis=1).tolist() == counts.sum(axis=1).tolist()
    assert average_precision(after) == pytest.approx(average_precision(counts), abs=1e-3)
    threshold = choose_threshold(counts)
    kept = float(calibration.apply(threshold))
    single = probs.astype(np.float32)
    np.testing.assert_array_equal(single >= threshold, calibration.apply(single) >= kept)
    assert (np.diff(calibration.apply(edges()[edges() < 0.999])) >= 0).all()
    assert confuse(after, kept).tp == pytest.approx(confuse(counts, threshold).tp, rel=1e-3)


def test_a_threshold_at_an_end_keeps_its_mask() -> None:
    """Float32 rounds the log-odds above 17.3 to a probability of 1, which calibration tells apart again."""
    calibration = Calibration(0.8, 0.1, 0.3)
    assert calibration.apply(0.0) == 0
    logits = np.array([-40.0, 0.0, 16.0, 17.5, 30.0])
    found = expit(logits).astype(np.float32) >= 1.0
    new = expit(-0.8 * np.logaddexp(0, -logits) + 0.1 * np.logaddexp(0, logits) + 0.3)
    np.testing.assert_array_equal(new >= calibration.apply(1.0), found)


def test_the_default_changes_nothing() -> None:
    probs = np.array([0.0, 1e-12, 0.25, 0.5, 0.999])
    np.testing.assert_allclose(Calibration().apply(probs), probs, rtol=1e-12)


@pytest.mark.parametrize("rows", [(0, 0), (5, 0), (0, 5)])
def test_without_both_classes_nothing_is_changed(rows: tuple[int, int]) -> None:
    counts = np.zeros((2, BINS), np.int64)
    counts[:, 30_000] = rows
    assert fit_calibration(counts) == Calibration()


@pytest.mark.parametrize("flip", [False, True])
def test_labels_that_are_told_apart_or_reversed_give_a_finite_increasing_map(flip: bool) -> None:
    counts = np.zeros((2, BINS), np.int64)
    counts[int(flip), 20_000], counts[1 - int(flip), 40_000] = 50, 50
    calibration = fit_calibration(counts)
    probs = calibration.apply(np.linspace(0.01, 0.99, 50))
    assert np.isfinite(probs).all()
    assert (np.diff(probs) > 0).all()


def test_a_constant_map_becomes_the_share_of_landslides() -> None:
    counts = np.zeros((2, BINS), np.int64)
    counts[:, 40_000] = 900, 100
    probability = float(fit_calibration(counts).apply(edges()[40_000]))
    assert probability == pytest.approx(0.1, abs=0.005)


def test_a_fit_takes_a_fraction_of_a_second() -> None:
    _, labels, probs = draw(3)
    counts = count(probs, labels)
    began = time.process_time()
    fit_calibration(counts)
    assert time.process_time() - began < 2.0
