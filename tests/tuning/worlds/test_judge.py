"""Claims about pairs of models are judged against all worlds."""

import numpy as np
import pytest

from tuning.worlds.judge import Claim, Rules, Scores, compare_groups, compare_rankings, judge

RULES = Rules(margin=0.02, block_tiles=3, group=5)
PAIRS = [("a", "b")]


def make_scores(gap: float, spread: float, worlds: int, seed: int = 3) -> Scores:
    """Return scores of two models whose difference varies between worlds."""
    rng = np.random.default_rng(seed)
    labels = np.stack([0.5 + gap + spread * rng.normal(size=worlds), np.full(worlds, 0.5)], axis=1)
    return Scores(tuple(range(100, 100 + worlds)), ("a", "b"), labels, labels + 0.1)


def claim(difference: float, half: float, verdict: str, seed: int = 100) -> Claim:
    return Claim(
        (seed,), "a", "b", difference, difference - half, difference + half, half / 2, verdict
    )


def test_verdicts_that_the_worlds_contradict_are_wrong() -> None:
    scores = make_scores(0.1, 0.01, 10)
    verdicts = ("better", "better", "worse", "equivalent", "undecided")
    found = judge(scores, [claim(0.1, 0.05, verdict) for verdict in verdicts], 0.02)
    assert found["shown"] == "better"
    assert (found["right"], found["wrong"], found["undecided"]) == (2, 2, 1)


def test_between_models_that_tie_better_and_worse_are_wrong_and_equivalent_is_right() -> None:
    scores = make_scores(0.0, 0.01, 10)
    verdicts = ("better", "worse", "equivalent", "undecided")
    found = judge(scores, [claim(0.0, 0.05, verdict) for verdict in verdicts], 0.02)
    assert found["shown"] == "no difference"
    assert (found["right"], found["wrong"]) == (1, 2)


def test_intervals_of_groups_of_worlds_cover_as_often_as_they_say() -> None:
    found = [
        judge(scores, compare_groups(scores, PAIRS, RULES), 0.02)
        for scores in (make_scores(0.003, 0.03, 20, seed) for seed in range(100))
    ]
    assert np.mean([one["coverage"] for one in found]) == pytest.approx(0.95, abs=0.03)
    assert np.mean([one["sd_ratio"] for one in found]) == pytest.approx(1.06, abs=0.1)
    decisive = np.mean([one["better"] + one["worse"] for one in found])
    assert decisive < 2  # of 20 groups: a true tie is seldom called better


def test_intervals_of_one_world_that_forget_what_its_tiles_share_cover_too_seldom() -> None:
    scores = make_scores(0.0, 0.03, 20)
    gaps = scores.gaps("a", "b")
    claims = [claim(g, 0.02, "better", seed) for g, seed in zip(gaps, scores.seeds, strict=True)]
    found = judge(scores, claims, 0.02)
    assert found["coverage"] < 0.75
    assert found["sd_ratio"] == pytest.approx(gaps.std(ddof=1) / 0.01)


def test_few_worlds_are_one_undecided_group() -> None:
    scores = make_scores(0.1, 0.001, 3)
    (only,) = compare_groups(scores, PAIRS, RULES)
    assert (only.worlds, only.verdict) == ((100, 101, 102), "undecided")
    found = judge(scores, [only], 0.02)
    assert np.isnan([found["coverage"], found["sd_ratio"]]).all()


def test_groups_are_consecutive_worlds_each_world_equally_often() -> None:
    claims = compare_groups(make_scores(0.1, 0.01, 7), PAIRS, RULES)
    assert claims[0].worlds == (100, 101, 102, 103, 104)
    assert claims[-1].worlds == (106, 100, 101, 102, 103)
    assert np.unique([one.worlds for one in claims], return_counts=True)[1].tolist() == [5] * 7


def test_rankings_agree_fully_with_themselves_and_not_with_their_reverse() -> None:
    labels = np.array([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4]])
    scores = Scores((1, 2), ("a", "b", "c"), labels, labels[:, ::-1])
    assert compare_rankings(scores) == (1.0, -1.0)
