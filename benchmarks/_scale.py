"""The driver's work for many parallel trials, measured with its own classes: reports, sending to MLflow, stored bytes.

The trials are folders like those that training writes, and stubs of Ray's trials with a sample.
"""

import json
import os
import random
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from _searched import MODEL, Campaign, make_campaign, make_row, write_ends, write_epoch

from data.pack.channels import SAR_CHANNELS
from tuning.search.optuna_asha import make_searcher
from tuning.settings.presets import get_preset
from tuning.tracking.client import URI_VARIABLE, find_runs
from tuning.tracking.sender import MLflowSender
from tuning.train.checkpoints import make_model
from tuning.trial.disk import measure_bytes
from tuning.trial.folder import TrialFolder
from tuning.trial.search_space import first_sample, make_space


def report(campaign: Campaign, epoch: int) -> float:
    """Let every trial report an epoch; return the processor seconds for which Ray's event loop was blocked."""
    row = make_row(epoch)
    began = time.thread_time()
    for trial in campaign.trials:
        campaign.mirror.on_trial_result(epoch, [], trial, row)
    return time.thread_time() - began


def time_loop(root: Path, name: str, trials: int, reports: int = 300) -> float:
    """Return the processor seconds of Ray's event loop per report, without sending."""
    rounds = max(3, reports // trials)
    campaign = make_campaign(root, name, trials, rounds, Silent)
    for trial in campaign.trials:
        campaign.mirror.on_trial_start(0, [], trial)
    return statistics.median(report(campaign, epoch) / trials for epoch in range(1, rounds + 1))


class Silent(MLflowSender):
    """Sends nothing, so that the event loop is measured alone."""

    def submit(self, trial_folder: TrialFolder) -> None:
        """Send nothing."""


class Cost(NamedTuple):
    """Wall time and processor time in seconds."""

    wall: float
    cpu: float

    def over(self, count: int) -> "Cost":
        """Divide both by a count."""
        return Cost(self.wall / count, self.cpu / count)


@dataclass(frozen=True)
class Sent:
    """The cost of sending, including the event loop's part.

    Attributes:
        start: Per trial that begins.
        epoch: Per report.
        end: Per trial that ends.
        lookup: To find a run by its key.
        folder: Bytes of a trial's folder without checkpoints.
        artifacts: Bytes of a run's files in MLflow; 0 where they are elsewhere.
        files: How many these are.
    """

    start: Cost
    epoch: Cost
    end: Cost
    lookup: float
    folder: float
    artifacts: float
    files: float

    def whole(self, epochs: int) -> Cost:
        """Return the total cost of a trial."""
        return Cost(
            *(a + epochs * b + c for a, b, c in zip(self.start, self.epoch, self.end, strict=True))
        )


def time_sending(root: Path, name: str, trials: int, epochs: int, ends: int) -> Sent:
    """Send all trials in parallel from their first report, and the first *ends* of them to their end."""
    campaign = make_campaign(root, name, trials, epochs)
    mirror, delivery = campaign.mirror, campaign.mirror.sender
    before = _measure_files(root / "artifacts")
    delivery.open_study(MODEL)
    with _timed(delivery) as start:
        for trial in campaign.trials:
            mirror.on_trial_start(0, [], trial)
    rounds = []
    for epoch in range(1, epochs + 1):
        write_epoch(campaign, epoch)
        with _timed(delivery) as one:
            report(campaign, epoch)
        rounds.append(one[0].over(trials))
    write_ends(campaign, ends)
    with _timed(delivery) as end:
        for trial in campaign.trials[:ends]:
            mirror.on_trial_complete(0, [], trial)
    ended = list(islice(campaign.journals(), ends))
    lookup = _time_lookups(delivery, name, ended[:20])
    folder = sum(measure_bytes(trial_folder.path) for trial_folder in ended) / ends
    size, files = (
        (after - was) / ends
        for after, was in zip(_measure_files(root / "artifacts"), before, strict=True)
    )
    return Sent(start[0].over(trials), min(rounds), end[0].over(ends), lookup, folder, size, files)


def _time_lookups(delivery: MLflowSender, name: str, ended: Sequence[TrialFolder]) -> float:
    """Return the seconds to find a run by its key; raise if a trial was not sent completely."""
    tracker, began = delivery.tracker, time.perf_counter()
    for trial_folder in ended:
        key = trial_folder.path.name
        found = find_runs(tracker.client, tracker.experiment_id, campaign=name, key=key)
        statuses = [run.info.status for run in found]
        if statuses != ["FINISHED"]:
            raise RuntimeError(f"A trial must have one run that ended, but {key} has {statuses}.")
    return (time.perf_counter() - began) / len(ended)


@contextmanager
def _timed(delivery: MLflowSender) -> Iterator[list[Cost]]:
    """Measure until everything is sent."""
    took: list[Cost] = []
    began, used = time.perf_counter(), time.process_time()
    yield took
    delivery.drain()
    took.append(Cost(time.perf_counter() - began, time.process_time() - used))


def _measure_files(folder: Path) -> tuple[int, int]:
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return sum(sizes), len(sizes)


def time_suggestion(root: Path, name: str, trials: int) -> float:
    """Return the seconds for which the searcher blocks Ray's event loop for one suggestion after *trials* results."""
    space = make_space(MODEL)
    campaign = make_campaign(root, name, 1, 40)
    searcher = make_searcher(space, first_sample(MODEL, space), campaign.mirror.stage, {}, {})
    rng = random.Random(0)  # noqa: S311 - samples
    first = first_sample(MODEL, space)
    for _ in range(trials):
        sample = first | {
            "lr": 10 ** rng.uniform(-3.3, -2),
            "weight_decay": 10 ** rng.uniform(-4, -1),
        }
        searcher.add_evaluated_point(sample, rng.random())
    times = []
    for number in range(4):
        began = time.perf_counter()
        if not searcher.suggest(f"trial-{number}"):
            raise RuntimeError("The searcher must suggest a sample, but gave none.")
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])  # the first one is the known-good sample


def measure_checkpoints() -> float:
    """Return the bytes of a running trial's checkpoints: weights twice, and AdamW's two moments."""
    preset, good = get_preset("paper"), first_sample(MODEL, make_space(MODEL))
    arch = {
        name.removeprefix("arch."): value for name, value in good.items() if name[:5] == "arch."
    }
    config = {
        "model": MODEL,
        "arch": arch,
        "channels": list(SAR_CHANNELS),
        "timesteps": preset.timesteps,
    }
    weights = sum(one.numel() for one in make_model(config).parameters())
    return 4.0 * 4 * weights


def measure_database(root: Path) -> int:
    """Return the bytes of the SQLite database after a checkpoint of its write-ahead log."""
    with sqlite3.connect(root / "mlflow.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (root / "mlflow.db").stat().st_size


@contextmanager
def tracked_by(uri: str | None) -> Iterator[None]:
    """Set the tracker; None for SQLite in the output folder."""
    before = os.environ.pop(URI_VARIABLE, None)
    if uri is not None:
        os.environ[URI_VARIABLE] = uri
    try:
        yield
    finally:
        os.environ.pop(URI_VARIABLE, None)
        if before is not None:
            os.environ[URI_VARIABLE] = before


def write_json(path: Path, content: Any) -> None:
    """Record the numbers of a run."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
