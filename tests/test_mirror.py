"""What a trial is called in MLflow, its number and its end, without Ray."""

from pathlib import Path

import pytest

from data.pack import Pack
from tuning.journal import Config, Journal
from tuning.mirror import Stage, enrol_trial, list_trials, name_trial, open_trial, settle
from tuning.notes import NOTE, tell_trial
from tuning.records import Context, DataRecord
from tuning.tracking import Tracker
from tuning.trainable import Job

CONTEXT = Context("named", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c" * 40)


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    return Tracker(tmp_path_factory.mktemp("mlruns"), CONTEXT)


@pytest.fixture
def stage(tracker: Tracker, pack: Pack, tmp_path: Path) -> Stage:
    job = Job("search", {}, str(pack.path), str(tmp_path / "trials"))
    study = tracker.open_run("study", "study/unet", "unet")
    data = DataRecord("hokkaido-twin", pack.hash, "twin:1", {"channels": ["s1"]}, {"blocks": {}})
    return Stage("search-unet", job, 3, 2, {"unet": study}, data)


def trial_of(stage: Stage, config: Config, name: str) -> Journal:
    journal = Journal(Path(stage.job.trials) / name)
    enrol_trial(stage, journal)
    return journal


def test_trials_are_numbered_in_their_order_and_keep_their_number(
    stage: Stage, config: Config
) -> None:
    first, second = (trial_of(stage, config, name) for name in ("b", "a"))
    assert [enrol_trial(stage, one)["number"] for one in (first, second, first)] == [1, 2, 1]
    other = Stage("search-other", stage.job, 3, 2, stage.studies, stage.data)
    assert enrol_trial(other, Journal(first.path.with_name("c")))["number"] == 1
    assert sorted(one.path.name for one in list_trials(stage)) == ["a", "b"]


@pytest.mark.parametrize(
    ("rate", "shown"), [(3e-4, "3e-4"), (1.24e-3, "1.2e-3"), (0.01, "1e-2"), (0.0099, "9.9e-3")]
)
def test_search_trial_s_name_tells_model_number_and_rate(
    stage: Stage, config: Config, rate: float, shown: str
) -> None:
    name = name_trial(stage, config | {"lr": rate}, trial_of(stage, config, "t"))
    assert name == f"unet · search · #01 · lr {shown}"


def test_trial_s_run_has_data_code_and_parent(
    tracker: Tracker, stage: Stage, config: Config, pack: Pack
) -> None:
    journal = trial_of(stage, config, "whole")
    run = tracker.client.get_run(open_trial(tracker, stage, config, journal))
    assert run.data.tags["mlflow.parentRunId"] == stage.studies["unet"]
    assert run.data.tags["mlflow.source.git.commit"] == "c" * 40
    assert run.data.tags["number"] == "1"
    assert run.info.start_time == journal.read("trial")["began_ms"]
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("hokkaido-twin", pack.hash)
    tags = {tag.key: tag.value for tag in used.tags}
    assert tags == {"mlflow.data.context": "train, val", "split": "blocks"}  # test is never read
    assert stage.data.used_by("repeat", "blocks").tags[0].value == "train, val, test"


def test_interrupted_trial_says_so_until_it_goes_on(
    tracker: Tracker, stage: Stage, config: Config
) -> None:
    journal = trial_of(stage, config, "cut")
    run_id = open_trial(tracker, stage, config, journal)
    tracker.close_running("KILLED")
    assert tracker.client.get_run(run_id).data.tags["ended_by"] == "kill"
    tracker.reopen(run_id)
    run = tracker.client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert "ended_by" not in run.data.tags


@pytest.mark.parametrize("left", ["open", "killed"])
def test_trial_that_a_killed_driver_left_is_settled(
    tracker: Tracker, stage: Stage, config: Config, left: str
) -> None:
    journal = trial_of(stage, config, left)
    run_id = open_trial(tracker, stage, config, journal)
    if left == "killed":
        tracker.close_running("KILLED")
    journal.write("end", {"reason": "patience", "epoch": 0})
    settle(tracker, stage, config, journal, None)
    run = tracker.client.get_run(run_id)
    assert (run.info.status, run.data.tags["ended_by"]) == ("FINISHED", "patience")
    settle(tracker, stage, config, journal, RuntimeError("later"))  # it has ended: nothing more
    assert tracker.client.get_run(run_id).data.tags["ended_by"] == "patience"
    assert "val average precision had not risen" in run.data.tags[NOTE]


def test_note_of_a_trial_tells_its_best_epoch_and_how_to_rerun_it() -> None:
    rows = [{"epoch": 1, "val_pr_auc": 0.25}, {"epoch": 2, "val_pr_auc": 0.5}]
    rows.append({"epoch": 3, "val_pr_auc": 0.5})
    note = tell_trial("run-1", "scheduler", rows, "")
    assert note.startswith("The scheduler stopped it, since others were better by then. Best val")
    assert "0.500 in epoch 2 of 3" in note
    assert "`python -m tuning.reproduce run-1`" in note
    assert tell_trial("run-1", "error", [], "The loss is gone.") == "It failed: The loss is gone."
