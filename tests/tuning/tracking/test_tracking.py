import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow.exceptions import ErrorCode, MlflowException

from data.io.errors import hide_password
from data.pack import Pack
from tuning.metrics.curve import trace_curve
from tuning.metrics.histogram import BINS
from tuning.tracking.client import (
    connect,
    database_file,
    find_runs,
    tracking_uri,
)
from tuning.tracking.errors import explain_denied_access, tracker_errors
from tuning.tracking.payloads import CampaignContext, flatten, make_overlay
from tuning.tracking.tracker import Tracker
from tuning.train.fit import fit
from tuning.trial.folder import Config, TrialFolder

CONTEXT = CampaignContext(
    "first", "smoke", "blocks", "5" * 12, "d" * 12, "synthetic", "s1", "2 even", "c" * 40
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture(scope="module")
def tracker(root: Path) -> Tracker:
    return Tracker(root, CONTEXT)


def row(epoch: int) -> dict[str, Any]:
    names = ("loss", "pr_auc", "dice", "iou")
    values: dict[str, Any] = {
        f"{part}_{name}": epoch / 10 for part in ("train", "val") for name in names
    }
    more = {"epoch": epoch, "best/val_pr_auc": epoch / 10, "lr": 1e-3, "seconds": 1.0}
    system = {"cpu_utilization_percentage": 50.0}
    return values | more | {"time_ms": 1000 * epoch, "system": system}


def history(tracker: Tracker, run_id: str, key: str = "val_pr_auc") -> list[int]:
    return [metric.step for metric in tracker.client.get_metric_history(run_id, key)]


def test_database_is_created_in_the_root_with_write_ahead_log(tracker: Tracker, root: Path) -> None:
    assert (root / "mlflow.db").is_file()
    assert (root / "mlflow.db").read_bytes()[18] == 2  # file format: 2 = write-ahead log
    experiment = tracker.client.get_experiment(tracker.experiment_id)
    assert experiment.artifact_location == (root / "artifacts").as_uri()
    assert connect(root)[1] == tracker.experiment_id


def test_database_file_is_none_for_servers_and_missing_files(tracker: Tracker, root: Path) -> None:
    assert database_file(tracking_uri(root)) == (root / "mlflow.db").resolve()
    assert database_file("http://127.0.0.1:5000") is None
    assert database_file("sqlite:////nowhere/mlflow.db") is None


def test_server_is_used_instead_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert tracking_uri(tmp_path) == "http://127.0.0.1:1"


def test_tracker_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ConnectionError, match=r"must answer, but http://127\.0\.0\.1:1 gave: "):
        connect(tmp_path)


def test_tracking_uri_is_shown_without_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mona:secret@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ConnectionError, match=r"but http://127\.0\.0\.1:1 gave: ") as told:
        connect(tmp_path)
    assert str(told.value).count("secret") == 0
    assert hide_password("postgresql://u:p@db/x") == "postgresql://db/x"
    assert hide_password("sqlite:////a/b@c.db") == "sqlite:////a/b@c.db"


def test_connecting_does_not_change_the_environment(tracker: Tracker, tmp_path: Path) -> None:
    before = dict(os.environ)
    assert connect(tmp_path)[0].tracking_uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert dict(os.environ) == before
    connect(Path(tracker.client.tracking_uri.removeprefix("sqlite:///")).parent)


def test_run_is_found_by_key_and_created_once(tracker: Tracker, root: Path) -> None:
    run_id = tracker.open_run("trial", "key-a", "a", params={"lr": 0.1, "arch": {"width": 8}})
    assert tracker.open_run("trial", "key-a", "a") == run_id
    assert Tracker(root, CONTEXT).open_run("trial", "key-a", "a") == run_id
    assert tracker.open_run("trial", "key-b", "b") != run_id
    run = tracker.client.get_run(run_id)
    assert run.data.params == {"lr": "0.1", "arch.width": "8"}
    assert run.data.tags["data"] == "synthetic"
    assert run.data.tags["split_hash"] == "5" * 12


class CutError(Exception):
    """The connection to the tracker is lost."""


