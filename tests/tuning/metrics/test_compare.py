"""Comparisons of models: laws, arithmetic by hand, and simulations in which the truth is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from tuning.metrics import bootstrap as _resample
from tuning.metrics.compare import (
    Comparison,
    adjust_holm,
    compare_all,
    compare_pair,
    decide_verdict,
    estimate,
    pooled_ap,
    pooled_f1,
    pooled_iou,
    rank_groups,
)
from tuning.report.sections import describe_verdict

BINS = 32
EDGES = np.linspace(-8.0, 6.0, BINS + 1)[1:-1]  # of a pixel's logit
PIXELS = 16_384
DRAWS = 400
CONTRAST = 2.5  # between the logits of landslide and background pixels


def make_rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def share_bins(mean: np.ndarray) -> np.ndarray:
    """Share of pixels by bin, whose logits have this mean and spread by 1, shape ``(..., BINS)``."""
    below = norm.cdf(EDGES - mean[..., None])
    return np.diff(below, axis=-1, prepend=0.0, append=1.0)


def simulate(
    rng: np.random.Generator,
    gains: tuple[float, ...],
    seeds: int = 5,
    tiles: int = 80,
    seed_spread: float = 0.05,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Simulate networks named a, b, c, ... and the strata of their tiles.

    A third of the tiles is empty, the others hold few or many landslides. All networks find the same tiles hard; every
    seed differs as a whole, and from tile to tile.
    """
    pixels = np.where(np.arange(tiles) % 3 > 0, rng.lognormal(5.0, 1.0, tiles), 0).astype(int)
    hard, bright = rng.normal(0, 0.6, tiles), rng.normal(-4.5, 0.5, tiles)
    models = {}
    for name, gain in zip("abcdefgh", gains, strict=False):
        blur = rng.normal(0, seed_spread, (2, seeds, 1)) + rng.normal(0, 0.15, (2, seeds, tiles))
        found = bright + CONTRAST + gain + hard + blur[0]
        background = rng.multinomial(
            PIXELS - pixels + 0 * blur[1].astype(int), share_bins(bright + blur[1])
        )
        landslides = rng.multinomial(pixels + 0 * blur[0].astype(int), share_bins(found))
        models[name] = np.concatenate([background, landslides], axis=-1)
    return models, (pixels > 0).astype(int)


def test_one_seed_has_no_spread_but_an_interval_over_tiles() -> None:
    models, strata = simulate(make_rng(), (0.0,), seeds=1)
    found = estimate(models["a"], pooled_ap, strata, make_rng(), DRAWS)
    assert np.isnan(found.std)
    assert found.low < found.mean < found.high


def test_the_same_generator_gives_the_same_numbers() -> None:
    models, strata = simulate(make_rng(), (0.0, 0.1))
    np.random.seed(1)
    first = compare_all(models, pooled_ap, strata, make_rng(3), draws=DRAWS)
    np.random.seed(2)
    assert compare_all(models, pooled_ap, strata, make_rng(3), draws=DRAWS) == first
    assert compare_all(models, pooled_ap, strata, make_rng(4), draws=DRAWS) != first


def test_the_size_of_a_chunk_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    models, strata = simulate(make_rng(), (0.0,))
    whole = estimate(models["a"], pooled_ap, strata, make_rng(), DRAWS)
    monkeypatch.setattr(_resample, "CHUNK_BYTES", 1)
    assert estimate(models["a"], pooled_ap, strata, make_rng(), DRAWS) == whole


def test_the_interval_covers_the_point_and_shrinks_with_more_tiles() -> None:
    widths = []
    for tiles in (30, 120, 480):
        models, strata = simulate(make_rng(1), (0.0,), tiles=tiles)
        found = estimate(models["a"], pooled_ap, strata, make_rng(), DRAWS)
        assert found.low < found.mean < found.high
        widths.append(found.high - found.low)
    assert widths[0] > widths[1] > widths[2]


def test_the_interval_over_seeds_is_as_wide_as_students() -> None:
    # one tile: only seeds are drawn. s = 0.1, S = 3: t(2) = 4.303 gives +- 0.248, the plain bootstrap +- 0.1
    sums = np.array([[(100 * k, 0, 1000 - 100 * k, 0)] for k in (4, 5, 6)])
    found = estimate(sums, lambda total: total[..., 0] / 1000, np.zeros(1, int), make_rng(), 20_000)
    assert found.std == pytest.approx(0.1)
    assert (found.high - found.low) / 2 == pytest.approx(0.248, rel=0.1)


