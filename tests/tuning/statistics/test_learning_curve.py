"""Tests of `tuning.statistics.learning_curve`."""

import numpy as np
import pytest

from tuning.statistics.learning_curve import GAIN, REACH, fit_learning_curve

AMOUNTS = np.array([20.0, 50.0, 100.0, 200.0])
TRUE = 0.6 - 0.4 * (AMOUNTS / 20) ** -0.5


def draw(scores: np.ndarray, spread: float, draws: int = 999) -> np.ndarray:
    return scores + spread * np.random.default_rng(0).standard_normal((draws, len(scores)))


def test_a_planted_curve_is_found_with_what_more_would_bring() -> None:
    curve = fit_learning_curve(AMOUNTS, TRUE, draw(TRUE, 0.004))
    # f(200) + 0.01 = 0.48351 = 0.6 - 0.4 (n / 20)^-0.5  ->  n = 235.8
    assert curve.more == pytest.approx(35.8, rel=0.05)
    assert curve.more_low < 35.8 < curve.more_high < 60
    assert curve.plateau == pytest.approx(0.6, abs=0.02)
    assert curve.grid[[0, -1]] == pytest.approx([20, REACH * 200])


def test_a_curve_is_monotone_and_its_band_holds_it() -> None:
    scores = np.array([0.3, 0.45, 0.43, 0.5])
    curve = fit_learning_curve(AMOUNTS, scores, draw(scores, 0.02))
    assert (np.diff(curve.fitted) >= 0).all()
    assert (curve.low <= curve.fitted).all()
    assert (curve.fitted <= curve.high).all()
    assert curve.high.max() <= 1.0


def test_a_plateau_never_exceeds_1() -> None:
    scores = np.array([0.5, 0.7, 0.85, 0.99])
    curve = fit_learning_curve(AMOUNTS, scores, draw(scores, 0.01))
    assert curve.plateau <= 1.0
    assert np.abs(curve.fitted[0] - 0.5) < 0.03


def test_a_flat_or_falling_curve_gains_nothing_from_more() -> None:
    for scores in (np.full(4, 0.5), np.array([0.6, 0.55, 0.5, 0.5])):
        curve = fit_learning_curve(AMOUNTS, scores, draw(scores, 0.001))
        assert curve.scale == 0
        assert np.isinf([curve.more, curve.more_high]).all()


def test_the_unit_of_the_amount_does_not_matter() -> None:
    share = fit_learning_curve(AMOUNTS / 200, TRUE, draw(TRUE, 0.004))
    tiles = fit_learning_curve(AMOUNTS, TRUE, draw(TRUE, 0.004))
    assert 200 * share.more == pytest.approx(tiles.more)


def test_the_band_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held, more = np.random.default_rng(5), [], 0
    for _ in range(60):
        scores = TRUE + 0.01 * rng.standard_normal(4)
        drawn = scores + 0.01 * rng.standard_normal((299, 4))
        curve = fit_learning_curve(AMOUNTS, scores, drawn)
        truth = 0.6 - 0.4 * (curve.grid / 20) ** -0.5
        held.append(((curve.low <= truth) & (truth <= curve.high)).mean())
        more += curve.more_low <= 35.8 <= curve.more_high
    assert np.mean(held) > 0.87  # 95 % over 300 curves of benchmarks/matrix_rates.py
    assert more >= 52  # fewer of 60 have a probability of 1 %


@pytest.mark.parametrize(
    ("amounts", "message"),
    [
        ([1.0, 2.0], "needs 3 levels, but got 2. Add levels to the axis"),
        ([0.0, 0.1, 0.2], r"must ascend from above 0, but got \[0.0, 0.1, 0.2\]. Leave out"),
        ([1.0, 1.0, 2.0], "must ascend from above 0"),
    ],
)
def test_wrong_amounts_are_refused(amounts: list[float], message: str) -> None:
    scores = np.linspace(0.4, 0.5, len(amounts))
    with pytest.raises(ValueError, match=message):
        fit_learning_curve(np.array(amounts), scores, draw(scores, GAIN))
