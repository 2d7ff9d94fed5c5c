"""Tests of ``python -m tuning.matrix``: help, dry run, budget, exit codes, what it prints."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from tests.support.matrices import WORDS, save_tiny
from tuning.campaign.finish import CampaignOutcome
from tuning.campaign.together import Member
from tuning.matrix import run_matrix as module
from tuning.matrix.__main__ import main
from tuning.matrix.report.write_report import MatrixReport
from tuning.matrix.saved_matrices import MATRICES, list_matrices, load_matrix
from tuning.settings.saved_campaigns import campaign_folder

ROOT = Path(__file__).parents[3]
TINY = [*WORDS, "--preset", "smoke", "--name", "tiny"]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> dict[str, CampaignOutcome | str | BaseException]:
    """How campaigns end, by name; well if they are not named."""
    outcomes: dict[str, CampaignOutcome | str | BaseException] = {}

    def run_together(root: Path, members: Sequence[Member]) -> dict[str, CampaignOutcome | str]:
        ended: dict[str, CampaignOutcome | str] = {}
        for one in members:
            (campaign_folder(root, one.settings.campaign) / "trials" / "x").mkdir(parents=True)
            outcome = outcomes.get(one.settings.campaign, CampaignOutcome(pd.DataFrame(), ()))
            if isinstance(outcome, BaseException):
                raise outcome
            ended[one.settings.campaign] = outcome
        return ended

    monkeypatch.setattr(module, "run_together", run_together)
    return outcomes


@pytest.fixture(autouse=True)
def packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take for granted that the tiles can be read; `test_check_cells` reads them."""
    monkeypatch.setattr(
        "tuning.matrix.planning.check_cells.settle_cells", lambda root, cells: tuple(cells)
    )


@pytest.fixture(autouse=True)
def reports(monkeypatch: pytest.MonkeyPatch) -> list[MatrixReport | Exception]:
    """What the reports say, the last one first; these campaigns have no runs that could be reported."""
    made: list[MatrixReport | Exception] = [MatrixReport(Path("reports"), ("VV is enough.",), ())]

    def write(root: Path, name: str | None) -> MatrixReport:
        if isinstance(made[-1], Exception):
            raise made[-1]
        return made[-1]

    monkeypatch.setattr("tuning.matrix.report.write_report.write_matrix_report", write)
    monkeypatch.setattr(
        "tuning.matrix.terminal.format_report", lambda root, report: "\n".join(report.sentences)
    )
    return made


def test_a_report_is_printed_and_what_it_misses_is_an_error(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    reports: list[MatrixReport | Exception],
    ends: dict[str, CampaignOutcome | str | BaseException],
) -> None:
    assert main([*TINY, "--root", str(tmp_path)]) == 0
    assert "VV is enough." in capsys.readouterr().out
    reports.append(MatrixReport(tmp_path, (), ("The cell channels=VV lacks 1 run.",)))
    assert main(["--report", "tiny", "--root", str(tmp_path)]) == 1
    assert "error: The cell channels=VV lacks 1 run." in capsys.readouterr().err
    reports.append(ValueError("There is no matrix."))
    assert main(["--report", "--root", str(tmp_path)]) == 1
    assert "There is no matrix." in capsys.readouterr().err
    assert main(["--resume", "--root", str(tmp_path)]) == 1  # all cells are done, but not reported


