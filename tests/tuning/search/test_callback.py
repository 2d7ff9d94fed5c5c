"""The callback's handling of Ray's reports and errors."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuning.search.callback import TrackingCallback, explain_error, name_part
from tuning.search.progress import Progress
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.trial.entry import register_trial
from tuning.trial.folder import TrialFolder
from tuning.trial.stage import Stage, StageJob

TASK = "Failure # 1 (occurred at 2026-11-25_21-03-12)\nray::ImplicitFunc.train() (pid=1, actor_id=a)\n  File x\n"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", "worker", "The worker process died."),
        (f"{TASK}RuntimeError: no", "worker", "RuntimeError: no"),
        (f"{TASK}OSError: [Errno 28] No space left on device", "disk", "No space left on device"),
        (f"{TASK}RuntimeError: PytorchStreamWriter failed writing file", "disk", "writing file"),
        (
            f"{TASK}RuntimeError: no\nFailure # 2 (occurred at 2026)\nThe actor died unexpectedly",
            "worker",
            "The worker process died.",  # the latest counts
        ),
        (
            (
                "Failure # 1 (occurred at 2026)\n1 worker(s) were killed due to the node running low on memory. Memory on the "
                "node (IP: 192.0.2.2, ID: 04) was 1.31GB used / 23.54GB limit (0.055807)\nOOM kill reason: Memory"
            ),
            "memory",
            "The machine ran out of memory, and Ray killed the trial's worker.",
        ),
    ],
)
def test_failure_is_explained_in_one_line(text: str, kind: str, message: str) -> None:
    found = explain_error(text)
    assert found[0] == kind
    assert message in found[1]
    assert "\n" not in found[1]


class Silent(MLflowSender):
    """Sends nothing."""

    def submit(self, folder: TrialFolder) -> None:
        pass


def make_callback(root: Path, trials: int) -> tuple[TrackingCallback, list[Any]]:
    """Make a callback, and objects that look like Ray's trials."""
    context = CampaignContext("m", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c")
    fixed = {"model": "unet", "seed": 1, "split": "blocks"}
    stage = Stage("search-unet", StageJob("search", fixed, "p", str(root / "trials")), trials, 4)
    sender = Silent(root, context, DataRecord("twin", "d", "twin:1", {}, {}))
    samples = [{"lr": 1e-3 * (1 + number)} for number in range(trials)]
    callback = track(sender, stage)
    return callback, [SimpleNamespace(config=sample) for sample in samples]


def track(sender: MLflowSender, stage: Stage) -> TrackingCallback:
    """Make the callback of a stage of one model, whose progress is planned."""
    progress = Progress()
    progress.plan(name_part("", stage.name, "unet"), stage.trials, stage.epochs)
    return TrackingCallback(sender, stage, progress)


def test_trials_that_ended_before_are_done_and_those_that_end_are_counted(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    callback, trials = make_callback(tmp_path, 12)
    for trial in trials[:2]:  # ended before this process began, and run again
        register_trial(callback.stage, trial.config, 1)
        callback.stage.job.folder(trial.config).end("last epoch")
    callback = track(callback.sender, callback.stage)
    assert callback.progress.trials == (2, 12)
    for trial in trials:
        callback.on_trial_start(1, trials, trial)
    for epoch, trial in sorted((e, n) for n in range(12) for e in range(1, n % 4 + 2)):
        result = {"epoch": epoch, "val_pr_auc": 0.1, "best/val_pr_auc": 0.1, "seconds": 1.0}
        callback.on_trial_result(1, trials, trials[trial], result)
        if epoch == 4:
            callback.stage.job.folder(trials[trial].config).end("last epoch")
            callback.on_trial_complete(1, trials, trials[trial])
    assert callback.progress.trials == (2 + 3, 12)
    assert callback.progress.epoch_s(name_part("", callback.stage.name, "unet")) == 1.0


def make_stack(root: Path, *seeds: int) -> tuple[TrackingCallback, Any]:
    """Make the callback of a repeat stage, and one Ray trial of several seeds."""
    callback, _ = make_callback(root, len(seeds))
    stage = Stage("repeat", StageJob("repeat", {}, "p", str(root / "trials")), len(seeds), 4, 60.0)
    configs = [{"model": "unet", "split": "blocks", "seed": seed} for seed in seeds]
    return track(callback.sender, stage), SimpleNamespace(
        config={"configs": configs}, error_file=None, temporary_state=SimpleNamespace(ray_actor=7)
    )


def folders_of(callback: TrackingCallback, trial: Any) -> list[TrialFolder]:
    return [callback.stage.job.folder(one) for one in callback.stage.job.list_samples(trial.config)]


def test_each_seed_of_a_stack_is_tracked_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    callback, trial = make_stack(tmp_path, 5, 6, 7)
    callback.on_trial_start(1, [trial], trial)
    folders = folders_of(callback, trial)
    assert [folder.read("trial")["number"] for folder in folders] == [1, 2, 3]
    with caplog.at_level("INFO"):
        result = {"epoch": 2, "val_pr_auc": 0.1, "best/val_pr_auc": 0.1, "seconds": 1.0}
        callback.on_trial_result(1, [trial], trial, result | {"sample_index": 1})
    assert "seed 6: epoch 2/4" in caplog.text
    assert callback.progress.trials == (0, 3)
    folders[0].end("error", message="The loss must stay finite.")
    folders[1].end("patience")
    folders[1].write("test", {"n_samples": 4})
    with caplog.at_level("INFO"):
        callback.on_trial_complete(1, [trial], trial)  # the last seed has not ended
    assert callback.progress.trials == (2, 3)
    assert "seed 5 ended: error: The loss must stay finite." in caplog.text
    assert "seed 6 ended: patience." in caplog.text
    assert "seed 7" not in caplog.text


def test_dead_worker_fails_only_seeds_without_a_result(tmp_path: Path) -> None:
    callback, trial = make_stack(tmp_path, 5, 6)
    callback.on_trial_start(1, [trial], trial)
    done, died = folders_of(callback, trial)
    done.end("patience")
    done.write("test", {"n_samples": 4})
    callback.on_trial_error(1, [trial], trial)
    assert done.read("failure") is None
    assert died.read("failure")["message"] == "The worker process died."
    assert callback.progress.trials == (2, 2)


def test_stack_hangs_when_none_of_its_seeds_ends_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback, trial = make_stack(tmp_path, 5, 6)
    now, killed = [0.0], list[object]()
    monkeypatch.setattr("tuning.search.callback.time.monotonic", lambda: now[0])
    monkeypatch.setattr("tuning.search.callback.ray.kill", killed.append)
    callback.on_trial_start(1, [trial], trial)
    result = {
        "epoch": 1,
        "val_pr_auc": 0.1,
        "best/val_pr_auc": 0.1,
        "seconds": 1.0,
        "sample_index": 1,
    }
    for now[0] in (50.0, 100.0):  # the first seed has ended and reports no more
        callback.on_trial_result(1, [trial], trial, result)
        callback.on_step_begin(1, [trial])
    assert not killed
    now[0] = 161.0
    callback.on_step_begin(1, [trial])
    assert killed == [7]
    assert callback._explain_failure(trial)[0] == "hang"


def test_the_log_names_the_campaign_beside_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    callback, (trial,) = make_callback(tmp_path, 1)
    progress = Progress()
    progress.plan(name_part("cell", callback.stage.name, "unet"), 1, 4)
    beside = TrackingCallback(callback.sender, callback.stage, progress, "cell", named=True)
    result = {"epoch": 1, "val_pr_auc": 0.1, "best/val_pr_auc": 0.1, "seconds": 1.0}
    beside.on_trial_start(1, [trial], trial)
    with caplog.at_level("INFO"):
        beside.on_trial_result(1, [trial], trial, result)
    assert "cell · unet · search · blocks · #01" in caplog.text
