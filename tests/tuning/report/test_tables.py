"""A new pixel metric is one entry of the registry: MLflow, the tables and the page have it."""

import html
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.pack import Pack
from data.splits import Split
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.metrics.calibration import calibration_error
from tuning.metrics.recalibration import fit_calibration, recalibrate
from tuning.metrics.scores import METRICS, Confusion, PixelMetric
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.report.tables import format_ends
from tuning.report.write_report import write_report
from tuning.tracking.client import connect, find_runs
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import Tracker
from tuning.trial.folder import TrialFolder

BASELINE = "log_ratio_vv"
KAPPA = "Cohen's kappa"


def cohens_kappa(pixels: Confusion) -> float:
    tp, fp, fn, tn = pixels.tp, pixels.fp, pixels.fn, pixels.tn
    return 2 * (tp * tn - fp * fn) / ((tp + fp) * (fp + tn) + (tp + fn) * (fn + tn))


def log_baseline(root: Path, name: str, pack: Pack, split: Split) -> TrialFolder:
    """Log a campaign of one baseline, as the driver does."""
    context = CampaignContext(
        name, "smoke", "blocks", split.hash, pack.hash, "synthetic", "s1", "2 even", "c"
    )
    tracker = Tracker(root, context)
    tags = {EXPECTED_RUNS_TAG: json.dumps({BASELINE: 1})}
    campaign = tracker.open_run("campaign", "campaign", name, tags=tags)
    files = root / name
    files.mkdir(parents=True)
    layers = write_reference_layers(pack, split.test, files)
    for file in (layers, *write_split_audit(pack, [split], "blocks", files)):
        tracker.client.log_artifact(campaign, str(file))
    tags = {"study": BASELINE, "stage": "repeat", "seed": "0", "fold": "blocks"}
    run_id = tracker.open_run("trial", BASELINE, BASELINE, campaign, tags)
    trial = run_baseline(
        make_baseline_config(BASELINE, "blocks", pack.hash, 0), pack, split, files / "trial"
    )
    tracker.finish(run_id, trial, "last epoch")
    return trial


def test_a_metric_is_added_in_one_place(
    tmp_path: Path, pack: Pack, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_baseline(tmp_path, "stored", pack, split)  # by a version without the metric
    metric = PixelMetric(KAPPA, cohens_kappa, at_threshold=True, low=-1.0)
    monkeypatch.setitem(METRICS, "kappa", metric)
    trial = log_baseline(tmp_path, "new", pack, split)
    test = trial.read("test")
    kappa = cohens_kappa(Confusion(*(test[name] for name in ("tp", "fp", "fn", "tn"))))
    assert test["kappa"] == kappa != 0

    client, experiment_id = connect(tmp_path)
    (run,) = find_runs(client, experiment_id, kind="trial", campaign="new")
    assert run.data.metrics["test/kappa"] == pytest.approx(kappa)

    for campaign in ("stored", "new"):
        write_report(tmp_path, campaign)
        folder = tmp_path / "reports" / campaign
        table = pd.read_csv(folder / "benchmark_master.csv")
        assert table["kappa_mean"][0] == pytest.approx(kappa)
        assert np.isnan(table["kappa_std"][0])  # of one seed
        assert pd.read_csv(folder / "benchmark_runs.csv")["kappa"][0] == pytest.approx(kappa)
        assert "kappa" in pd.read_csv(folder / "benchmark_tiles.csv")
        page = html.unescape((folder / "report.html").read_text())
        for one in METRICS.values():
            assert f">{one.label}<" in page


def test_calibration_errors_are_reported_before_and_after(
    tmp_path: Path, pack: Pack, split: Split
) -> None:
    trial = log_baseline(tmp_path, "one", pack, split)
    write_report(tmp_path, "one")
    (row,) = pd.read_csv(tmp_path / "reports" / "one" / "benchmark_master.csv").to_dict("records")
    val, test = trial.counts("val"), trial.counts("test")
    assert val is not None
    assert test is not None
    after = calibration_error(recalibrate(test, fit_calibration(val)))
    assert row["ece_mean"] == pytest.approx(calibration_error(test))
    assert row["ece_calibrated_mean"] == pytest.approx(after)
    assert after < 0.2 * row["ece_mean"]  # a log-ratio is no probability
    page = (tmp_path / "reports" / "one" / "report.html").read_text()
    assert "calibration error, calibrated" in page


def test_an_interval_that_is_not_defined_says_why() -> None:
    assert format_ends(0.1234, 0.5) == "0.123 to 0.500"
    assert format_ends(-0.0001, 0.5, "z.3f") == "0.000 to 0.500"
    assert format_ends(float("nan"), float("nan")) == "none: too few tiles"