def test_new_campaign_searches_its_runs_only_after_a_failure(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(root, CampaignContext(**{**vars(CONTEXT), "campaign": "new"}))
    tracker.open_run("campaign", "campaign", "new")
    usual = tracker.client.log_batch

    def cut_off(*args: Any, **kwargs: Any) -> None:
        usual(*args, **kwargs)
        raise CutError

    with monkeypatch.context() as patched:
        patched.setattr("tuning.tracking.campaign_runs.find_runs", None)
        first = tracker.open_run("trial", "first", "f")  # nothing is looked for
        patched.setattr(tracker.client, "log_batch", cut_off)
        with pytest.raises(CutError):
            tracker.open_run("trial", "cut", "c")
    run_id = tracker.open_run("trial", "cut", "c")
    tracker.open_run("trial", "later", "l")
    made = {run.data.tags["key"]: run.info.run_id for run in tracker.find_trials()}
    assert len(tracker.find_trials()) == len(made) == 3
    assert (made["first"], made["cut"]) == (first, run_id)


def test_campaign_whose_own_run_was_deleted_keeps_its_trials(root: Path) -> None:
    context = CampaignContext(**{**vars(CONTEXT), "campaign": "bereft"})
    tracker = Tracker(root, context)
    campaign = tracker.open_run("campaign", "campaign", "bereft")
    trial = tracker.open_run("trial", "kept", "k")
    tracker.client.delete_run(campaign)
    again = Tracker(root, context)
    assert again.open_run("campaign", "campaign", "bereft") != campaign
    assert again.open_run("trial", "kept", "k") == trial


def test_campaigns_do_not_share_runs(tracker: Tracker, root: Path) -> None:
    other = Tracker(root, CampaignContext(**{**vars(CONTEXT), "campaign": "second"}))
    assert other.open_run("trial", "key-a", "a") != tracker.open_run("trial", "key-a", "a")


def test_each_epoch_is_logged_once(tracker: Tracker, root: Path, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    run_id = tracker.open_run("trial", "mirrored", "m")
    folder.append(row(1))
    tracker.send_epochs(run_id, folder)
    folder.append(row(2))
    tracker.send_epochs(run_id, folder)
    Tracker(root, CONTEXT).send_epochs(run_id, folder)  # another process, after a restart
    assert history(tracker, run_id) == [1, 2]


def test_trial_stopped_early_does_not_look_finished(tracker: Tracker, tmp_path: Path) -> None:
    run_id = tracker.open_run("trial", "stopped", "s")
    folder = TrialFolder(tmp_path)
    folder.append(row(1))
    tracker.finish(run_id, folder, "scheduler")
    run = tracker.client.get_run(run_id)
    assert run.info.status == "KILLED"
    assert run.data.tags["ended_by"] == "scheduler"


def test_failed_trial_has_its_error_as_a_tag(tracker: Tracker, tmp_path: Path) -> None:
    run_id = tracker.open_run("trial", "failed", "f")
    tracker.finish(run_id, TrialFolder(tmp_path), "error", "The loss must stay finite.")
    run = tracker.client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "The loss must stay finite."
    tracker.reopen(run_id)
    assert tracker.client.get_run(run_id).info.status == "RUNNING"


def test_finished_trial_has_curves_files_and_a_model(
    tracker: Tracker, root: Path, config: Config, pack: Pack, tmp_path: Path
) -> None:
    reason = fit(config | {"epochs": 1}, pack, tmp_path / "t", lambda row: None)
    run_id = tracker.open_run("trial", "whole", "w")
    for _ in range(2):  # a second time adds nothing
        tracker.finish(run_id, TrialFolder(tmp_path / "t"), reason)
    run = tracker.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert history(tracker, run_id) == [1]
    assert history(tracker, run_id, "pr/val_precision") == list(range(101))
    assert run.data.metrics["best/val_pr_auc"] == pytest.approx(run.data.metrics["val_pr_auc"])
    files = {file.path for file in tracker.client.list_artifacts(run_id, "curves")}
    assert files == {"curves/pr.png", "curves/pr_val.json"}
    path = tracker.client.download_artifacts(run_id, "curves/pr_val.json", str(tmp_path))
    curve = json.loads(Path(path).read_text())
    assert curve["synthetic"] is True
    assert len(curve["recall"]) == len(curve["precision"]) <= 1001
    models = tracker.client.search_logged_models([tracker.experiment_id])
    assert [model.source_run_id for model in models] == [run_id]
    assert models[0].artifact_location.startswith((root / "artifacts").as_uri())


def test_overlay_curve_has_the_precision_at_each_percent_of_recall() -> None:
    # ranked: hit, false alarm, hit -> recall 1/2 at precision 1, recall 1 at precision 2/3
    counts = np.zeros((2, BINS), dtype=np.int64)
    counts[1, 900], counts[0, 800], counts[1, 700] = 1, 1, 1
    metrics = make_overlay("pr/val_precision", trace_curve(counts))
    assert [metric.step for metric in metrics] == list(range(101))
    assert metrics[50].value == 1.0
    assert metrics[51].value == metrics[100].value == pytest.approx(2 / 3)


def test_runs_are_found_page_by_page(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    search = tracker.client.search_runs

    def small_pages(*args: object, **kwargs: object) -> object:
        return search(*args, **kwargs, max_results=2)

    whole = find_runs(tracker.client, tracker.experiment_id, kind="trial")
    monkeypatch.setattr(tracker.client, "search_runs", small_pages)
    paged = find_runs(tracker.client, tracker.experiment_id, kind="trial")
    assert len(whole) > 4
    assert [run.info.run_id for run in paged] == [run.info.run_id for run in whole]


def test_params_of_nested_configs_are_joined_by_dots() -> None:
    assert flatten({"a": 1, "b": {"c": {"d": 2}}}) == {"a": 1, "b.c.d": 2}


REMEDIES = [
    ("UNAUTHENTICATED", "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
    ("PERMISSION_DENIED", "Ask its administrator for the permission, or unset MLFLOW_TRACKING_URI"),
    ("INTERNAL_ERROR", "Start it, or unset MLFLOW_TRACKING_URI"),
]


@pytest.mark.parametrize(("code", "remedy"), REMEDIES)
def test_tracker_error_has_a_remedy(code: str, remedy: str) -> None:
    with pytest.raises(ConnectionError, match=remedy), tracker_errors("http://127.0.0.1:1"):
        raise MlflowException("no", error_code=ErrorCode.Value(code))


def test_denied_deletion_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with explain_denied_access("alias best of x"):
        raise MlflowException("no", error_code=ErrorCode.Value("PERMISSION_DENIED"))
    assert "Not deleted: alias best of x" in caplog.text
    with pytest.raises(MlflowException, match="other"), explain_denied_access("x"):
        raise MlflowException("other", error_code=ErrorCode.Value("INTERNAL_ERROR"))


def test_trial_folder_leaves_no_temporary_files(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.write("end", {"reason": "patience"})
    folder.write_counts("val", np.eye(2, dtype=np.int64))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["end.json", "val_counts.npy"]
    assert folder.read("missing") is None
    assert torch.equal(torch.from_numpy(folder.counts("val")), torch.eye(2, dtype=torch.int64))
