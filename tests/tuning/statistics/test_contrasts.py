"""Tests of `tuning.statistics.contrasts`: laws, arithmetic by hand, and simulations in which the truth is known."""

from collections.abc import Mapping

import numpy as np
import pytest

from tests.support.simulated import read_layout, repeat_layout, simulate
from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.adjust import adjust
from tuning.statistics.blocks import make_units
from tuning.statistics.compare import compare_all
from tuning.statistics.contrasts import Contrast, Sample, Weights, estimate_contrasts
from tuning.statistics.estimate import FIXED
from tuning.statistics.family import FEW_UNITS, ONE_BLOCK, TOO_FEW
from tuning.statistics.influence import ModelScores, measure_scores

LAYOUT = read_layout()
UNITS = LAYOUT.units()
GAP = {"b": 1.0, "a": -1.0}


def make_sample(models: Mapping[str, np.ndarray], prefix: str = "") -> Sample:
    scores = measure_scores(models, pooled_ap, UNITS)
    return Sample(UNITS, {prefix + name: one for name, one in scores.items()})


def make_scores(
    means: Mapping[str, float], seeds: int = 3, seed: int = 0
) -> dict[str, ModelScores]:
    rng = np.random.default_rng(seed)
    return {
        name: ModelScores(mean + 0.01 * np.arange(seeds), rng.normal(0, 1e-3, len(UNITS.blocks)))
        for name, mean in means.items()
    }


def estimate(samples: list[Sample], weights: Weights, **kinds: str) -> Contrast:
    names = {name: kinds.get(name, "unet") for sample in samples for name in sample.scores}
    return estimate_contrasts(samples, [weights], names)[0]


def test_the_difference_of_two_models_is_that_of_the_comparison() -> None:
    models = simulate(np.random.default_rng(1), LAYOUT, (0.0, 0.1), 5, 1, 0.05, 0.05)
    sample, kinds = make_sample(models), dict.fromkeys(models, "network")
    found = estimate_contrasts([sample], [{"a": 1.0, "b": -1.0}], kinds)[0]
    pair = compare_all(models, pooled_ap, UNITS, np.random.default_rng(0), kinds).pairs[0]
    assert found.estimate == pytest.approx(pair.difference)
    assert found.error == pytest.approx(pair.needs.error)
    assert (found.low, found.high) == pytest.approx((pair.low, pair.high), abs=0.002)
    assert (found.low90, found.high90) == pytest.approx((pair.low90, pair.high90), abs=0.002)
    assert found.p == pytest.approx(pair.p, abs=0.02)
    assert found.effective_blocks == pytest.approx(pair.effective_blocks)


def test_an_interval_excludes_zero_just_where_p_is_small() -> None:
    rng, seen = np.random.default_rng(9), set()
    for gain in np.linspace(0.0, 0.4, 12):
        one = estimate([make_sample(simulate(rng, LAYOUT, (0.0, gain), 3))], GAP)
        assert (one.low > 0 or one.high < 0) == (one.p < 0.05)
        seen.add(one.p < 0.05)
    assert seen == {True, False}


def test_swapping_signs_mirrors_the_result() -> None:
    sample = make_sample(simulate(np.random.default_rng(2), LAYOUT, (0.0, 0.3), 3))
    there, back = estimate([sample], GAP), estimate([sample], {"a": 1.0, "b": -1.0})
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert (back.p, back.error) == pytest.approx((there.p, there.error))


def test_a_difference_of_differences_cancels_what_both_architectures_gain() -> None:
    means = {"u/ref": 0.5, "u/level": 0.6, "v/ref": 0.4, "v/level": 0.5}
    sample = Sample(UNITS, make_scores(means))
    weights = {"u/level": 1.0, "u/ref": -1.0, "v/level": -1.0, "v/ref": 1.0}
    kinds = {name: name[0] for name in means}
    gained, both = estimate_contrasts([sample], [{"u/level": 1.0, "u/ref": -1.0}, weights], kinds)
    assert gained.estimate == pytest.approx(0.1)
    assert both.estimate == pytest.approx(0, abs=1e-12)
    assert both.seed_variance == pytest.approx(2 * gained.seed_variance)


