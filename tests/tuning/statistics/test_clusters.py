import numpy as np
import pytest

from tuning.statistics.clusters import (
    FEW_EVENTS,
    MIN_EVENTS,
    compare_events,
    estimate_event_mean,
)
from tuning.statistics.family import Verdict

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


def test_difference_over_events_is_paired_with_student_s_interval() -> None:
    easy = np.linspace(0.2, 0.8, 6)  # what an event makes easy for both models cancels
    gaps = np.array([0.05, 0.06, 0.04, 0.05, 0.07, 0.03])
    pair = compare_events(easy + gaps, easy, 0.02, ("new", "old"))
    half = 2.571 * gaps.std(ddof=1) / np.sqrt(6)  # t quantile with 5 degrees of freedom
    assert (pair.a, pair.b, pair.events, pair.verdict) == ("new", "old", 6, "better")
    assert (pair.low, pair.high) == pytest.approx((0.05 - half, 0.05 + half), abs=1e-4)
    assert pair.p < 0.05
    turned = compare_events(easy, easy + gaps, 0.02)
    assert turned.verdict == "worse"
    assert (turned.low, turned.high) == pytest.approx((-pair.high, -pair.low))


@pytest.mark.parametrize(
    ("scale", "margin", "verdict"), [(0.01, 0.02, "equivalent"), (0.1, 0.02, "undecided")]
)
def test_models_without_a_difference_are_equivalent_only_within_the_margin(
    scale: float, margin: float, verdict: Verdict
) -> None:
    gaps = scale * np.array([-1.0, 1.0, -0.5, 0.5, 0.2, -0.2])
    pair = compare_events(0.5 + gaps, np.full(6, 0.5), margin)
    assert pair.verdict == verdict
    assert pair.low < 0 < pair.high


def test_no_interval_of_an_undecided_pair_excludes_0() -> None:
    rng = np.random.default_rng(RNG)
    for _ in range(300):
        pair = compare_events(0.5 + 0.03 * rng.normal(size=6), np.full(6, 0.48), 0.02, pairs=3)
        excludes = pair.low > 0 or pair.high < 0
        assert excludes == (pair.verdict in ("better", "worse")) == (pair.p < 0.05)


def test_equal_models_are_rarely_called_better_on_few_events() -> None:
    rng = np.random.default_rng(RNG)
    gaps = rng.normal(size=(2000, MIN_EVENTS))
    verdicts = [compare_events(row, np.zeros(MIN_EVENTS), 0.02).verdict for row in gaps]
    assert 0.035 < np.mean([verdict in ("better", "worse") for verdict in verdicts]) < 0.065


def test_few_events_are_undecided_with_the_reason() -> None:
    pair = compare_events(np.array([0.6, 0.7, 0.8, 0.9]), np.full(4, 0.1), 0.02)
    assert (pair.verdict, pair.note) == ("undecided", FEW_EVENTS)
    assert (pair.low, pair.high) == pytest.approx((0.5, 0.8))
    assert np.isnan(pair.p)


def test_unequal_events_missing_scores_and_senseless_margins_are_refused() -> None:
    five = np.linspace(0.1, 0.5, 5)
    with pytest.raises(ValueError, match=r"both scores of every event, but got shapes \(5,\) for"):
        compare_events(five, five[:4], 0.02)
    with pytest.raises(ValueError, match=r"needs a score of each, but got \[nan.*for 'b'"):
        compare_events(five, np.full(5, np.nan), 0.02)
    with pytest.raises(ValueError, match=r"margin must be above 0 .* but got margin=0.0"):
        compare_events(five, five, 0.0)
