"""Comparisons of models: laws, arithmetic by hand, and simulations in which the truth is known."""

from typing import Any

import numpy as np
import pytest

from tests.support.simulated import read_layout, repeat_layout, simulate
from tuning.metrics.tile_sums import pooled_ap, pooled_f1
from tuning.statistics.blocks import SamplingUnits, make_units
from tuning.statistics.compare import compare_all
from tuning.statistics.estimate import FIXED, estimate_all
from tuning.statistics.family import ONE_BLOCK, TOO_FEW, Family

DRAWS = 999
LAYOUT = read_layout()
UNITS = LAYOUT.units()


def make_rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def compare(models: dict[str, np.ndarray], units: SamplingUnits = UNITS, **options: Any) -> Family:
    options = {
        "kinds": dict.fromkeys(models, "network"),
        "draws": DRAWS,
        "rng": make_rng(),
    } | options
    return compare_all(models, pooled_ap, units, **options)


def test_the_same_generator_gives_the_same_numbers() -> None:
    models = simulate(make_rng(), LAYOUT, (0.0, 0.1), 3)
    np.random.seed(1)
    first = compare(models, rng=make_rng(3))
    np.random.seed(2)
    assert compare(models, rng=make_rng(3)) == first
    assert compare(models, rng=make_rng(4)) != first


def test_equal_architectures_are_rarely_called_better_whatever_the_tiles_share() -> None:
    for length in (1, 4):
        rng, false = make_rng(length), 0
        for _ in range(25):
            family = compare(simulate(rng, LAYOUT, (0.0,) * 3, 5, length, 0.1, 0.05), rng=rng)
            false += any(pair.decided for pair in family.pairs)
        assert false <= 4  # 5 % in the mean; 5 or more of 25 have a probability of 0.7 %


def test_more_seeds_do_not_make_more_false_claims() -> None:
    rng, false = make_rng(9), 0
    for _ in range(25):
        family = compare(simulate(rng, LAYOUT, (0.0,) * 3, 10, 2, 0.1, 0.05), rng=rng)
        false += any(pair.decided for pair in family.pairs)
    assert false <= 4


def test_a_planted_gap_is_found_with_its_sign_and_place() -> None:
    family = compare(simulate(make_rng(6), LAYOUT, (0.0, 0.6, 0.0), 5, 1, 0.05, 0.05))
    ab, ac, bc = family.pairs
    assert (ab.verdict, bc.verdict) == ("worse", "better")
    assert not ac.decided
    assert ab.high < 0 < bc.low
    assert family.places == {"a": (2, 3), "b": (1, 1), "c": (2, 3)}


def test_an_interval_excludes_zero_just_where_p_is_small() -> None:
    rng = make_rng(9)
    seen = set()
    for gain in np.linspace(0.0, 0.6, 12):
        family = compare(simulate(rng, LAYOUT, (0.0, gain, gain / 2), 3, 1, 0.05, 0.05), rng=rng)
        for pair in family.pairs:
            assert (pair.low > 0 or pair.high < 0) == (pair.p < 0.05) == pair.decided
            assert pair.p >= 1 / (1 + DRAWS)
            seen.add(pair.decided)
    assert seen == {True, False}


def test_equal_networks_are_equivalent_on_a_large_area_and_undecided_on_a_small_one() -> None:
    large = repeat_layout(LAYOUT, 12)
    models = simulate(make_rng(4), large, (0.0, 0.0), 10, 1, 0.03, 0.005)
    pair = compare(models, large.units()).pairs[0]
    assert pair.verdict == "equivalent"
    assert -0.02 < pair.low90 < pair.high90 < 0.02
    small = {name: sums[:3, :79] for name, sums in models.items()}
    assert compare(small, margin=0.001).pairs[0].verdict == "undecided"


def test_a_model_does_not_differ_from_itself() -> None:
    models = simulate(make_rng(), LAYOUT, (0.0,), 3)
    pair = compare({"a": models["a"], "b": models["a"]}).pairs[0]
    assert (pair.difference, pair.p) == (0, 1)
    assert not pair.decided


def test_swapping_two_models_mirrors_the_result() -> None:
    models = simulate(make_rng(10), LAYOUT, (0.0, 0.4), 5)
    a, b = models["a"], models["b"][:3]
    there, back = compare({"a": a, "b": b}).pairs[0], compare({"b": b, "a": a}).pairs[0]
    assert back.difference == pytest.approx(-there.difference)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), rel=0.1)
    assert (there.verdict, back.verdict) == ("worse", "better")


def test_two_networks_share_the_tiles_that_are_hard_for_both() -> None:
    models = simulate(make_rng(2), LAYOUT, (0.0, 0.3), 5, 1, 0.05, 0.01)
    pair = compare(models).pairs[0]
    alone = estimate_all(models, pooled_ap, UNITS)["a"]
    assert pair.high - pair.low < (alone.high - alone.low) / 2


def test_the_order_of_seeds_does_not_matter_because_they_are_not_paired() -> None:
    models = simulate(make_rng(3), LAYOUT, (0.0, 0.2), 5)
    turned = models | {"b": models["b"][::-1]}
    there, back = compare(models).pairs[0], compare(turned).pairs[0]
    assert (back.low, back.high) == pytest.approx((there.low, there.high), abs=1e-9)


