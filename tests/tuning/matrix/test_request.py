"""Tests of `tuning.matrix.command.request`: the words of the command and of a file."""

from pathlib import Path

import pytest

from tuning.matrix.command.request import Request, make_request, parse_command
from tuning.matrix.command.studies import STUDIES

CHANNELS = ["--vary", "channels=s1,VV"]


def ask(*words: str, preset: str = "quick") -> Request:
    command = parse_command(words)
    return make_request(command.options, command.study, preset)


def test_every_option_of_a_campaign_is_one_of_all_campaigns() -> None:
    asked = ask(
        *CHANNELS, "--region", "noto", "--seeds", "4", "--margin", "0.01", "--storage", "/x"
    )
    assert asked.vary == {"channels": "s1,VV"}
    assert asked.options == {
        "region": ["noto"],
        "seeds": 4,
        "margin": 0.01,
        "storage": "/x",
        "preset": "quick",
    }


def test_cross_means_models() -> None:
    assert ask(*CHANNELS, "--cross", "unet, utae").options["model"] == ["unet", "utae"]


def test_the_search_of_cells_and_that_of_folds_are_two_options() -> None:
    asked = ask(*CHANNELS, "--search", "per-cell", "--search-folds", "per-fold")
    assert (asked.search, asked.options["search"]) == ("per-cell", "per-fold")


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_has_axes_at_every_length_and_the_user_comes_first(study: str) -> None:
    for preset in ("smoke", "quick", "paper"):
        assert ask(study, preset=preset).vary
    asked = ask(study, "--seeds", "2", "--cross", "utae")
    assert (asked.options["seeds"], asked.options["model"]) == (2, ["utae"])


def test_the_study_of_the_first_days_measures_every_day() -> None:
    assert all(ask("rapid", preset=one).options["replay"] for one in ("smoke", "quick", "paper"))
    assert "replay" not in ask("ablation").options


def test_an_axis_of_the_user_replaces_that_of_a_study() -> None:
    assert ask("ablation", *CHANNELS).vary == {"channels": "s1,VV"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"A matrix needs an axis, but got none\. Add --vary"),
        (["ablaton"], r"Unknown study 'ablaton'\. Did you mean 'ablation'\?"),
        (
            ["--vary", "chanels=s1"],
            r"Unknown axis 'chanels'\. Did you mean 'channels'\? Available: ",
        ),
        (["--vary", "channels"], r"--vary must be AXIS=LEVELS, such as channels=s1"),
        ([*CHANNELS, *CHANNELS], r"--vary must name each axis once, but got channels twice"),
        ([*CHANNELS, "--primary", "loss"], r"Unknown axis of this matrix 'loss'"),
        ([*CHANNELS, "--reference", "loss=x"], r"Unknown axis of this matrix 'loss'"),
        ([*CHANNELS, "--budget", "0"], r"--budget must be more than 0 hours, but got 0"),
        ([*CHANNELS, "--cross", ","], r"--cross must name a model, but got none"),
        ([*CHANNELS, "--cross", "unet", "--model", "utae"], r"Models must be given once"),
        ([*CHANNELS, "--dry-run", "--resume"], r"--dry-run and --resume cannot be combined"),
        (["--resume", "one", "--seeds", "3"], r"but also got --seeds\. Leave them out"),
        (
            ["--report", "--seeds", "3"],
            r"--report writes the report .* but also got --seeds\. Leave",
        ),
        (["--report", "--resume"], r"--resume and --report cannot be combined"),
        (["ablation", "--resume"], r"but also got ablation\. Leave them out"),
        (
            ["a.yaml", "--file", "b.yaml"],
            r"A matrix has one file, but got a\.yaml and --file b\.yaml",
        ),
    ],
)
def test_wrong_words_are_refused_with_a_remedy(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(*words)


def write(folder: Path, text: str) -> str:
    file = folder / "matrix.yaml"
    file.write_text(text)
    return str(file)


def test_a_file_means_the_same_as_the_words(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "vary:\n  channels: [s1, VV, s1+DEM]\n  train: 0.10,1\nreference: {train: 1}\ncross: [unet, utae]\n"
        "search: per-cell\nregion: [hokkaido, noto]\nbudget: 2\nallow_dates: true\nmargin: 0.01\n",
    )
    words = ["--vary", "channels=s1,VV,s1+DEM", "--vary", "train=0.10,1", "--reference", "train=1"]
    words += ["--cross", "unet,utae", "--search", "per-cell", "--region", "hokkaido", "noto"]
    words += ["--budget", "2", "--allow-dates", "--margin", "0.01"]
    assert ask(file) == ask(*words) == ask("--file", file)


def test_the_command_line_comes_before_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, "study: ablation\nseeds: 5\nvary:\n  loss: [bce_dice, tversky]\n")
    asked = ask(file, "--seeds", "2", "--vary", "loss=bce_dice,lovasz")
    assert (asked.study, asked.options["seeds"]) == ("ablation", 2)
    assert asked.vary["loss"] == "bce_dice,lovasz"
    assert "channels" in asked.vary


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "vary:\n  channels: [s1]\nsed: 1\n",
            r"Unknown option 'sed'\. Did you mean 'seeds'\?.* line 3 of",
        ),
        (
            "vary:\n  chanels: [s1]\n",
            r"Unknown axis 'chanels'\. Did you mean 'channels'\?.* line 2 of",
        ),
        ("seeds: 1\nseeds: 2\n", r"must have each option once, but got seeds again in line 2 of"),
        ("seeds: [1, 2]\n", r"seeds must be one value, but got \['1', '2'\] in line 1 of"),
        ("allow_dates: 3\n", r"allow-dates must be true or false, but got '3' in line 1 of"),
        ("seeds: {a: 1}\n", r"seeds must be a value or a list of values.* line 1 of"),
        ("- channels\n", r"must hold a value for each option, as NAME: VALUE.* line 1 of"),
        ("", r"must hold a value for each option.* line 1 of"),
        ("vary: channels\n", r"must hold a value for each axis.* line 1 of"),
        ("a: [\n", r"A matrix's file must be YAML, but got"),
        ("study: ablaton\n", r"Unknown study 'ablaton'\. Did you mean 'ablation'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(write(tmp_path, text))