def test_two_networks_share_the_tiles_that_are_hard_for_both() -> None:
    models, strata = simulate(make_rng(2), (0.0, 0.3), seed_spread=0.0)
    pair = compare_pair(models["a"], models["b"], pooled_ap, strata, make_rng(), draws=DRAWS)
    alone = estimate(models["a"], pooled_ap, strata, make_rng(), DRAWS)
    assert pair.high - pair.low < (alone.high - alone.low) / 2


def test_copies_of_one_architecture_tie() -> None:
    rng, tied = make_rng(5), 0
    for _ in range(40):
        models, strata = simulate(rng, (0.0, 0.0))
        tied += compare_pair(*models.values(), pooled_ap, strata, rng, draws=DRAWS).verdict == "tie"
    assert tied >= 38


def test_a_planted_gap_is_found_with_its_sign() -> None:
    models, strata = simulate(make_rng(6), (0.0, 0.6, 0.0))
    ab, ac, bc = compare_all(models, pooled_ap, strata, make_rng(), draws=DRAWS)
    assert (ab.verdict, ac.verdict, bc.verdict) == ("worse", "tie", "better")
    assert ab.high < 0 < bc.low
    assert (ab.improvement, bc.improvement) == (0.0, 1.0)
    rows = rank_groups({"a": 0.60, "b": 0.75, "c": 0.61}, [ab, ac, bc])
    assert [(row.name, row.group) for row in rows] == [("b", 1), ("c", 2), ("a", 2)]


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    many, _ = simulate(make_rng(7), (0.0, 0.3), seeds=20, tiles=1500)
    true = np.subtract(*(pooled_ap(sums.sum(1)).mean() for sums in many.values()))
    rng, covered = make_rng(8), 0
    for _ in range(60):
        models, strata = simulate(rng, (0.0, 0.3))
        pair = compare_pair(*models.values(), pooled_ap, strata, rng, draws=DRAWS)
        covered += pair.low <= true <= pair.high
    assert 54 <= covered <= 59  # 90 to 99 %


def test_an_interval_excludes_zero_when_p_is_small() -> None:
    rng = make_rng(9)
    for gain in np.linspace(0.0, 0.3, 12):
        models, strata = simulate(rng, (0.0, gain), seeds=3, tiles=30)
        pair = compare_pair(*models.values(), pooled_ap, strata, rng, draws=DRAWS - 1)
        assert (pair.low > 0 or pair.high < 0) == (pair.p < 0.05)
        assert pair.p >= 1 / DRAWS


def test_a_model_ties_with_itself() -> None:
    models, strata = simulate(make_rng(), (0.0,))
    pair = compare_pair(models["a"], models["a"], pooled_ap, strata, make_rng(), draws=DRAWS)
    assert (pair.difference, pair.low, pair.high, pair.p, pair.verdict) == (0, 0, 0, 1, "tie")
    assert pair.improvement == 0.5


@pytest.mark.parametrize("kept", [5, 3, 1])
def test_swapping_two_models_mirrors_the_result(kept: int) -> None:
    models, strata = simulate(make_rng(10), (0.0, 0.4))
    a, b = models["a"], models["b"][:kept]
    there = compare_pair(a, b, pooled_ap, strata, make_rng(), draws=DRAWS)
    back = compare_pair(b, a, pooled_ap, strata, make_rng(), draws=DRAWS)
    assert (back.difference, back.p) == (-there.difference, there.p)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-12)
    assert back.improvement == pytest.approx(1 - there.improvement)
    assert back.improvement_low == pytest.approx(1 - there.improvement_high)
    assert back.verdict == {"worse": "better", "tie": "tie"}[there.verdict]


def test_a_further_model_changes_no_interval() -> None:
    models, strata = simulate(make_rng(11), (0.0, 0.2, 0.4))
    three = compare_all(models, pooled_ap, strata, make_rng(), draws=DRAWS)
    two = compare_pair(models["a"], models["b"], pooled_ap, strata, make_rng(), draws=DRAWS)
    assert replace(three[0], p_adjusted=two.p_adjusted, verdict=two.verdict) == two
    assert three[0].p_adjusted >= two.p_adjusted == two.p