def test_help_imports_no_heavy_library() -> None:
    code = (
        "import sys\nfrom tuning.matrix.__main__ import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n"
        "    print([name for name in ('torch', 'ray', 'mlflow', 'xarray', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("[]\n"), done.stderr
    assert "label_noise" in done.stdout
    assert "ablation" in done.stdout


def test_a_dry_run_prints_the_plan_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "out"
    assert main([*TINY, "--dry-run", "--root", str(root)]) == 0
    text = capsys.readouterr().out
    assert "Matrix tiny: 3 cells, 2 seeds." in text
    assert "train: share of the train tiles (exploratory, ordered): 0.5, 1 (reference)" in text
    assert "channels=s1; train=1" in text
    assert "2 cells take their hyperparameters from the search of the reference cell." in text
    assert "The reference cell is trained once for all 2 axes." in text
    assert "Time: at most about" in text
    assert "Disk: about" in text
    assert list(tmp_path.iterdir()) == []


def test_a_budget_drops_seeds_and_says_so(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ends: dict[str, CampaignOutcome | str | BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tuning.matrix.cost.budgeted.fit_budget", lambda cost, hours: 2)
    words = [*TINY, "--seeds", "5", "--budget", "3", "--root", str(tmp_path)]
    assert main([*words, "--dry-run"]) == 0
    assert "--budget 3 drops 3 of 5 seeds of every cell, the last ones" in capsys.readouterr().out
    assert main(words) == 0
    plan, cells = load_matrix(tmp_path, "tiny")
    assert (plan.seeds, plan.dropped_seeds, plan.budget_hours) == (2, 3, 3.0)
    assert {one.seeds for one in cells} == {2}


def test_a_budget_that_no_cell_fits_is_a_bad_argument(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TINY, "--budget", "0.001", "--root", str(tmp_path)]) == 2
    assert "--budget 0.001 hours must hold every cell with 2 seeds" in capsys.readouterr().err
    assert not (tmp_path / MATRICES).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--vary", "chanels=s1"], "error: Unknown axis 'chanels'. Did you mean 'channels'?"),
        (["--vary", "channels=s1,s1+s2", "--cross", "unet"], "[channels=s1+s2] The synthetic twin"),
        (["ablation", "--preset", "quik"], "error: Unknown preset 'quik'. Did you mean 'quick'?"),
        (["missing.yaml"], "error: No such file or directory: missing.yaml"),
        (["--resume"], "error: --resume continues a matrix, but"),
        (["--vary", "train=0.001,1", "--cross", "unet"], "[train=0.001] --train-share must leave"),
    ],
)
def test_a_bad_argument_ends_with_code_2_and_nothing_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main([*words, "--root", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert list_matrices(tmp_path) == []
    assert not (tmp_path / "campaigns").exists()


def test_failed_cells_are_named_and_the_code_is_1(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ends: dict[str, CampaignOutcome | str | BaseException],
) -> None:
    ends["tiny-channels-VV"] = "The disk is full."
    assert main([*TINY, "--root", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "error: [channels=VV] The disk is full." in error
    assert f"python -m tuning.matrix --resume tiny --root {tmp_path}" in error


def test_ctrl_c_ends_with_code_130_and_the_command_that_continues(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ends: dict[str, CampaignOutcome | str | BaseException],
) -> None:
    ends["tiny-channels-VV"] = KeyboardInterrupt()
    assert main([*TINY, "--root", str(tmp_path)]) == 130
    assert f"--resume tiny --root {tmp_path}" in capsys.readouterr().err
    unnamed = [word for word in TINY if word not in ("--name", "tiny")]
    assert main([*unnamed, "--root", str(tmp_path)]) == 2
    assert (
        "The same command was interrupted: matrix tiny. Resume it with" in capsys.readouterr().err
    )


def test_a_resumed_matrix_keeps_its_plan_but_may_join_another_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny(tmp_path)
    found: list[Member] = []

    def run_together(root: Path, members: Sequence[Member]) -> dict[str, CampaignOutcome | str]:
        found.extend(members)
        return {one.settings.campaign: "No Ray answers." for one in members}

    monkeypatch.setattr(module, "run_together", run_together)
    words = ["--resume", "--address", "ray://x:1", "--stack-seeds", "2", "--root", str(tmp_path)]
    assert main(words) == 1
    assert {(one.settings.address, one.settings.stack_seeds) for one in found} == {("ray://x:1", 2)}
