"""What networks are trained with, from the command line to a campaign that is resumed."""

import json
from pathlib import Path

import pytest

from tests.support.settings import make_settings
from tuning.settings.arguments import parse_arguments
from tuning.settings.options import settings_from_options
from tuning.settings.saved_campaigns import SETTINGS, campaign_folder, load_settings, save_settings
from tuning.settings.settings import Settings, check_settings, list_variant


def read(root: Path, words: str) -> Settings:
    arguments = ["--campaign", "one", "--model", "unet", "--preset", "smoke", *words.split()]
    return settings_from_options(vars(parse_arguments(arguments)), root)


def resume(root: Path) -> Settings:
    return settings_from_options(vars(parse_arguments(["--resume", "one"])), root)


def test_a_campaign_keeps_what_it_trains_with_when_it_is_resumed(tmp_path: Path) -> None:
    settings = read(tmp_path, "--loss tversky --train-share 0.5 --label-noise drop=0.2 shift=2")
    assert (settings.loss, settings.train_share) == ("tversky", "scattered:0.5")
    assert list_variant(settings) == {
        "loss": "tversky",
        "train_share": "scattered:0.5",
        "label_noise": {"drop": 0.2, "shift": 2.0},
    }
    assert resume(tmp_path) == settings


def test_a_replay_is_kept_when_a_campaign_is_resumed(tmp_path: Path) -> None:
    settings = read(tmp_path, "--replay")
    assert settings.replay
    assert list_variant(settings) == {"replay": True}
    assert resume(tmp_path) == settings


def test_without_options_training_is_the_usual(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert settings == read(
        tmp_path / "other", "--loss bce_dice --train-share compact:1 --label-noise none"
    )
    assert list_variant(settings) == {}


def test_a_campaign_of_an_earlier_release_trains_as_usual(tmp_path: Path) -> None:
    save_settings(tmp_path, settings := make_settings())
    file = campaign_folder(tmp_path, settings.campaign) / SETTINGS
    content = json.loads(file.read_text())
    del content["loss"], content["train_share"], content["label_noise"]
    file.write_text(json.dumps(content))
    assert load_settings(tmp_path, settings.campaign) == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss": "dice"},
            r"Unknown loss 'dice'\. Did you mean '\w+_dice'\? Available: bce_dice, ",
        ),
        ({"label_noise": {"drp": 0.1}}, r"Unknown label noise 'drp'\. Did you mean 'drop'\?"),
        ({"label_noise": {"drop": 1}}, r"noise drop must be a number from 0 to 0\.95, but got 1\."),
        ({"train_share": "0"}, r"--train-share must be above 0 and at most 1, .* but got '0'\."),
        ({"train_share": "compakt:0.5"}, r"Unknown shape .* 'compakt'\. Did you mean 'compact'\?"),
    ],
)
def test_unknown_trainings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_settings(make_settings(**changes))
