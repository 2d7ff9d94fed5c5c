"""The mirror: hands every trial's folder to the tracker as Ray reports it, prints the progress, ends what hangs."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial

from tuning.tracking.sender import MLflowSender
from tuning.trial.disk import FULL_DISK, FullDiskError, describe_free_space, is_full
from tuning.trial.folder import TrialFolder
from tuning.trial.stage import (
    MEMBER,
    METRIC,
    Stage,
    describe_end,
    has_failed,
    is_finished,
    mark_failed,
    register_trial,
    split_finished,
)

logger = logging.getLogger(__name__)


class TrackingCallback(tune.Callback):
    """Mirrors every trial's folder to MLflow as Ray reports it, and prints its progress.

    One of Ray's trials may stand for several (see :meth:`tuning.trial.stage.StageJob.members`): each is mirrored by itself. Ray keeps a pickled copy; what it counts begins anew there.
    """

    def __init__(self, delivery: MLflowSender, stage: Stage) -> None:
        self.delivery, self.stage = delivery, stage
        over, rest = split_finished(stage)
        self._next = 1 + max((entry.number for entry in (over | rest).values()), default=0)
        self._began: float | None = None
        self._seen: dict[
            str, float
        ] = {}  # when each of Ray's running trials last reported, by its first key
        self._epochs: dict[str, int] = {}  # epochs trained here, by key
        self._ended = {path.name for path in over}
        # Sums over trials, since every report asks for them: epochs, those of ended trials, and how many these are.
        self._done = self._ended_epochs = self._ended_here = 0
        self._hung: set[str] = set()

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """End the worker of a trial that has not reported for too long; Ray retries it."""
        if not self._seen or time.monotonic() - min(self._seen.values()) < self.stage.hang_s:
            return
        for trial in trials:
            key = self._key(trial)
            if time.monotonic() - self._seen.get(key, float("inf")) >= self.stage.hang_s:
                self._seen.pop(key)
                self._hung.add(key)
                logger.warning("%s: %s Its worker is ended.", key, self._explain_hang())
                actor = trial.temporary_state.ray_actor
                if actor is not None:
                    ray.kill(actor)

    def _explain_hang(self) -> str:
        return (
            f"A trial must end an epoch within {self.stage.hang_s / 60:g} minutes (--hang-after), "
            "but this one did not."
        )

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Open the trial's run."""
        if self.stage.job.stop.exists():  # it will return at once
            return
        self._began = self._began or time.monotonic()
        self._seen[self._key(trial)] = time.monotonic()
        for one in self._members(trial):
            entry = register_trial(self.stage, one, self._next)
            self._next = max(self._next, entry.number + 1)
            self.delivery.submit(self._journal(one))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Mirror the new epochs and print one line."""
        one = self._members(trial)[result.get(MEMBER, 0)]
        journal = self._journal(one)
        self.delivery.submit(journal)
        self._seen[self._key(trial)] = time.monotonic()
        self._count(journal.path.name, result["epoch"])
        logger.info(
            "%s: epoch %d/%d, val AP %.3f, best %.3f (%d/%d trials done, ETA %s)",
            self._name(one),
            result["epoch"],
            self.stage.epochs,
            result["val_pr_auc"],
            result[METRIC],
            len(self._ended),
            self.stage.trials,
            self._eta(result),
        )

    def _count(self, key: str, epoch: int) -> None:
        """Count a trial's epochs; one that ended before and is run again counts as what it was."""
        more = epoch - self._epochs.get(key, 0)
        self._done += more
        if key in self._ended:
            self._ended_here += key not in self._epochs
            self._ended_epochs += more
        self._epochs[key] = epoch

    def _eta(self, result: Mapping[str, Any]) -> str:
        """Estimate the stage's rest from its epochs so far, or the reporting trial's own if longer."""
        done, here = self._done, self._ended_here
        usual = self._ended_epochs / here if here else self.stage.epochs
        total = max(done, self._ended_epochs + usual * (self.stage.trials - len(self._ended)))
        rest = (time.monotonic() - (self._began or 0.0)) / max(done, 1) * (total - done)
        own = (self.stage.epochs - result["epoch"]) * result["seconds"]
        seconds = max(rest, own)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run; one whose folder names no end stopped with the campaign, and goes on with it."""
        self._seen.pop(self._key(trial), None)
        for one in self._members(trial):
            self.delivery.collect(self._journal(one))
            if describe_end(self._journal(one), self.stage.job.stage) is not None:
                self._finish(one)

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Say why a trial is tried again."""
        self._seen.pop(self._key(trial), None)
        kind, message = self._explain_failure(trial)
        self._check_disk(kind)
        for one in self._members(trial):
            if not is_finished(self._journal(one), self.stage.job.stage):
                logger.warning("%s is tried again: %s", self._name(one), message)

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the run of a trial whose worker failed again and again."""
        self._seen.pop(self._key(trial), None)
        kind, message = self._explain_failure(trial)
        self._check_disk(kind)
        for one in self._members(trial):
            if not is_finished(self._journal(one), self.stage.job.stage):
                mark_failed(self._journal(one), kind, message)
            self._finish(one)

    def _check_disk(self, kind: str) -> None:
        """End the stage where the disk is full: every other trial would fail, too, and not say why."""
        if kind == "disk" or is_full(self.delivery.root):
            raise FullDiskError(describe_free_space(self.delivery.root))

    def _explain_failure(self, trial: Trial) -> tuple[str, str]:
        """Return the kind of a failure, and its reason in a sentence."""
        if self._key(trial) in self._hung:
            return "hang", self._explain_hang()
        # The driver's own copy: what get_error() reads in Ray's storage follows later.
        text = Path(trial.error_file) if trial.error_file else None
        return explain_error(text.read_text("utf-8") if text and text.exists() else "")

    def _finish(self, one: Mapping[str, Any]) -> None:
        journal = self._journal(one)
        if has_failed(journal, "disk"):
            self._check_disk("disk")
        if self.stage.job.stage != "search" and is_finished(journal, self.stage.job.stage):
            self.delivery.forget(journal)  # of a search, the winner's checkpoint is still wanted
        key = journal.path.name
        if key not in self._ended and key in self._epochs:
            self._ended_here += 1
            self._ended_epochs += self._epochs[key]
        self._ended.add(key)
        self.delivery.submit(journal)
        reason, message, _ = describe_end(journal, self.stage.job.stage) or ("error", "", None)
        logger.info("%s ended: %s%s", self._name(one), reason, f": {message}" if message else ".")

    def _members(self, trial: Trial) -> list[Mapping[str, Any]]:
        return self.stage.job.members(trial.config)

    def _key(self, trial: Trial) -> str:
        return self.stage.job.key(self._members(trial)[0])

    def _journal(self, one: Mapping[str, Any]) -> TrialFolder:
        return self.stage.job.journal(one)

    def _name(self, one: Mapping[str, Any]) -> str:
        return register_trial(self.stage, one, self._next).name


def explain_error(text: str) -> tuple[str, str]:
    """Return the kind of a failure, ``memory``, ``disk`` or ``worker``, and its reason in a line.

    Args:
        text: What Ray keeps of a trial's errors, the latest one last.
    """
    lines = text.rpartition("Failure #")[2].strip().splitlines()[1:]
    if any("running low on memory" in line for line in lines):
        return "memory", "The machine ran out of memory, and Ray ended the trial's worker."
    if any(sign in line for sign in FULL_DISK for line in lines):
        return "disk", lines[-1]
    if not lines or lines[0].startswith("The actor"):
        return "worker", "The worker process died."
    return "worker", lines[-1]
