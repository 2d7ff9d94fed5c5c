"""A campaign that replayed the calendar reports scores by days after the event, from MLflow alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.training import CPU, train_rows
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.report.write_report import write_report
from tuning.tracking.client import connect, find_runs
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import Tracker
from tuning.train.evaluate import measure_test
from tuning.trial.folder import Config, TrialFolder

BASELINE = "log_ratio_vv"
READS = {"steps": "event", "timesteps": 4, "replay": True}


@pytest.fixture(scope="module")
def root(
    tmp_path_factory: pytest.TempPathFactory, base_config: Config, pack: Pack, split: Split
) -> Path:
    """A campaign of one network and one baseline, as the driver logs it."""
    root = tmp_path_factory.mktemp("days")
    context = CampaignContext(
        "first", "smoke", "blocks", split.hash, pack.hash, "synthetic", "s1", "4 event", "c"
    )
    tracker, files = Tracker(root, context), root / "first"
    expected = {EXPECTED_RUNS_TAG: json.dumps({"unet": 1, BASELINE: 1})}
    campaign = tracker.open_run("campaign", "campaign", "first", tags=expected)
    files.mkdir()
    ground = write_reference_layers(pack, split.test, files)
    for file in (ground, *write_split_audit(pack, [split], "blocks", files)):
        tracker.client.log_artifact(campaign, str(file))
    trial = TrialFolder(files / "unet")
    train_rows(base_config | READS, pack, trial.path)
    measure_test(trial, pack, split, CPU)
    one = make_baseline_config(BASELINE, "blocks", pack.hash, steps="event", timesteps=4)
    other = run_baseline(one | READS, pack, split, files / "baseline")
    for study, seed, folder in (("unet", "42", trial), (BASELINE, "0", other)):
        tags = {"study": study, "stage": "repeat", "seed": seed, "fold": "blocks"}
        run_id = tracker.open_run("trial", study, study, campaign, tags)
        tracker.finish(run_id, folder, "last epoch")
    return root


def test_the_report_has_days_whose_last_scores_are_those_of_the_ranking(root: Path) -> None:
    table = write_report(root).set_index("model")
    folder = root / "reports" / "first"
    days = pd.read_csv(folder / "benchmark_days.csv")
    assert set(days["model"]) == {"VanillaUNet", "LogRatioVV"}
    last = days.groupby("model").last()
    assert last["day"].nunique() == 1
    for model in last.index:
        assert last["ap_mean"][model] == pytest.approx(table["pr_auc_mean"][model], abs=1e-12)
        assert last["f1_mean"][model] == pytest.approx(table["f1_dice_mean"][model], abs=1e-12)
    assert last["acquisitions_s1asc"].tolist() == [2, 2]
    page = (folder / "report.html").read_text()
    assert "Days after the event" in page
    assert "VanillaUNet reaches 90%" in page or "VanillaUNet has 90%" in page
    assert (folder / "Figures" / "days.png").is_file()


@pytest.mark.parametrize("lacking", ["all", "one"])
def test_models_without_a_replay_are_left_out_of_the_section(
    root: Path, tmp_path: Path, lacking: str
) -> None:
    for file in _list_replays(root)[: 1 if lacking == "one" else None]:
        shutil.move(file, tmp_path / file.parents[2].name)
    try:
        write_report(root, out=tmp_path / "out")
    finally:
        _put_back(root, tmp_path)
    days = tmp_path / "out" / "benchmark_days.csv"
    assert days.is_file() == (lacking == "one")
    if lacking == "one":
        assert pd.read_csv(days)["model"].nunique() == 1


def test_a_replay_of_other_tiles_is_refused(root: Path, tmp_path: Path) -> None:
    file = _list_replays(root)[0]
    shutil.copy(file, tmp_path / "kept.npz")
    arrays = dict(np.load(file))
    arrays["tile_ids"] = arrays["tile_ids"][::-1]
    np.savez_compressed(file, **arrays)
    try:
        with pytest.raises(ValueError, match="must have the run's test tiles in their order"):
            write_report(root, out=tmp_path / "out")
    finally:
        shutil.copy(tmp_path / "kept.npz", file)


def _list_replays(root: Path) -> list[Path]:
    """Return the replays that MLflow keeps, by artifact folder."""
    client, experiment_id = connect(root)
    runs = find_runs(client, experiment_id, kind="trial")
    files = [Path(run.info.artifact_uri.removeprefix("file://")) for run in runs]
    return sorted(file / "trial" / "replay.npz" for file in files)


def _put_back(root: Path, folder: Path) -> None:
    for file in _list_replays(root):
        kept = folder / file.parents[2].name
        if kept.is_file():
            shutil.move(kept, file)
