"""``--window`` from the command line to a campaign that is resumed."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.settings import make_settings
from tuning.settings.arguments import parse_arguments
from tuning.settings.options import settings_from_options
from tuning.settings.saved_campaigns import find_unfinished, keep_acquisitions, load_settings
from tuning.settings.settings import Settings, check_settings
from tuning.trial.folder import write_json


def read(root: Path, words: str) -> Settings:
    arguments = ["--campaign", "one", "--model", "unet", "--preset", "smoke", *words.split()]
    return settings_from_options(vars(parse_arguments(arguments)), root)


def test_a_window_of_two_numbers_sets_the_acquisitions(tmp_path: Path) -> None:
    settings = read(tmp_path, "--window pre:4/post:02")
    found = settings.window, settings.steps, settings.timesteps
    assert found == ("pre:4/post:2", "pre:4/post:2", 6)
    assert load_settings(tmp_path, "one") == settings


def test_a_window_with_all_has_at_most_a_whole_series(tmp_path: Path) -> None:
    settings = read(tmp_path, "--window pre:all/post:2")
    assert (settings.window, settings.steps) == ("pre:all/post:2", "pre:all/post:2")
    assert settings.timesteps == 15


def test_without_a_window_acquisitions_are_chosen_as_ever(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert (settings.window, settings.steps, settings.timesteps) == ("", "event", 4)


def test_a_campaign_keeps_the_numbers_of_its_window(tmp_path: Path) -> None:
    settings = read(tmp_path, "--window pre:all/post:2")
    keep_acquisitions(tmp_path, replace(settings, steps="pre:8/post:2", timesteps=10))
    kept = load_settings(tmp_path, "one")
    assert (kept.window, kept.steps, kept.timesteps) == ("pre:all/post:2", "pre:8/post:2", 10)


def test_the_same_command_finds_its_interrupted_campaign(tmp_path: Path) -> None:
    settings = read(tmp_path, "--window pre:all/post:2")
    trial = tmp_path / "campaigns" / "one" / "trials" / "abc"
    trial.mkdir(parents=True)
    write_json(trial / "trial.json", {})
    keep_acquisitions(tmp_path, replace(settings, steps="pre:8/post:2", timesteps=10))
    assert find_unfinished(tmp_path, replace(settings, campaign="two")) == "one"
    other = replace(settings, window="pre:all/post:3", steps="pre:all/post:3")
    assert find_unfinished(tmp_path, other) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--window pre:4/post:2 --steps event --timesteps 4",
            r"--window chooses the acquisitions .* but also got --steps, --timesteps\. Omit",
        ),
        ("--window pre:4/post:2 --timesteps 6", r"but also got --timesteps\. Omit one of them"),
        ("--window 4/2", r"A window is pre:K/post:K, .* but got '4/2'"),
        (
            "--window pre:10/post:6",
            r"A tile has 15 acquisitions, .* but got --window pre:10/post:6\. Choose fewer",
        ),
        ("--window pre:all/post:15", r"A tile has 15 acquisitions, .* --window pre:all/post:15"),
        ("--steps pre:4/post:2", r"--steps is even, event, common or all, .* with --window"),
    ],
)
def test_contradictions_and_other_texts_are_refused(
    tmp_path: Path, words: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, words)
    assert not (tmp_path / "campaigns").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": "pre:4/post:2", "timesteps": 6}, r"must agree, but got the window '' and"),
        ({"window": "pre:4/post:2"}, r"must agree, but got the window 'pre:4/post:2' and .*'even'"),
        (
            {"window": "pre:all/post:2", "steps": "pre:4/post:3", "timesteps": 7},
            r"must be those of its window pre:all/post:2, but got pre:4/post:3",
        ),
        (
            {"window": "pre:all/post:2", "steps": "pre:all/post:2", "timesteps": 6},
            r"--window pre:all/post:2 reads 15 acquisitions, but got 6",
        ),
    ],
)
def test_edited_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_settings(make_settings(**changes))
