"""Tests of `tuning.matrix.report.words`."""

from dataclasses import replace
from typing import Any

import pytest

from tuning.matrix.plan import Axis, Level
from tuning.matrix.report.effects import MEAN, UNCHANGED, Effect
from tuning.matrix.report.words import (
    describe_axis,
    describe_axis_shortly,
    describe_effect,
    describe_level,
)
from tuning.statistics.contrasts import Contrast

LOSS = Axis(
    "loss",
    "training loss",
    tuple(Level(name, {"loss": name}) for name in ("bce_dice", "tversky", "lovasz", "focal", "x")),
    "bce_dice",
)


def make_channels(*texts: str, reference: str) -> Axis:
    levels = tuple(Level(text, {"channels": text.split("+")}) for text in texts)
    return Axis("channels", "channels of the input", levels, reference)


def make_effect(
    estimate: float, verdict: Any = "worse", level: str = "tversky", **more: Any
) -> Effect:
    ends = (estimate - 0.03, estimate + 0.03, estimate - 0.025, estimate + 0.025)
    found = Contrast(estimate, 0.015, 9.0, *ends, 0.01, 35, 9.0, 3, True, 1e-4, 1e-4)
    kind = more.pop("kind", "mean")
    return Effect(LOSS, level, kind, more.pop("model", MEAN), "", found, verdict=verdict, **more)


def plain(text: str) -> str:
    return text.replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize(
    ("level", "reference", "text"),
    [
        ("VV", "s1", "Without VH"),
        ("VH", "s1", "Without VV"),
        ("s1asc", "s1", "Without the descending orbit"),
        ("s1dsc", "s1", "Without the ascending orbit"),
        ("s1+DEM", "s1", "With DEM added"),
        ("s1", "s1+DEM", "Without DEM"),
        ("VV+DEM", "s1", "With channels=VV+DEM instead of s1"),
    ],
)
def test_channels_are_described_by_what_is_left_out_or_added(
    level: str, reference: str, text: str
) -> None:
    assert describe_level(make_channels(level, reference, reference=reference), level) == text


@pytest.mark.parametrize(
    ("name", "levels", "level", "text"),
    [
        ("train", {"0.25": 0.25, "1": 1.0}, "0.25", "With 25 % of the train tiles instead of all"),
        (
            "train",
            {"compact:0.1": 0.1, "1": 1.0},
            "compact:0.1",
            "With 10 % (compact) of the train tiles instead of all",
        ),
        (
            "label_noise",
            {"1": 0.0, "0.2": 0.2},
            "0.2",
            "With 20 % of errors in train labels instead of none",
        ),
        ("loss", {"1": None, "tversky": None}, "tversky", "With the loss tversky instead of 1"),
        ("mystery", {"1": None, "2": None}, "2", "With mystery=2 instead of 1"),
    ],
)
def test_a_level_is_described_in_plain_words(
    name: str, levels: dict[str, float | None], level: str, text: str
) -> None:
    made = tuple(Level(one, {}, value) for one, value in levels.items())
    assert describe_level(Axis(name, "label", made, "1"), level) == text


def test_a_shown_effect_is_told_as_a_size_with_the_interval_on_its_side() -> None:
    assert describe_effect(make_effect(-0.041), 0.02) == (
        "the mean AP of the networks is lower by 0.041 (0.011 to 0.071): **worse**"
    )
    better = make_effect(0.041, "better", model="U-Net", kind="level")
    assert describe_effect(better, 0.02) == (
        "the AP of U-Net is higher by 0.041 (0.011 to 0.071): **better**"
    )


def test_other_verdicts_are_told_with_signs_margin_and_reason() -> None:
    assert plain(describe_effect(make_effect(-0.003, "undecided"), 0.02)) == (
        "the mean AP of the networks changes by -0.003 (-0.033 to +0.027): undecided"
    )
    unsure = make_effect(-0.041, "undecided", p=0.08)  # whose interval excludes 0
    assert describe_effect(unsure, 0.02).endswith(
        "undecided, since p = 0.080 beside the other tests"
    )
    few = make_effect(-0.003, "undecided", note="too few seeds")
    assert describe_effect(few, 0.02).endswith("undecided, too few seeds")
    assert describe_effect(make_effect(0.001, "equivalent"), 0.02).endswith(
        "**equivalent** within ± 0.02"
    )
    same = make_effect(0.0, "equivalent", note=UNCHANGED, model="LogRatioVV", kind="level")
    assert describe_effect(same, 0.02) == "the AP of LogRatioVV is the same"


def test_few_levels_have_a_sentence_each_with_how_networks_differ() -> None:
    differing = make_effect(0.05, "better", kind="interaction", model="UTAE minus VanillaUNet")
    (found,) = describe_axis(LOSS, [make_effect(-0.1), differing], 0.02)
    assert found == (
        "With the loss tversky instead of bce_dice, the mean AP of the networks is lower by 0.100 (0.070 to 0.130): **worse**. "
        "Networks differ in it: the effect on UTAE minus that on VanillaUNet is +0.050."
    )


def test_many_levels_are_summed_up_by_verdict() -> None:
    effects = [
        make_effect(-0.1),
        make_effect(-0.2, level="lovasz"),
        make_effect(0.001, "equivalent", "focal"),
        make_effect(0.01, "undecided", "x"),
    ]
    first, rest = describe_axis(LOSS, effects, 0.02)
    assert first.startswith("With the loss lovasz instead of bce_dice, the mean AP")
    assert plain(rest) == (
        "Levels of loss against bce_dice, by the mean AP of the networks: worse: tversky (-0.100), lovasz (-0.200); equivalent: "
        "focal (+0.001); undecided: x (+0.010)."
    )
    assert plain(describe_axis_shortly(LOSS, effects, 0.02)) == (
        "With the loss lovasz instead of bce_dice, the mean AP of the networks is lower by 0.200 (0.170 to 0.230): **worse**. Of the "
        "other levels of loss, worse: tversky (-0.100); equivalent: focal (+0.001); undecided: x (+0.010)."
    )


def test_an_axis_without_effects_has_no_sentence() -> None:
    assert describe_axis(LOSS, [], 0.02) == []
    assert describe_axis_shortly(LOSS, [], 0.02) == ""


def test_a_network_stands_for_a_level_before_a_baseline_that_changes_more() -> None:
    axis = Axis("loss", "loss", (Level("tversky", {}), Level("bce_dice", {})), "bce_dice")
    baseline, network = (
        replace(make_effect(size, model=title, kind="level"), axis=axis, key=key)
        for size, title, key in (
            (-0.2, "LogRatioVV", "log_ratio_vv"),
            (-0.1, "VanillaUNet", "unet"),
        )
    )
    (sentence,) = describe_axis(axis, [baseline, network], 0.02)
    assert "VanillaUNet" in sentence
    (sentence,) = describe_axis(axis, [baseline], 0.02)
    assert "LogRatioVV" in sentence


def test_one_labelled_tile_is_in_the_singular() -> None:
    levels = tuple(Level(text, {}, float(text)) for text in ("0", "1", "21"))
    shots = Axis("shots", "labelled tiles", levels, "0")
    assert describe_level(shots, "1").startswith("With 1 labelled tile of the tested region")
    assert describe_level(shots, "21").startswith("With 21 labelled tiles of the tested region")
