"""The same command again, after a campaign was interrupted."""

import json
import sys
from pathlib import Path

import pytest

from tuning.run import main
from tuning.settings.lock import lock_campaign
from tuning.settings.settings import Settings
from tuning.trial.entry import register_trial
from tuning.trial.folder import Config
from tuning.trial.stage import Stage, StageJob

WORDS = ["--model", "unet", "--preset", "smoke"]


class InterruptedCampaign:
    """Replaces the campaign: records its name, and raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def __call__(self, root: Path, settings: Settings, **_: object) -> None:
        self.started.append(settings.campaign)
        raise KeyboardInterrupt


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> InterruptedCampaign:
    campaign = InterruptedCampaign()
    monkeypatch.setattr("tuning.campaign.together.run_campaign", campaign)
    return campaign


@pytest.fixture
def root(tmp_path: Path, config: Config, interrupted: InterruptedCampaign) -> Path:
    """An output folder with the campaign ``first``, interrupted in its first trial."""
    assert main([*WORDS, "--root", str(tmp_path), "--campaign", "first"]) == 130
    job = StageJob("repeat", {}, "/pack", str(tmp_path / "campaigns" / "first" / "trials"))
    register_trial(Stage("repeat", job, 2, 2), {"config": config}, 1)
    return tmp_path


def test_same_command_names_the_interrupted_campaign(
    root: Path, interrupted: InterruptedCampaign, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--root", str(root)]) == 2
    message = "The same command was interrupted: campaign first, 0 of 1 started trials done. "
    message += "Resume it with --resume first, or start another one with --campaign NAME."
    assert message in capsys.readouterr().err
    assert interrupted.started == ["first"]
    assert main(["--root", str(root), "--resume", "first"]) == 130
    command = f"Resume with: python -m tuning.run --resume first --root {root}"
    assert command in capsys.readouterr().err
    assert interrupted.started == ["first", "first"]


def test_command_that_stacks_its_seeds_is_the_same_command(
    root: Path, interrupted: InterruptedCampaign, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--root", str(root), "--stack-seeds"]) == 2
    assert "The same command was interrupted: campaign first" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "continued"), [("", True), ("Y", True), ("n", False)])
def test_user_at_a_terminal_is_asked(
    root: Path,
    interrupted: InterruptedCampaign,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    continued: bool,
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert main([*WORDS, "--root", str(root)]) == 130
    assert (interrupted.started[-1] == "first") == continued
    assert len(interrupted.started) == 2


@pytest.mark.parametrize(
    "more", [["--seeds", "1"], ["--campaign", "second"], ["--hang-after", "5"]]
)
def test_another_command_begins_a_campaign_of_its_own(
    root: Path, interrupted: InterruptedCampaign, more: list[str]
) -> None:
    assert main([*WORDS, "--root", str(root), *more]) == 130
    assert len(interrupted.started) == 2
    assert interrupted.started[-1] != "first"


def test_campaign_that_ended_or_runs_is_not_offered(
    root: Path, interrupted: InterruptedCampaign
) -> None:
    with lock_campaign(root / "campaigns" / "first"):
        assert main([*WORDS, "--root", str(root), "--campaign", "beside"]) == 130
        assert main([*WORDS, "--root", str(root)]) == 130
    ended = {"studies": {}, "missing": [], "reported": True}
    for folder in (root / "campaigns").iterdir():
        (folder / "outcome.json").write_text(json.dumps(ended))
    assert main([*WORDS, "--root", str(root)]) == 130
    assert len(interrupted.started) == 4


def test_name_of_a_campaign_that_exists_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--root", str(root), "--campaign", "first"]) == 2
    assert "Continue it with --resume first, or choose another name." in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-1"])
def test_hang_needs_a_time(
    tmp_path: Path,
    interrupted: InterruptedCampaign,
    capsys: pytest.CaptureFixture[str],
    minutes: str,
) -> None:
    assert main([*WORDS, "--root", str(tmp_path), "--hang-after", minutes]) == 2
    assert (
        f"--hang-after must be more than 0 minutes, but got {minutes}." in capsys.readouterr().err
    )
