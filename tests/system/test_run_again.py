"""The same command typed again after a campaign was cut off."""

import json
import sys
from pathlib import Path

import pytest

from tuning.run import main
from tuning.settings.lock import lock_campaign
from tuning.settings.settings import Settings
from tuning.trial.folder import Config
from tuning.trial.stage import Stage, StageJob, register_trial

WORDS = ["--model", "unet", "--preset", "smoke"]


class Cut:
    """Stands for the campaign: keeps its settings, and is interrupted at once."""

    def __init__(self) -> None:
        self.began: list[str] = []

    def __call__(self, root: Path, settings: Settings) -> None:
        self.began.append(settings.campaign)
        raise KeyboardInterrupt


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Cut:
    campaign = Cut()
    monkeypatch.setattr("tuning.campaign.campaign.run_campaign", campaign)
    return campaign


@pytest.fixture
def root(tmp_path: Path, config: Config, cut: Cut) -> Path:
    """An output folder with the campaign ``first``, cut off in its first trial."""
    assert main([*WORDS, "--root", str(tmp_path), "--campaign", "first"]) == 130
    job = StageJob("repeat", {}, "/pack", str(tmp_path / "campaigns" / "first" / "trials"))
    register_trial(Stage("repeat", job, 2, 2), {"config": config}, 1)
    return tmp_path


def test_same_command_names_the_campaign_that_was_cut_off(
    root: Path, cut: Cut, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--root", str(root)]) == 2
    told = "The same command was cut off before: campaign first, 0 of 1 begun trials done. "
    told += "Continue it with --resume first, or begin another one with --campaign NAME."
    assert told in capsys.readouterr().err
    assert cut.began == ["first"]
    assert main(["--root", str(root), "--resume", "first"]) == 130
    again = f"Continue with: python -m tuning.run --resume first --root {root}"
    assert again in capsys.readouterr().err
    assert cut.began == ["first", "first"]


def test_command_that_stacks_its_seeds_is_the_same_command(
    root: Path, cut: Cut, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--root", str(root), "--stack-seeds"]) == 2
    assert "The same command was cut off before: campaign first" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "continued"), [("", True), ("Y", True), ("n", False)])
def test_user_at_a_terminal_is_asked(
    root: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch, answer: str, continued: bool
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert main([*WORDS, "--root", str(root)]) == 130
    assert (cut.began[-1] == "first") == continued
    assert len(cut.began) == 2


@pytest.mark.parametrize(
    "more", [["--seeds", "1"], ["--campaign", "second"], ["--hang-after", "5"]]
)
def test_another_command_begins_a_campaign_of_its_own(
    root: Path, cut: Cut, more: list[str]
) -> None:
    assert main([*WORDS, "--root", str(root), *more]) == 130
    assert len(cut.began) == 2
    assert cut.began[-1] != "first"


def test_campaign_that_ended_or_runs_is_not_offered(root: Path, cut: Cut) -> None:
    with lock_campaign(root / "campaigns" / "first"):
        assert main([*WORDS, "--root", str(root), "--campaign", "beside"]) == 130
        assert main([*WORDS, "--root", str(root)]) == 130
    ended = {"studies": {}, "missing": [], "reported": True}
    for folder in (root / "campaigns").iterdir():
        (folder / "outcome.json").write_text(json.dumps(ended))
    assert main([*WORDS, "--root", str(root)]) == 130
    assert len(cut.began) == 4


def test_name_of_a_campaign_that_exists_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--root", str(root), "--campaign", "first"]) == 2
    assert "Continue it with --resume first, or choose another name." in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-1"])
def test_hang_needs_a_time(
    tmp_path: Path, cut: Cut, capsys: pytest.CaptureFixture[str], minutes: str
) -> None:
    assert main([*WORDS, "--root", str(tmp_path), "--hang-after", minutes]) == 2
    assert (
        f"--hang-after must be more than 0 minutes, but got {minutes}." in capsys.readouterr().err
    )
