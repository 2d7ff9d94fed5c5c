"""Tests of `tuning.matrix.report.effects` on a planted matrix."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tuning.matrix.report.effects import MEAN, UNCHANGED, Effect, build_effects
from tuning.matrix.results import MatrixResults


def find(effects: Sequence[Effect], axis: str, level: str, model: str) -> Effect:
    return next(
        one for one in effects if (one.axis.name, one.level, one.model) == (axis, level, model)
    )


def test_planted_effects_are_found_with_their_sign(effects: Sequence[Effect]) -> None:
    for axis, level, model in (
        ("channels", "VV", "VanillaUNet"),
        ("train", "0.25", "VanillaUNet"),
        ("train", "0.25", "UTAE"),
        ("train", "0.25", MEAN),
    ):
        effect = find(effects, axis, level, model)
        assert effect.verdict == "worse"
        assert effect.contrast.high < 0
        assert effect.p < 0.05


def test_an_effect_is_the_difference_of_mean_scores(
    results: MatrixResults, effects: Sequence[Effect]
) -> None:
    reference, level = results.reference, results.at("train", "0.25")
    gap = level.by_key["unet"].mean - reference.by_key["unet"].mean
    found = find(effects, "train", "0.25", "VanillaUNet").contrast
    assert found.estimate == pytest.approx(gap, abs=1e-3)  # of reduced histograms
    both = find(effects, "train", "0.25", MEAN).contrast.estimate
    other = find(effects, "train", "0.25", "UTAE").contrast.estimate
    assert both == pytest.approx((found.estimate + other) / 2)
    differing = find(effects, "train", "0.25", "UTAE minus VanillaUNet").contrast
    assert differing.estimate == pytest.approx(other - found.estimate)


def test_the_primary_axis_is_one_family_and_everything_else_another(
    effects: Sequence[Effect],
) -> None:
    primary = [one for one in effects if one.family == "primary"]
    assert {(one.axis.name, one.kind) for one in primary} == {
        ("channels", "level"),
        ("channels", "mean"),
    }
    assert {one.model for one in primary} == {"VanillaUNet", "UTAE", MEAN}
    smallest = min(primary, key=lambda one: one.contrast.p)
    assert smallest.p == pytest.approx(len(primary) * smallest.contrast.p)  # Holm
    others = [one for one in effects if one.family == "exploratory"]
    assert {one.axis.name for one in others} == {"channels", "train"}
    assert all(one.p >= one.contrast.p for one in (*primary, *others))


def test_a_baseline_that_a_level_does_not_change_is_no_test(effects: Sequence[Effect]) -> None:
    effect = find(effects, "train", "0.25", "LogRatioVV")
    assert (effect.note, effect.family, effect.verdict) == (UNCHANGED, "", "equivalent")
    assert np.isnan(effect.p)
    assert effect.contrast.estimate == 0


def test_a_missing_cell_has_no_effect(effects: Sequence[Effect]) -> None:
    assert not [one for one in effects if one.level == "VH"]


def test_a_pooled_spread_lets_a_cell_with_fewer_seeds_be_judged(effects: Sequence[Effect]) -> None:
    effect = find(effects, "train", "0.5", "UTAE")
    assert (effect.contrast.seeds, effect.note) == (2, "")
    assert effect.family == "exploratory"


def test_levels_that_repeat_the_experiment_are_no_effects(results: MatrixResults) -> None:
    axes = tuple(
        replace(axis, name="search_seed") if axis.name == "train" else axis
        for axis in results.plan.axes
    )
    cells = tuple(
        replace(
            cell,
            places=tuple(
                ("search_seed" if axis == "train" else axis, level) for axis, level in cell.places
            ),
        )
        for cell in results.plan.cells
    )
    plan = replace(results.plan, axes=axes, cells=cells)
    read = tuple(replace(one, cell=cell) for one, cell in zip(results.cells, cells, strict=True))
    found = build_effects(replace(results, plan=plan, cells=read))
    assert {one.axis.name for one in found} == {"channels"}