def test_the_mean_effect_over_architectures_is_surer_than_each() -> None:
    means = {"u/ref": 0.5, "u/level": 0.6, "v/ref": 0.4, "v/level": 0.5}
    sample, kinds = Sample(UNITS, make_scores(means)), {name: name[0] for name in means}
    single = {"u/level": 1.0, "u/ref": -1.0}
    mean = {"u/level": 0.5, "u/ref": -0.5, "v/level": 0.5, "v/ref": -0.5}
    one, both = estimate_contrasts([sample], [single, mean], kinds)
    assert both.estimate == pytest.approx(0.1)
    assert both.seed_variance == pytest.approx(one.seed_variance / 2)


def test_models_on_the_same_tiles_are_paired_and_others_are_not() -> None:
    models = simulate(np.random.default_rng(3), LAYOUT, (0.0, 0.3), 3, 1, 0.02, 0.02)
    paired = estimate([make_sample(models)], GAP)
    a, b = ({name: models[name]} for name in "ab")
    apart = estimate([make_sample(a), make_sample(b)], GAP)
    assert apart.estimate == pytest.approx(paired.estimate)
    assert apart.error > 2 * paired.error
    assert (paired.paired, apart.paired) == (True, False)
    assert apart.blocks == 2 * paired.blocks
    alone = [estimate([make_sample(one)], dict.fromkeys(one, 1.0)) for one in (a, b)]
    assert apart.block_variance == pytest.approx(sum(one.block_variance for one in alone))


def test_a_difference_of_differences_is_paired_within_each_set_of_tiles() -> None:
    rng = np.random.default_rng(5)
    here, there = (
        make_sample(simulate(rng, LAYOUT, (0.0, 0.2), 3, 1, 0.02, 0.02), place) for place in "xy"
    )
    weights = {"xb": 1.0, "xa": -1.0, "yb": -1.0, "ya": 1.0}
    both = estimate([here, there], weights)
    ends = [
        estimate([one], {p + "b": 1.0, p + "a": -1.0}) for p, one in (("x", here), ("y", there))
    ]
    assert both.block_variance == pytest.approx(sum(one.block_variance for one in ends))


def test_the_seeds_variance_is_pooled_over_all_cells_of_an_architecture() -> None:
    sample = Sample(UNITS, make_scores({"a": 0.5, "b": 0.6, "c": 0.55}, seeds=2))
    few = estimate([Sample(UNITS, {"a": sample.scores["a"]})], {"a": 1.0})
    assert few.note == TOO_FEW
    assert np.isnan(few.p)
    pooled = estimate([sample], GAP)
    assert pooled.note == ""
    assert pooled.seed_variance == pytest.approx(2 * 0.01**2 / 2 / 2)  # two means of two seeds


def test_one_seed_everywhere_decides_nothing_unless_no_seed_changes_a_model() -> None:
    sample = Sample(UNITS, make_scores({"a": 0.5, "b": 0.6}, seeds=1))
    assert estimate([sample], GAP).note == TOO_FEW
    fixed = estimate([sample], GAP, a=FIXED, b=FIXED)
    assert (fixed.note, fixed.seed_variance, fixed.seeds) == ("", 0, 1)


def test_a_level_that_changes_nothing_has_no_error_and_is_equivalent() -> None:
    scores = make_scores({"a": 0.5})
    sample = Sample(UNITS, {"a": scores["a"], "b": scores["a"]})
    one = estimate([sample], GAP, a=FIXED, b=FIXED)
    assert (one.estimate, one.error, one.p) == (0, 0, 1)
    assert one.p_equivalent(0.02) == 0
    assert one.blocks == UNITS.count


