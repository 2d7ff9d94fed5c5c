import numpy as np
import pytest

from tuning.metrics.clusters import MIN_EVENTS, estimate_event_mean

RNG = 7


def test_every_event_counts_the_same() -> None:
    estimate = estimate_event_mean(np.array([0.2, 0.6]), np.random.default_rng(RNG))
    assert estimate.mean == pytest.approx(0.4)


def test_few_events_give_a_range_and_no_interval() -> None:
    estimate = estimate_event_mean(np.array([0.2, 0.6, 0.3]), np.random.default_rng(RNG))
    assert (estimate.low, estimate.high, estimate.is_interval) == (0.2, 0.6, False)
    alone = estimate_event_mean(np.array([0.2]), np.random.default_rng(RNG))
    assert np.isnan([alone.low, alone.high]).all()


def test_interval_of_events_has_the_width_of_student_s() -> None:
    scores = np.linspace(0.35, 0.65, 8)
    estimate = estimate_event_mean(scores, np.random.default_rng(RNG), draws=20_000)
    half = 2.365 * scores.std(ddof=1) / np.sqrt(8)  # t quantile with 7 degrees of freedom
    assert estimate.is_interval
    assert estimate.high - estimate.mean == pytest.approx(half, rel=0.15)
    assert estimate.mean - estimate.low == pytest.approx(half, rel=0.15)


def test_interval_stays_within_a_score_s_range() -> None:
    scores = np.array([0.0, 0.0, 0.0, 0.0, 1.0][:MIN_EVENTS])
    estimate = estimate_event_mean(scores, np.random.default_rng(RNG))
    assert (estimate.low, estimate.high) == (0.0, pytest.approx(0.76, abs=0.25))


def test_same_state_gives_the_same_interval() -> None:
    scores = np.linspace(0.1, 0.5, 6)
    first, second = (estimate_event_mean(scores, np.random.default_rng(RNG)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("scores", [[], [0.1, float("nan")]])
def test_event_without_a_score_is_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="A mean over events needs a score of each, but got"):
        estimate_event_mean(np.array(scores), np.random.default_rng(RNG))
