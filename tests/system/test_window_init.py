"""A campaign on a window of acquisitions that starts from trained weights, from the command line to its report."""

import csv
import json
from pathlib import Path

import pytest

from tests.support.forked_commands import Call, Server
from tests.support.served_fixtures import write_checkpoint
from tuning.report.terminal import report_folder
from tuning.settings.saved_campaigns import campaign_folder, load_settings
from tuning.train.checkpoints import load_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.file_s(60)]
WINDOW = ["--window", "pre:all/post:1", "--channels", "s1asc"]


def test_a_window_and_trained_weights_reach_trials_model_and_report(
    commands: Server, twin: Path, tmp_path: Path
) -> None:
    arch = {"width": 4, "depth": 2, "conv": "plain", "norm": "batch", "dropout": 0.0}
    before = {"channels": ["s1asc:VV", "s1asc:VH"], "steps": "pre:8/post:1", "timesteps": 9}
    best = write_checkpoint(tmp_path / "old", arch=arch, **before).best
    root, words = tmp_path / "mlruns", ["--data", str(twin), "--preset", "smoke", "--trials", "1"]
    words += ["--seeds", "1", "--model", "unet", "--init", str(best), "--campaign", "one"]
    words += [*WINDOW, "--root", str(root)]
    threads = {"OMP_NUM_THREADS": None}  # as a user starts it
    done = commands.run(Call(["tuning.run", *words], str(tmp_path), threads, silence_s=240.0))
    assert done.code == 0, done.said
    assert "Window pre:all/post:1: pre:8/post:1" in done.said
    assert "Trainings start from " in done.said

    settings = load_settings(root, "one")
    found = settings.window, settings.steps, settings.timesteps
    assert found == ("pre:all/post:1", "pre:8/post:1", 9)
    trials = campaign_folder(root, "one") / "trials"
    configs = [json.loads(file.read_text()) for file in trials.glob("*/config.json")]
    assert len(configs) == 2
    for config in configs:
        assert (config["steps"], config["timesteps"]) == ("pre:8/post:1", 9)
        assert (config["init"], config["arch"]) == (settings.init["digest"], arch)
    (trained,) = trials.glob("*/best.pt")
    assert load_checkpoint(trained).profile.after == {"s1asc": 1}  # type: ignore[union-attr]
    folder = report_folder(root, "one")
    (row,) = csv.DictReader((folder / "benchmark_master.csv").open())
    assert row["acquisitions"] == "9 pre:8/post:1"
    assert f"starting from the weights {settings.init['digest']}" in row["training"]
    assert "/old/best.pt)" in (folder / "report.html").read_text()