def test_the_variance_of_seeds_is_pooled_over_models_of_a_kind() -> None:
    models = simulate(make_rng(5), LAYOUT, (0.0,) * 4, 3, 1, 0.02, 0.15)
    pooled, apart = compare(models), compare(models, kinds={})
    errors = [pair.needs.error for pair in pooled.pairs]
    own = [pair.needs.error for pair in apart.pairs]
    assert np.ptp(errors) < np.ptp(own)
    assert np.mean([pair.high - pair.low for pair in pooled.pairs]) < np.mean(
        [pair.high - pair.low for pair in apart.pairs]
    )


def test_a_model_with_few_seeds_is_undecided_unless_no_seed_changes_it() -> None:
    models = simulate(make_rng(12), LAYOUT, (0.0, 0.0, -1.0), 3)
    models["c"] = models["c"][:1]
    kinds = {"a": "network", "b": "network", "c": "network"}
    few = compare(models, kinds=kinds)
    assert [pair.note for pair in few.pairs] == ["", TOO_FEW, TOO_FEW]
    assert [pair.verdict for pair in few.pairs][1:] == ["undecided", "undecided"]
    fixed = compare(models, kinds=kinds | {"c": FIXED})
    assert [pair.verdict for pair in fixed.pairs][1:] == ["better", "better"]
    assert fixed.pairs[1].seeds == (3, 1)


def test_landslides_in_one_block_decide_nothing_and_the_reason_is_named() -> None:
    corners = np.column_stack([np.arange(12) * 3, np.zeros(12)]) * 1280.0
    units = make_units(corners, ["f"] * 12, ["hokkaido"] * 12, np.arange(12) == 4)
    counts = np.broadcast_to([0, 5, 0, 95], (3, 12, 4)).copy()
    counts[:, 4] = [[40, 5, 10, 45], [41, 5, 9, 45], [42, 5, 8, 45]]
    worse = counts.copy()
    worse[:, 4] = [[10, 5, 40, 45], [11, 5, 39, 45], [12, 5, 38, 45]]
    family = compare_all({"a": counts, "b": worse}, pooled_f1, units, make_rng(), draws=DRAWS)
    pair = family.pairs[0]
    assert (pair.verdict, pair.note) == ("undecided", ONE_BLOCK)
    assert np.isnan([pair.low, pair.high]).all()
    assert family.places == {"a": (1, 2), "b": (1, 2)}
    alone = estimate_all({"a": counts}, pooled_f1, units)["a"]
    assert np.isnan([alone.low, alone.high]).all()


def test_more_seeds_or_blocks_are_asked_for_where_they_help() -> None:
    models = simulate(make_rng(21), LAYOUT, (0.0, 0.12), 3, 1, 0.02, 0.12)
    needs = compare(models).pairs[0].needs
    assert needs.seeds > 3
    quiet = simulate(make_rng(21), LAYOUT, (0.0, 0.12), 3, 1, 0.3, 0.001)
    assert compare(quiet).pairs[0].needs.blocks > UNITS.count


GOOD = np.ones((3, 12, 4), int)
LINE = make_units(
    np.column_stack([np.arange(12) * 3, np.zeros(12)]) * 1280.0, ["f"] * 12, ["hokkaido"] * 12
)
ONE_MORE = GOOD + np.outer(np.arange(12) == 3, [0, 0, 1, 0])  # a missed pixel in tile 3


@pytest.mark.parametrize(
    ("b", "message"),
    [
        (GOOD[0], r"shape \(S, N, D\), none of them 0, but got \(12, 4\) for 'b'"),
        (GOOD[:0], r"none of them 0, but got \(0, 12, 4\)"),
        (GOOD[:, :3], "same tiles, but got 3 tiles for 'b' and 12"),
        (ONE_MORE, r"\[2, 3\] .* in tile 3 of 'b' \(seed 0\), \[2, 2\]"),
        (-GOOD, "finite and not negative, but got others for 'b'"),
        (GOOD * np.nan, "finite and not negative"),
        (GOOD[..., :3], r"needs tp, fp, fn, tn on the last axis, but got shape \(3, 3\)"),
    ],
)
def test_wrong_sums_are_refused(b: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_all({"a": GOOD, "b": b}, pooled_f1, LINE, make_rng())


@pytest.mark.parametrize("rng", [np.random.RandomState(0), 0, None])
def test_anything_but_a_generator_is_refused(rng: Any) -> None:
    with pytest.raises(TypeError, match=f"numpy.random.Generator, but got {type(rng).__name__}"):
        compare_all({"a": GOOD, "b": GOOD}, pooled_f1, LINE, rng)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["unet"], {}, r"needs two models, but got \['unet'\]"),
        (["unet", "b"], {"margin": 0.0}, "margin of equivalence must be more than 0, but got 0"),
        (["unet", "b"], {"kinds": {"b": FIXED}}, "must have S = 1, but got 3 seeds for 'b'"),
    ],
)
def test_wrong_requests_are_refused(names: list[str], options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_all(dict.fromkeys(names, GOOD), pooled_f1, LINE, make_rng(), **options)
