"""The command measures each world once, judges all, and refuses what it cannot compare."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tuning.worlds import __main__ as command
from tuning.worlds import measure

MODELS = ["--models", "log_ratio_vv_asc", "log_ratio_vv_dsc"]
TINY = ["--worlds", "2", "--first", "7", "--tiles", "3", *MODELS]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds")
    assert command.main([*TINY, "--out", str(folder)]) == 0
    return folder


def test_worlds_are_measured_and_judged(out: Path) -> None:
    assert {"world-7.npz", "world-8.npz", "worlds.json"} < {file.name for file in out.iterdir()}
    scores = pd.read_csv(out / "scores.csv")
    assert scores["world"].tolist() == [7, 7, 8, 8]
    assert scores["ap_truth"].mean() > scores["ap_labels"].mean() > 0
    text = (out / "summary.txt").read_text()
    assert "they do not cover other events" in text
    assert "Kendall's tau" in text
    verdicts = pd.read_csv(out / "verdicts.csv")
    assert set(verdicts["estimand"]) == {"this area", "new events"}
    assert (verdicts.loc[verdicts["estimand"] == "new events", "verdict"] == "undecided").all()


def test_a_measured_world_is_not_measured_again(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(measure, "measure_world", refuse)
    assert command.main([*TINY, "--out", str(out)]) == 0
    assert command.main(["--worlds", "3", *TINY[2:], "--out", str(out)]) == 1
    assert "error: AssertionError: measured again (traceback: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--tiles", "2"], "must be measured alike, but .* has other tiles"),
        (["--models", "log_ratio_vv", "log_ratio_vh"], "has other models"),
        (["--worlds", "1"], "--worlds must be 2 or more, since worlds are compared, but got 1"),
        (["--jobs", "0"], "--jobs and --tiles must be 1 or more, but got 0 and 3"),
        (["--models", "log_ratio_vw", "log_ratio_vh"], "Did you mean 'log_ratio_v"),
        (["--region", "hokaido"], "Did you mean 'hokkaido'"),
        (["--first", "-5"], "from 0 to 4294967295, but got -5"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    out: Path, capsys: pytest.CaptureFixture[str], changes: list[str], message: str
) -> None:
    assert command.main([*TINY, "--out", str(out), *changes]) == 2
    assert re.search(message, capsys.readouterr().err)
