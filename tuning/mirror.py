"""The mirror: feeds MLflow from every trial's folder as Ray reports it, and prints the progress."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from tuning.journal import Config, Journal
from tuning.records import Context
from tuning.tracking import Tracker
from tuning.trainable import Job

logger = logging.getLogger(__name__)

METRIC = "best_val_pr_auc"


@dataclass(frozen=True)
class Stage:
    """One stage of a campaign, as Ray runs it.

    Attributes:
        name: Folder name below the campaign's Ray folder, such as ``search-unet``.
        job: What its trials share.
        trials: How many trials it has.
        epochs: Longest trial.
        studies: MLflow run id of the study by model name.
    """

    name: str
    job: Job
    trials: int
    epochs: int
    studies: Mapping[str, str]


class Mirror(tune.Callback):
    """Mirrors every trial's folder to MLflow as Ray reports it, and prints its progress.

    Ray keeps a pickled copy of it for restoring, so the connection is made on first use.
    """

    def __init__(self, root: Path, context: Context, stage: Stage) -> None:
        self.root, self.context, self.stage = root, context, stage
        self._began = time.monotonic()
        self._epochs: dict[str, int] = {}  # epochs by trial key
        self._ended: set[str] = set()
        self._tracker: Tracker | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the connection and the clock out of the pickled copy."""
        return self.__dict__ | {"_tracker": None, "_began": None, "_epochs": {}, "_ended": set()}

    @property
    def tracker(self) -> Tracker:
        """The connection to MLflow."""
        if self._tracker is None:
            self._tracker = Tracker(self.root, self.context)
        return self._tracker

    def _run_id(self, trial: Trial) -> str:
        config = self.stage.job.config(trial.config)
        return open_trial(self.tracker, self.stage, config, self.stage.job.key(trial.config))

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Open the trial's run."""
        self._began = self._began or time.monotonic()
        self.tracker.reopen(self._run_id(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Mirror the new epochs and print one line."""
        self.tracker.mirror(self._run_id(trial), self.stage.job.journal(trial.config))
        key = self.stage.job.key(trial.config)
        self._epochs[key] = result["epoch"]
        config = self.stage.job.config(trial.config)
        what = f"seed {config['seed']}" if self.stage.job.stage == "repeat" else f"trial {key[:6]}"
        logger.info(
            "%s %s, %s: epoch %d/%d, val AP %.3f, best %.3f (%d/%d trials done, ETA %s)",
            config["model"],
            self.stage.job.stage,
            what,
            result["epoch"],
            self.stage.epochs,
            result["val_pr_auc"],
            result[METRIC],
            len(self._ended),
            self.stage.trials,
            self._eta(result),
        )

    def _eta(self, result: Mapping[str, Any]) -> str:
        """Estimate the stage's rest from its epochs so far, or the reporting trial's own if longer."""
        done = sum(self._epochs.values())
        ended = [self._epochs[key] for key in self._ended if key in self._epochs]
        usual = sum(ended) / len(ended) if ended else self.stage.epochs
        total = max(done, sum(ended) + usual * (self.stage.trials - len(ended)))
        rest = (time.monotonic() - self._began) / max(done, 1) * (total - done)
        own = (self.stage.epochs - result["epoch"]) * result["seconds"]
        seconds = max(rest, own)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the trial's run."""
        self._finish(trial, "")

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Close the run of a trial that failed."""
        self._finish(trial, str(trial.get_error() or "The worker process died."))

    def _finish(self, trial: Trial, error: str) -> None:
        key = self.stage.job.key(trial.config)
        self._ended.add(key)
        journal = self.stage.job.journal(trial.config)
        reason, message = _explain_end(journal, error)
        self.tracker.finish(self._run_id(trial), journal, reason, message)
        logger.info("trial %s ended: %s%s", key[:6], reason, f": {message}" if message else ".")


def _explain_end(journal: Journal, error: str) -> tuple[str, str]:
    """Return why a trial ended, and what went wrong, in the trial's own words where it left some."""
    end = journal.read("end") or {}
    if error or end.get("reason") == "error":
        return "error", end.get("message") or error
    return end.get("reason", "scheduler"), ""


def open_trial(tracker: Tracker, stage: Stage, config: Config, key: str) -> str:
    """Find or create the MLflow run of a trial; return its id."""
    tags = {"study": config["model"], "stage": stage.job.stage, "seed": str(config["seed"])}
    tags["fold"] = config["split"]
    if stage.job.stage == "repeat":
        label = f"{config['split']} · seed {config['seed']}"
    else:
        label = f"{key[:6]} · lr {config['lr']:.1e}"
    name = f"{config['model']} · {stage.job.stage} · {label}"
    parent = stage.studies[config["model"]]
    return tracker.open_run("trial", key, name, parent, tags, config)


def settle(
    tracker: Tracker, stage: Stage, config: Config, journal: Journal, error: Exception | None
) -> None:
    """Close a run that a killed driver left open."""
    run_id = open_trial(tracker, stage, config, journal.path.name)
    if tracker.client.get_run(run_id).data.tags.get("ended_by") is None:
        reason, message = _explain_end(journal, str(error or ""))
        tracker.finish(run_id, journal, reason, message)