def test_probability_of_improvement_counts_ties_half() -> None:
    # tp of a: 5, 7; of b: 5, 6. Pairs: 5 = 5 a half, 5 < 6 none, 7 > 5 and 7 > 6 one each: 2.5 of 4
    a = np.array([[(5, 0, 5, 0)], [(7, 0, 3, 0)]])
    b = np.array([[(5, 0, 5, 0)], [(6, 0, 4, 0)]])
    pair = compare_pair(a, b, pooled_iou, np.zeros(1, int), make_rng(), draws=DRAWS)
    assert pair.improvement == 2.5 / 4
    assert pair.improvement_low <= pair.improvement <= pair.improvement_high
    assert (pair.verdict, pair.note) == ("tie", "too few seeds")


def test_holm_multiplies_by_what_is_left() -> None:
    # ascending: 0.005 * 4 = 0.02, 0.01 * 3 = 0.03, 0.03 * 2 = 0.06, 0.04 * 1 -> at least 0.06
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_holm([0.7, 0.6]) == [1.0, 1.0]
    assert adjust_holm([]) == []


def test_a_baseline_without_seeds_is_compared_when_it_is_named() -> None:
    models, strata = simulate(make_rng(12), (0.0, 0.0, -0.8), seeds=3)
    models["c"] = models["c"][:1]
    named = compare_all(models, pooled_ap, strata, make_rng(), ["c"], DRAWS)
    assert [pair.verdict for pair in named] == ["tie", "better", "better"]
    assert named[1].seeds == (3, 1)
    unnamed = compare_all(models, pooled_ap, strata, make_rng(), draws=DRAWS)
    assert [pair.verdict for pair in unnamed] == ["tie", "tie", "tie"]
    assert [pair.note for pair in unnamed] == ["", "too few seeds", "too few seeds"]


def test_a_verdict_rests_on_the_adjusted_p() -> None:
    models, strata = simulate(make_rng(13), (0.0, 0.1, 0.2, 0.3))
    pairs = compare_all(models, pooled_ap, strata, make_rng(), draws=DRAWS)
    assert [pair.p_adjusted for pair in pairs] == adjust_holm([pair.p for pair in pairs])
    assert any(pair.p < 0.05 <= pair.p_adjusted for pair in pairs)
    assert all((pair.verdict != "tie") == (pair.p_adjusted < 0.05) for pair in pairs)


def test_p_is_never_zero() -> None:
    a, b = np.array([[(9, 0, 1, 0)] * 5]), np.array([[(1, 0, 9, 0)] * 5])
    pair = compare_pair(
        a, b, pooled_f1, np.zeros(5, int), make_rng(), deterministic="ab", draws=DRAWS
    )
    assert pair.p == 1 / (1 + DRAWS)
    assert pair.verdict == "better"


def pair_of(a: str, b: str, difference: float, verdict: Any, note: str = "") -> Comparison:
    low, high = difference - 0.012, difference + 0.013
    return Comparison(a, b, difference, low, high, 0.001, 0.004, 1, 1, 1, (5, 5), verdict, note)


def test_a_ranking_groups_the_models_that_tie_with_its_best() -> None:
    pairs = [
        pair_of("a", "b", 0.01, "tie"),
        pair_of("a", "c", 0.05, "better"),
        pair_of("d", "a", -0.09, "worse"),
        pair_of("b", "c", 0.04, "tie"),  # c ties with b, but not with the best one
        pair_of("b", "d", 0.08, "better"),
        pair_of("c", "d", 0.04, "better"),
    ]
    means = {"d": 0.51, "c": 0.55, "b": 0.59, "a": 0.60}
    rows = [(row.name, row.mean, row.group) for row in rank_groups(means, pairs)]
    assert rows == [("a", 0.60, 1), ("b", 0.59, 1), ("c", 0.55, 2), ("d", 0.51, 3)]
    with pytest.raises(ValueError, match="needs every pair, but got no comparison of 'a' and 'b'"):
        rank_groups(means, pairs[1:])
    assert rank_groups({"a": 0.6}, [])[0].group == 1


