"""The Ray Tune callbacks: send trials to MLflow, print progress, kill the workers of hung trials."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from data.io.disk import FULL_DISK, FullDiskError, describe_free_space, is_full
from tuning.search.progress import Progress
from tuning.tracking.sender import MLflowSender
from tuning.trial.entry import register_trial, write_entry
from tuning.trial.folder import VAL_AP, TrialFolder
from tuning.trial.stage import SAMPLE_INDEX, Stage
from tuning.trial.status import has_failed, is_finished, mark_failed, read_end, split_finished

logger = logging.getLogger(__name__)


class TrackingCallback(tune.Callback):
    """Sends every trial's folder of one stage to MLflow when Ray reports it, and logs the progress.

    A Ray trial may train several of the project's trials (see :meth:`tuning.trial.stage.StageJob.list_samples`); each is
    tracked by itself. Ray keeps a pickled copy of the callback, whose counters start from zero.

    Args:
        sender: Sends the trials.
        stage: Their stage.
        progress: Counts the trials of all stages that run at once, with the parts of this one planned.
        campaign: Name of the campaign, which tells the stages of several campaigns apart.
        named: Whether the log names the campaign, beside others.
    """

    def __init__(
        self,
        sender: MLflowSender,
        stage: Stage,
        progress: Progress,
        campaign: str = "",
        *,
        named: bool = False,
    ) -> None:
        self.sender, self.stage, self._campaign = sender, stage, campaign
        self.progress = progress
        self._label = f"{campaign} · " if named else ""
        finished, unfinished = split_finished(stage)
        entries = (finished | unfinished).values()
        self._next = 1 + max((entry.number for entry in entries), default=0)
        # Time of the last report of each running Ray trial, by the key of its first member.
        self._last_report: dict[str, float] = {}
        self._hung: set[str] = set()
        for path, entry in finished.items():
            progress.end(name_part(campaign, stage.name, entry.config["model"]), path.name)

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Kill the worker of a trial that has not reported for too long; Ray retries the trial."""
        if not self.has_hung_trials():
            return
        now, reports = time.monotonic(), self._last_report
        for trial in trials:
            key = self._key(trial)
            if now - reports.get(key, float("inf")) >= self.stage.hang_s:
                reports.pop(key)
                self._hung.add(key)
                logger.warning("%s: %s Its worker is killed.", key, self._explain_hang())
                actor = trial.temporary_state.ray_actor
                if actor is not None:
                    ray.kill(actor)

    def has_hung_trials(self) -> bool:
        """Return whether a trial has not reported for too long."""
        reports = self._last_report
        return bool(reports) and time.monotonic() - min(reports.values()) >= self.stage.hang_s

    def _explain_hang(self) -> str:
        return (
            f"A trial must end an epoch within {self.stage.hang_s / 60:g} minutes (--hang-after), "
            "but this one did not."
        )

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Open the trial's run."""
        if self.stage.job.stop.exists():  # the trial will return at once
            return
        self._last_report[self._key(trial)] = time.monotonic()
        for member in self._members(trial):
            entry = register_trial(self.stage, member, self._next)
            self._next = max(self._next, entry.number + 1)
            if not self._folder(member).history():  # it may have waited since it was written down
                write_entry(self._folder(member), replace(entry, began_ms=int(time.time() * 1000)))
            self.sender.submit(self._folder(member))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Send the new epoch and log a line about it."""
        member = self._members(trial)[result.get(SAMPLE_INDEX, 0)]
        folder = self._folder(member)
        self.sender.submit(folder)
        self._last_report[self._key(trial)] = time.monotonic()
        self.progress.count(
            self._part(member), folder.path.name, result["epoch"], result.get("seconds", 0.0)
        )
        done, planned = self.progress.trials
        logger.info(
            "%s: epoch %d/%d, val AP %.3f, best %.3f (%d/%d trials done, ETA %s)",
            self._name(member),
            result["epoch"],
            self.stage.epochs,
            result["val_pr_auc"],
            result[VAL_AP],
            done,
            planned,
            self._eta(result),
        )

    def _eta(self, result: Mapping[str, Any]) -> str:
        """Estimate the remaining time of all stages, at least the reporting trial's."""
        least = (self.stage.epochs - result["epoch"]) * result["seconds"]
        seconds = self.progress.estimate(least)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run; a trial without an end was stopped and continues when the campaign is resumed."""
        self._last_report.pop(self._key(trial), None)
        for member in self._members(trial):
            self.sender.collect(self._folder(member))
            if read_end(self._folder(member), self.stage.job.stage) is not None:
                self._finish(member)

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Log why a trial is retried."""
        self._last_report.pop(self._key(trial), None)
        kind, message = self._explain_failure(trial)
        self._check_disk(kind)
        for member in self._members(trial):
            if not is_finished(self._folder(member), self.stage.job.stage):
                logger.warning("%s is retried: %s", self._name(member), message)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the run of a trial whose worker failed in every attempt."""
        self._last_report.pop(self._key(trial), None)
        kind, message = self._explain_failure(trial)
        self._check_disk(kind)
        for member in self._members(trial):
            if not is_finished(self._folder(member), self.stage.job.stage):
                mark_failed(self._folder(member), kind, message)
            self._finish(member)

    def _check_disk(self, kind: str) -> None:
        """End the stage if the disk is full: every other trial would fail too, with a less clear error."""
        if kind == "disk" or is_full(self.sender.root):
            raise FullDiskError(describe_free_space(self.sender.root))

    def _explain_failure(self, trial: Trial) -> tuple[str, str]:
        """Return the kind of a failure, and its reason in one sentence."""
        if self._key(trial) in self._hung:
            return "hang", self._explain_hang()
        # The driver's own copy; Ray's storage, which get_error() reads, is written later.
        text = Path(trial.error_file) if trial.error_file else None
        return explain_error(text.read_text("utf-8") if text and text.exists() else "")

    def _finish(self, member: Mapping[str, Any]) -> None:
        folder = self._folder(member)
        if has_failed(folder, "disk"):
            self._check_disk("disk")
        if self.stage.job.stage != "search" and is_finished(folder, self.stage.job.stage):
            self.sender.forget(folder)  # a search still needs the winner's checkpoint
        self.progress.end(self._part(member), folder.path.name)
        self.sender.submit(folder)
        reason, message, _ = read_end(folder, self.stage.job.stage) or ("error", "", None)
        logger.info(
            "%s ended: %s%s", self._name(member), reason, f": {message}" if message else "."
        )

    def _members(self, trial: Trial) -> list[Mapping[str, Any]]:
        return self.stage.job.list_samples(trial.config)

    def _key(self, trial: Trial) -> str:
        return self.stage.job.key(self._members(trial)[0])

    def _folder(self, member: Mapping[str, Any]) -> TrialFolder:
        return self.stage.job.folder(member)

    def _part(self, member: Mapping[str, Any]) -> str:
        return name_part(self._campaign, self.stage.name, self.stage.job.config(member)["model"])

    def _name(self, member: Mapping[str, Any]) -> str:
        return f"{self._label}{register_trial(self.stage, member, self._next).name}"


def name_part(campaign: str, stage: str, model: str) -> str:
    """Return the name of an architecture's trials of a stage in :class:`tuning.search.progress.Progress`."""
    return f"{campaign}/{stage}/{model}"


def explain_error(text: str) -> tuple[str, str]:
    """Return the kind of a failure, ``memory``, ``disk`` or ``worker``, and its reason in one line.

    Args:
        text: Ray's error file of a trial; the latest error is the last.
    """
    lines = text.rpartition("Failure #")[2].strip().splitlines()[1:]
    if any("running low on memory" in line for line in lines):
        return "memory", "The machine ran out of memory, and Ray killed the trial's worker."
    if any(sign in line for sign in FULL_DISK for line in lines):
        return "disk", lines[-1]
    if not lines or lines[0].startswith("The actor"):
        return "worker", "The worker process died."
    return "worker", lines[-1]
