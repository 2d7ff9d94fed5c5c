"""The mirror: feeds MLflow from every trial's folder as Ray reports it, and prints the progress."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from tuning.journal import Config, Journal, read_json
from tuning.records import Context, DataRecord
from tuning.tracking import Tracker
from tuning.trainable import Job
from tuning.writer import Writer

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
        data: What its trials read.
    """

    name: str
    job: Job
    trials: int
    epochs: int
    studies: Mapping[str, str]
    data: DataRecord


class Mirror(tune.Callback):
    """Mirrors every trial's folder to MLflow as Ray reports it, and prints its progress.

    Ray's loop only hands over what is to be sent: a writer of its own sends it, so that trials, which
    wait for that loop at every report, never wait for MLflow. Ray keeps a pickled copy for restoring,
    so connection and writer are made on first use.
    """

    def __init__(self, root: Path, context: Context, stage: Stage) -> None:
        self.root, self.context, self.stage = root, context, stage
        self._start()

    def _start(self) -> None:
        self._began: float | None = None
        self._epochs: dict[str, int] = {}  # epochs by trial key
        self._ended: set[str] = set()
        self._tracker: Tracker | None = None
        self._writer = Writer()

    def __getstate__(self) -> dict[str, Any]:
        """Keep what does not belong to this process."""
        return {"root": self.root, "context": self.context, "stage": self.stage}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin anew in another process."""
        self.__dict__.update(state)
        self._start()

    @property
    def tracker(self) -> Tracker:
        """The connection to MLflow."""
        if self._tracker is None:
            self._tracker = Tracker(self.root, self.context)
        return self._tracker

    def drain(self) -> None:
        """Wait until all that was handed over has been sent."""
        self._writer.drain()

    def _send(self, what: str, trial: Trial, send: Callable[[str, Journal], None]) -> None:
        """Hand over what is to be sent of a trial: a function of its run id and its folder."""
        key, journal = self.stage.job.key(trial.config), self.stage.job.journal(trial.config)
        config = self.stage.job.config(trial.config)

        def task() -> None:
            send(open_trial(self.tracker, self.stage, config, journal), journal)

        self._writer.submit(f"{what} of trial {key}", task)

    def on_trial_start(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Open the trial's run."""
        self._began = self._began or time.monotonic()
        enrol_trial(self.stage, self.stage.job.journal(trial.config))
        self._send("the start", trial, lambda run_id, journal: self.tracker.reopen(run_id))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Mirror the new epochs and print one line."""
        self._send(
            "the epochs", trial, lambda run_id, journal: self.tracker.mirror(run_id, journal)
        )
        self._epochs[self.stage.job.key(trial.config)] = result["epoch"]
        config = self.stage.job.config(trial.config)
        logger.info(
            "%s: epoch %d/%d, val AP %.3f, best %.3f (%d/%d trials done, ETA %s)",
            name_trial(self.stage, config, self.stage.job.journal(trial.config)),
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
        rest = (time.monotonic() - (self._began or 0.0)) / max(done, 1) * (total - done)
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
        config, journal = self.stage.job.config(trial.config), self.stage.job.journal(trial.config)
        self._ended.add(journal.path.name)
        reason, message = _explain_end(journal, error)
        if reason == "scheduler":
            epochs = len(journal.history())
            journal.write("end", {"reason": reason, "epoch": epochs})  # a retry gives the same
        model, now_ms = self.stage.job.stage == "repeat", int(time.time() * 1000)

        def send(run_id: str, journal: Journal) -> None:
            self.tracker.finish(run_id, journal, reason, message, model, now_ms)

        self._send("the end", trial, send)
        name = name_trial(self.stage, config, journal)
        logger.info("%s ended: %s%s", name, reason, f": {message}" if message else ".")


def _explain_end(journal: Journal, error: str) -> tuple[str, str]:
    """Return why a trial ended, and what went wrong, in the trial's own words where it left some."""
    end = journal.read("end") or {}
    if error or end.get("reason") == "error":
        return "error", end.get("message") or error
    return end.get("reason", "scheduler"), ""


def enrol_trial(stage: Stage, journal: Journal) -> dict[str, Any]:
    """Return a trial's number within its stage, from 1, and when it began; kept in its folder for a resumed one."""
    if kept := journal.read("trial"):
        return dict(kept)
    taken = [int(trial.read("trial")["number"]) for trial in list_trials(stage)]
    enrolled = {"stage": stage.name, "number": 1 + max(taken, default=0)}
    enrolled |= {"began_ms": int(time.time() * 1000)}
    journal.write("trial", enrolled)
    return enrolled


def list_trials(stage: Stage) -> list[Journal]:
    """List the folders of a stage's trials."""
    files = Path(stage.job.trials).glob("*/trial.json")
    return [Journal(file.parent) for file in files if read_json(file)["stage"] == stage.name]


def name_trial(stage: Stage, config: Config, journal: Journal) -> str:
    """Name a trial for people, such as ``unet · search · #07 · lr 3e-4``."""
    if stage.job.stage == "repeat":
        label = f"{config['split']} · seed {config['seed']}"
    else:
        mantissa, exponent = f"{config['lr']:.1e}".split("e")
        rate = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
        label = f"#{enrol_trial(stage, journal)['number']:02d} · lr {rate}"
    return f"{config['model']} · {stage.job.stage} · {label}"


def open_trial(tracker: Tracker, stage: Stage, config: Config, journal: Journal) -> str:
    """Find or create the MLflow run of a trial; return its id."""
    tags = {"study": config["model"], "stage": stage.job.stage, "seed": str(config["seed"])}
    enrolled = enrol_trial(stage, journal)
    tags |= {"fold": config["split"], "number": str(enrolled["number"])}
    return tracker.open_run(
        "trial",
        journal.path.name,
        name_trial(stage, config, journal),
        stage.studies[config["model"]],
        tags,
        config,
        stage.data.used_by(stage.job.stage, config["split"]),
        enrolled["began_ms"],
    )


def settle(
    tracker: Tracker, stage: Stage, config: Config, journal: Journal, error: Exception | None
) -> None:
    """Send what a trial's run lacks: the driver was killed, or the tracker was away."""
    run_id = open_trial(tracker, stage, config, journal)
    tags = tracker.client.get_run(run_id).data.tags
    if tags.get("ended_by", "kill") == "kill":
        reason, message = _explain_end(journal, str(error or ""))
        tracker.finish(run_id, journal, reason, message, stage.job.stage == "repeat")
