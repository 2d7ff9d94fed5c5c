"""A campaign in MLflow becomes a bundle that verifies; what cannot become one is refused, and no file is left."""

import json
from pathlib import Path

import pandas as pd
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.bundles import write_tables
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.bundle.__main__ import main
from tuning.bundle.verify import verify_bundle
from tuning.campaign.identity import INPUTS, describe_inputs, keep_inputs
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers
from tuning.report.results import read_results
from tuning.settings.saved_campaigns import campaign_folder
from tuning.tracking.client import connect
from tuning.tracking.load_trials import read_trials
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import Tracker
from tuning.tracking.validate_runs import find_campaign

NAME, BASELINES = "tiny", ("log_ratio_vv", "log_ratio_vh")


def log_campaign(root: Path, pack: Pack, split: Split) -> None:
    """Log a campaign of two baselines, with its folder."""
    words = ("smoke", "blocks", split.hash, pack.hash, "synthetic", "s1", "2 even", "c" * 40)
    tracker = Tracker(root, CampaignContext(NAME, *words))
    expected = {EXPECTED_RUNS_TAG: json.dumps(dict.fromkeys(BASELINES, 1))}
    campaign = tracker.open_run("campaign", "campaign", NAME, tags=expected)
    files = root / "files"
    files.mkdir(parents=True)
    layers = write_reference_layers(pack, split.test, files)
    tracker.client.log_artifact(campaign, str(layers))
    for key in BASELINES:
        config = make_baseline_config(key, split.name, pack.hash, 0)
        tags = {"study": key, "stage": "repeat", "seed": "0", "fold": split.name}
        run_id = tracker.open_run("trial", key, key, campaign, tags, config)
        tracker.finish(run_id, run_baseline(config, pack, split, files / key), "last epoch")
    tracker.close(campaign, "FINISHED")
    folder = campaign_folder(root, NAME)
    folder.mkdir(parents=True)
    keep_inputs(folder, describe_inputs(pack, [split]), "c" * 40)


def log_tables(root: Path, change: str = "") -> None:
    """Log the report's tables, with 0.5 added to one column of the master table."""
    client, experiment_id = connect(root)
    campaign = find_campaign(client, experiment_id, NAME)
    results = read_results(client, campaign, read_trials(client, experiment_id, NAME).repeats)
    assert results is not None
    tables = write_tables(list(results.models), results.layers, block_tiles=3)
    for name, text in tables.items():
        file = root / "files" / name
        file.write_text(text)
        if change and name == "benchmark_master.csv":
            table = pd.read_csv(file)
            table[change] += 0.5
            table.to_csv(file, index=False)
        client.log_artifact(campaign.info.run_id, str(file), "report")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, pack: Pack, split: Split) -> Path:
    root = tmp_path_factory.mktemp("bundle") / "mlruns"
    log_campaign(root, pack, split)
    return root


def test_campaign_without_report_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([NAME, "--root", str(root), "--to", str(tmp_path / "b.zip")]) == 1
    assert (
        "A bundle holds the report's tables, but campaign 'tiny' has no benchmark_master.csv in MLflow. Write its report with "
        "`python -m tuning.report --campaign tiny`."
    ) in capsys.readouterr().err


def test_bundle_of_a_campaign_verifies(
    root: Path, tmp_path: Path, split: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    log_tables(root)
    file = tmp_path / "b.zip"
    assert main(["--root", str(root), "--to", str(file)]) == 0
    said = capsys.readouterr().out
    assert f"Bundle: {file} (" in said
    assert f"python -m tuning.verify {file}" in said
    verified = verify_bundle(file)
    assert verified.differences == ()
    bundle = verified.bundle
    assert (bundle.name, bundle.tile_ids) == (NAME, split.test)
    assert bundle.provenance["commit"] == "c" * 40
    assert bundle.provenance["split_hash"] == split.hash
    assert [model.origin for model in bundle.models] == ["baseline"] * 2
    again = tmp_path / "again.zip"
    assert main([NAME, "--root", str(root), "--to", str(again)]) == 0
    assert again.read_bytes() == file.read_bytes()


def test_report_that_does_not_follow_from_the_runs_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_tables(root, "iou_mean")
    file = tmp_path / "b.zip"
    assert main([NAME, "--root", str(root), "--to", str(file)]) == 1
    error = capsys.readouterr().err
    assert (
        "The tables of a report must follow from its runs, but 2 cells of campaign 'tiny'" in error
    )
    assert "benchmark_master.csv, LogRatioVV, iou_mean: stored " in error
    assert list(tmp_path.iterdir()) == []
    log_tables(root)


def test_campaign_without_its_folder_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_tables(root)
    inputs = campaign_folder(root, NAME) / INPUTS
    text = inputs.read_text()
    inputs.unlink()
    try:
        assert main([NAME, "--root", str(root), "--to", str(tmp_path / "b.zip")]) == 1
    finally:
        inputs.write_text(text)
    assert "which a campaign keeps in its folder, but got none in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("b.txt", 2, "--to must end in .zip, but got"),
        ("none/b.zip", 2, "--to must be in an existing folder, but got"),
        ("there.zip", 2, "--to must be a new file, but"),
        ("b.zip", 1, "Unknown campaign 'tinny'. Did you mean 'tiny'?"),
    ],
)
def test_bad_argument_is_refused(
    name: str,
    code: int,
    message: str,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "there.zip").write_bytes(b"")
    assert main(["tinny", "--root", str(root), "--to", str(tmp_path / name)]) == code
    assert message in capsys.readouterr().err
    assert (tmp_path / "there.zip").read_bytes() == b""


def test_mistyped_root_makes_no_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "mlrun"
    assert main(["--root", str(root), "--to", str(tmp_path / "b.zip")]) == 2
    assert (
        f"must hold a campaign's database mlflow.db, but {root} does not exist."
        in capsys.readouterr().err
    )
    assert not root.exists()