def test_equivalence_has_a_small_p_just_where_the_90_interval_lies_within_the_margin() -> None:
    large = repeat_layout(LAYOUT, 6)
    units = large.units()
    scores = measure_scores(
        simulate(np.random.default_rng(4), large, (0.0, 0.0), 10, 1, 0.03, 0.005), pooled_ap, units
    )
    one = estimate([Sample(units, scores)], GAP)
    edge = max(abs(one.low90), abs(one.high90))
    assert one.p_equivalent(1.001 * edge) < 0.05 < one.p_equivalent(0.999 * edge)
    assert one.p_equivalent(abs(one.estimate) / 2) > 0.5


def test_more_tests_raise_the_smallest_difference_that_can_be_shown() -> None:
    one = estimate([make_sample(simulate(np.random.default_rng(6), LAYOUT, (0.0, 0.1), 3))], GAP)
    assert one.plan().error == pytest.approx(one.error)
    assert one.plan(20).detectable > one.plan().detectable > 2 * one.error


def test_few_blocks_and_landslides_in_one_block_are_named() -> None:
    corners = np.column_stack([np.arange(12) * 3, np.zeros(12)]) * 1280.0
    names = (["f"] * 12, ["hokkaido"] * 12)
    influences = np.random.default_rng(0).normal(0, 0.01, (2, 12))
    scores = {
        name: ModelScores(np.array([0.5, 0.51, 0.52]), row)
        for name, row in zip("ab", influences, strict=True)
    }
    lone = make_units(corners, *names, np.arange(12) == 4)
    one = estimate([Sample(lone, scores)], GAP)
    assert one.note == ONE_BLOCK
    assert np.isnan([one.p, one.low, one.p_equivalent(0.1)]).all()
    close = make_units(corners / 3, *names)
    assert estimate([Sample(close, scores)], GAP).note == FEW_UNITS
    other = Sample(UNITS, make_scores({"c": 0.5, "d": 0.6}))
    fine = estimate_contrasts(
        [Sample(lone, scores), other], [{"c": 1.0, "d": -1.0}], dict.fromkeys("abcd", "unet")
    )[0]
    assert (fine.note, np.isfinite(fine.p)) == ("", True)


def test_planted_effects_are_found_and_noise_is_not() -> None:
    rng, false, found, covered, count = np.random.default_rng(8), 0, 0, 0, 12
    for _ in range(count):
        gains = (0.0, 0.0, 0.8, 0.0, 0.0, 0.8)  # a, b, c of one architecture; d, e, f of another
        sample = make_sample(simulate(rng, LAYOUT, gains, 3, 2, 0.05, 0.05))
        weights = [{"b": 1.0, "a": -1.0}, {"e": 1.0, "d": -1.0}]
        weights += [{"c": 1.0, "a": -1.0}, {"f": 1.0, "d": -1.0}]
        kinds = {name: "u" if name in "abc" else "v" for name in "abcdef"}
        effects = estimate_contrasts([sample], weights, kinds)
        decided = adjust(np.array([one.p for one in effects]), "Holm") < 0.05
        false += decided[:2].any()
        found += int(decided[2:].sum())
        covered += sum(one.low <= 0 <= one.high for one in effects[:2])
    assert false <= 3  # 5 % in the mean; 4 or more of 12 have a probability of 0.2 %
    assert found >= 20  # of 24
    assert covered >= 19  # of 24


def test_wrong_models_are_refused() -> None:
    sample = Sample(UNITS, make_scores({"a": 0.5, "b": 0.6}))
    with pytest.raises(
        ValueError, match=r"must be of measured models, but got 'c', not among \['a'"
    ):
        estimate([sample], {"a": 1.0, "c": -1.0})
    with pytest.raises(ValueError, match=r"must be in one sample, but got some of \['a', 'b'\]"):
        estimate([sample, sample], GAP)
    assert estimate_contrasts([sample], [], {}) == []