def test_a_verdict_says_what_is_decided_and_what_is_not() -> None:
    tie, win = pair_of("B", "A", -0.003, "tie"), pair_of("C", "B", -0.0214, "worse")
    lone = pair_of("A", "D", 0.06, "tie", "too few seeds")
    assert describe_verdict([tie, win]) == (
        "B is better than C by 0.021 AP (95 % interval 0.008 to 0.033, p = 0.004); "
        "A and B tie (difference 0.003, -0.010 to 0.015)."
    )
    assert describe_verdict([tie, win, lone], "F1", model="D") == (
        "A and D tie (difference 0.060, 0.048 to 0.073, too few seeds)."
    )
    late = replace(win, verdict="tie", p_adjusted=0.08)
    assert describe_verdict([late]) == "B and C tie (difference 0.021, 0.008 to 0.033, p = 0.080)."
    assert "p < 0.001" in describe_verdict([replace(win, p_adjusted=0.0004)])
    with pytest.raises(ValueError, match=r"needs a comparison, but got none \(model='Z'\)"):
        describe_verdict([tie], model="Z")


GOOD = np.ones((3, 4, 4), int)
STRATA = np.array([0, 0, 1, 1])
ONE_MORE = GOOD + np.outer([0, 0, 0, 1], [0, 0, 1, 0])  # a missed pixel in tile 3


@pytest.mark.parametrize(
    ("b", "strata", "draws", "message"),
    [
        (GOOD[0], STRATA, 100, r"shape \(S, N, D\), none of them 0, but got \(4, 4\) for 'b'"),
        (GOOD[:0], STRATA, 100, r"none of them 0, but got \(0, 4, 4\)"),
        (GOOD[:, :3], STRATA, 100, "same tiles, but got 3 tiles for 'b' and 4 strata"),
        (
            ONE_MORE,
            STRATA,
            100,
            r"\[2, 3\] .* in tile 3 of 'b' \(seed 0\), \[2, 2\]",
        ),
        (-GOOD, STRATA, 100, "finite and not negative, but got others for 'b'"),
        (GOOD * np.nan, STRATA, 100, "finite and not negative"),
        (
            GOOD[..., :3],
            STRATA,
            100,
            r"needs tp, fp, fn, tn on the last axis, but got shape \(3, 3\)",
        ),
        (GOOD, STRATA[:, None], 100, r"integers of shape \(N,\).* got int64 of shape \(4, 1\)"),
        (GOOD, STRATA / 2, 100, "integers .* got float64"),
        (GOOD, STRATA, 99, "at least 100 draws, but got draws=99"),
    ],
)
def test_wrong_sums_are_refused(
    b: np.ndarray, strata: np.ndarray, draws: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compare_pair(GOOD, b, pooled_f1, strata, make_rng(), draws=draws)


@pytest.mark.parametrize("rng", [np.random.RandomState(0), 0, None])
def test_anything_but_a_generator_is_refused(rng: Any) -> None:
    with pytest.raises(TypeError, match=f"numpy.random.Generator, but got {type(rng).__name__}"):
        estimate(GOOD, pooled_f1, STRATA, rng)


def test_wrong_requests_are_refused() -> None:
    models = {"unet": GOOD, "log_ratio": GOOD[:1]}
    for names, deterministic, message in (
        (["unet"], [], r"needs two models, but got \['unet'\]"),
        (
            [*models],
            ["log_rato"],
            "Unknown deterministic model 'log_rato'. Did you mean 'log_ratio'",
        ),
        ([*models], ["unet"], "must have S = 1, but got 3 seeds for 'unet'"),
    ):
        with pytest.raises(ValueError, match=message):
            compare_all(
                {name: models[name] for name in names}, pooled_f1, STRATA, make_rng(), deterministic
            )


def test_draws_that_cannot_decide_after_holm_are_refused() -> None:
    # 7 models are 21 pairs: the least adjusted p is 21 / 401 = 0.052
    models = {f"model {k}": GOOD for k in range(7)}
    with pytest.raises(ValueError, match="21 pairs need 420 draws, but got draws=400"):
        compare_all(models, pooled_f1, STRATA, make_rng(), draws=DRAWS)


def test_pairs_judged_apart_are_a_family_of_their_own() -> None:
    models, strata = simulate(make_rng(3), (0.0, 0.1, 0.2, 0.5))
    pairs = compare_all(models, pooled_ap, strata, make_rng(), draws=DRAWS)
    some = [pair for pair in pairs if "d" in (pair.a, pair.b)]
    alone = decide_verdict(
        some
    )  # Holm multiplies the least of three p-values by 3, of all six by 6
    least = min(range(3), key=lambda at: some[at].p)
    assert alone[least].p_adjusted == pytest.approx(min(1.0, 3 * some[least].p))
    assert all(a.p_adjusted <= b.p_adjusted for a, b in zip(alone, some, strict=True))
    assert [pair.difference for pair in alone] == [pair.difference for pair in some]
