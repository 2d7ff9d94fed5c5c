"""The trials' folders are the truth: whatever somebody deletes or puts back in MLflow is made anew from them."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run

from tuning.store.duplicates import DUPLICATE
from tuning.tracking.__main__ import main
from tuning.tracking.campaign.saved import load_sender, write_context
from tuning.tracking.campaign_runs import PARENT
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender, SentCount
from tuning.trial.entry import TrialEntry, write_entry
from tuning.trial.folder import TrialFolder

EPOCHS = 3


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture
def sender(root: Path, request: pytest.FixtureRequest) -> MLflowSender:
    """The sender of a campaign with two trials, one of which failed; all of it is sent."""
    name = request.node.name.replace("[", "-").replace("]", "")
    context = CampaignContext(name, "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c")
    made = MLflowSender(root, context, DataRecord("twin", "d", "twin:1", {}, {"blocks": {}}))
    folder = folder_of(made)
    for number, seed in enumerate((42, 123), 1):
        log_trial(folder / "trials" / f"seed-{seed}", number, seed)
    write_context(folder, f"id-{name}", made)
    outcome = {"studies": {"unet": "FINISHED"}, "missing": []}
    (folder / "outcome.json").write_text(json.dumps(outcome))
    assert made.send_campaign(folder) == SentCount(2 * EPOCHS, 2, 0)
    return made


def folder_of(sender: MLflowSender) -> Path:
    return sender.root / "campaigns" / sender.context.campaign


def log_trial(path: Path, number: int, seed: int) -> None:
    folder, config = TrialFolder(path), {"model": "unet", "seed": seed, "split": "blocks"}
    entry = TrialEntry("search-unet", "search", number, 1000, f"seed {seed}", config, {}, False)
    write_entry(folder, entry)
    names = [
        f"{part}_{score}"
        for part in ("val", "train")
        for score in ("pr_auc", "loss", "dice", "iou")
    ]
    for epoch in range(1, EPOCHS + 1):
        row: dict[str, Any] = dict.fromkeys(
            (*names, "best/val_pr_auc", "lr", "seconds"), epoch / 10
        )
        folder.append(row | {"epoch": epoch, "time_ms": 1000 * epoch, "system": {}})
    folder.end("last epoch", epoch=EPOCHS)


def fresh(sender: MLflowSender) -> MLflowSender:
    """Return a sender as another process would load it."""
    return load_sender(folder_of(sender))


def runs(sender: MLflowSender) -> list[Run]:
    return fresh(sender).tracker._find()


def check_whole(sender: MLflowSender) -> None:
    """Check that each trial has one run with every epoch once, below its study, below the campaign."""
    found = {run.data.tags["key"]: run for run in runs(sender)}
    assert Counter(run.data.tags["kind"] for run in runs(sender)) == {
        "campaign": 1,
        "study": 1,
        "trial": 2,
    }
    campaign, study = found["campaign"].info.run_id, found["study/unet"]
    assert study.data.tags[PARENT] == campaign
    for key in ("seed-42", "seed-123"):
        run = found[key]
        assert run.data.tags[PARENT] == study.info.run_id
        assert (run.info.status, run.data.tags["ended_by"]) == ("FINISHED", "last epoch")
        history = sender.tracker.client.get_metric_history(run.info.run_id, "val_pr_auc")
        assert [metric.step for metric in history] == [1, 2, 3]
        assert run.data.metrics["epochs"] == EPOCHS
        assert run.data.params["seed"] == key.removeprefix("seed-")


@pytest.mark.parametrize("again", [True, False])
def test_deleted_run_is_made_anew_by_this_process_and_by_another(
    sender: MLflowSender, again: bool
) -> None:
    path = folder_of(sender) / "trials" / "seed-123"
    sender.tracker.client.delete_run(sender.open_trial(TrialFolder(path)))
    other = fresh(sender) if again else sender
    assert other.send_campaign(folder_of(sender)) == SentCount(EPOCHS, 1, 0)
    check_whole(sender)
    assert fresh(sender).send_campaign(folder_of(sender)) == SentCount(0, 0, 0)


def test_trial_whose_run_is_deleted_while_it_runs_goes_on_in_a_new_one(
    sender: MLflowSender,
) -> None:
    path = folder_of(sender) / "trials" / "seed-123"
    sender.tracker.client.delete_run(sender.open_trial(TrialFolder(path)))
    TrialFolder(path).drop("end")  # it has not ended
    with pytest.raises(Exception, match="deleted"):
        sender._send(TrialFolder(path))
    sender._send(TrialFolder(path))
    TrialFolder(path).end("last epoch", epoch=EPOCHS)
    sender._send(TrialFolder(path))
    check_whole(sender)


@pytest.mark.parametrize("kind", ["campaign", "study"])
def test_runs_below_a_deleted_parent_get_the_new_one(sender: MLflowSender, kind: str) -> None:
    (parent,) = [run for run in runs(sender) if run.data.tags["kind"] == kind]
    sender.tracker.client.delete_run(parent.info.run_id)
    for other in (sender, fresh(sender)):
        assert other.send_campaign(folder_of(sender)).unsent == 0
        check_whole(sender)


def test_replay_tells_how_to_restore_a_deleted_campaign_and_does_nothing(
    sender: MLflowSender, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = sender.open_campaign()
    sender.tracker.client.delete_run(run_id)
    assert main(["replay", str(folder_of(sender))]) == 1
    error = capsys.readouterr().err
    assert (
        f"python -m mlflow runs restore --run-id {run_id}`; or make it anew: `python -m tun"
        in error
    )
    assert len(error.splitlines()) == 1
    sender.tracker.client.restore_run(run_id)
    assert main(["replay", str(folder_of(sender))]) == 0
    check_whole(sender)


def test_older_copy_of_the_database_is_filled_again(
    root: Path, sender: MLflowSender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        database.execute("VACUUM INTO ?", [str(tmp_path / "backup.db")])
    path = folder_of(sender) / "trials" / "seed-7"
    log_trial(path, 3, 7)
    assert sender.send_campaign(folder_of(sender)) == SentCount(EPOCHS, 1, 0)
    with (
        closing(sqlite3.connect(tmp_path / "backup.db")) as backup,
        closing(sqlite3.connect(root / "mlflow.db")) as database,
    ):
        backup.backup(database)
    assert main(["replay", str(folder_of(sender))]) == 0
    assert f"Sent {EPOCHS} epochs and the end of 1 of 3 trials" in capsys.readouterr().out
    assert {run.data.tags["key"] for run in runs(sender)} >= {"seed-7", "seed-42", "seed-123"}


def test_run_that_lost_epochs_gets_them_again(sender: MLflowSender, root: Path) -> None:
    run_id = sender.open_trial(TrialFolder(folder_of(sender) / "trials" / "seed-42"))
    with closing(sqlite3.connect(root / "mlflow.db")) as database:  # as in a copy made meanwhile
        database.execute(
            "DELETE FROM metrics WHERE run_uuid = ? AND (step > 1 OR key = 'epochs')", (run_id,)
        )
        database.execute(
            "DELETE FROM latest_metrics WHERE run_uuid = ? AND key = 'epochs'", (run_id,)
        )
        database.commit()
    assert fresh(sender).send_campaign(folder_of(sender)) == SentCount(EPOCHS - 1, 1, 0)
    check_whole(sender)


def test_double_run_is_marked_closed_named_and_counted_once(
    sender: MLflowSender, caplog: pytest.LogCaptureFixture
) -> None:
    tracker, key = sender.tracker, "seed-42"
    (first,) = tracker.find_trials(key=key)
    tags = {name: first.data.tags[name] for name in ("key", "kind", "campaign", "study", "seed")}
    double = tracker.client.create_run(tracker.experiment_id, 1, tags)  # older, but without epochs
    assert fresh(sender).send_campaign(folder_of(sender)) == SentCount(0, 0, 0)
    marked = tracker.client.get_run(double.info.run_id)
    assert marked.data.tags[DUPLICATE] == first.info.run_id
    assert marked.info.status == "KILLED"
    assert f"{first.info.run_id} counts, {double.info.run_id} does not" in caplog.text
    tracker.log_scores(double.info.run_id, {"bytes/files": 7.0})
    assert (
        tracker.sum_metrics("bytes/")["bytes/files"]
        == fresh(sender).tracker.sum_metrics("bytes/")["bytes/files"]
    )
    assert {run.info.run_id for run in tracker.map_trials().values()}.isdisjoint(
        {double.info.run_id}
    )
    tracker.client.delete_run(first.info.run_id)  # then the other one counts, and is filled
    assert fresh(sender).send_campaign(folder_of(sender)) == SentCount(EPOCHS, 1, 0)
    assert fresh(sender).tracker.map_trials()[key].info.run_id == double.info.run_id


def test_campaign_s_run_made_without_its_facts_gets_them(sender: MLflowSender) -> None:
    other = fresh(sender).tracker
    run_id = other.open_run(
        "campaign", "campaign", "x", tags={"expected": "2"}, params={"seeds": 2}
    )
    run = other.client.get_run(run_id)
    assert (run.data.tags["expected"], run.data.params["seeds"]) == ("2", "2")
    assert run.info.run_id == sender.open_campaign()
