"""The section with learning curves, and what it says where runs have none."""

from pathlib import Path

from tuning.page.html import Image, Text
from tuning.report.study.learning_curves import (
    build_learning_section,
    describe_still_rising,
    draw_learning_curves,
)
from tuning.report.study.records import TRAIN_LOSS, VAL_AP, VAL_LOSS, History

RISING = History(42, {TRAIN_LOSS: (1.0, 0.8), VAL_LOSS: (1.1, 0.9), VAL_AP: (0.2, 0.4)})
FALLING = History(123, {TRAIN_LOSS: (1.0, 0.7), VAL_LOSS: (1.1, 1.2), VAL_AP: (0.4, 0.3)})


def test_all_networks_share_one_figure(tmp_path: Path) -> None:
    histories = {"VanillaUNet": [RISING, FALLING], "UTAE": [FALLING]}
    figure = draw_learning_curves(histories, tmp_path, synthetic=True)
    assert figure is not None
    assert figure.stat().st_size > 5000
    first, image, _ = build_learning_section(histories, figure, folds=5).blocks
    assert isinstance(first, Text)
    assert first.text.endswith("perhaps better with more of them: VanillaUNet in 1 of 2 seeds.")
    assert isinstance(image, Image)
    assert "first fold" in image.caption


def test_networks_that_ended_below_their_best_are_said_to_have_had_enough_epochs() -> None:
    assert "more epochs would not have raised" in describe_still_rising({"UTAE": [FALLING]})


def test_runs_without_values_per_epoch_are_said_to_lack_them(tmp_path: Path) -> None:
    histories = {"VanillaUNet": [History(42, {})]}
    figure = draw_learning_curves(histories, tmp_path, synthetic=True)
    assert figure is None
    (text,) = build_learning_section(histories, figure).blocks
    assert isinstance(text, Text)
    assert "hold no values per epoch" in text.text
    assert describe_still_rising(histories) == ""


def test_a_campaign_of_baselines_trained_no_network() -> None:
    (text,) = build_learning_section({}, None).blocks
    assert isinstance(text, Text)
    assert text.text == "This campaign trained no network."
