"""Campaigns as a user starts them, their processes, and what is left of them in the end."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil

from tuning.tracking.client import connect, find_runs
from tuning.trial.entry import list_trials
from tuning.trial.folder import TrialFolder
from tuning.trial.status import is_finished

PROJECT = Path(__file__).parents[2]
NAME = "faults"
LONG_S = 900
EXTRA: list[
    str
] = []  # further words of every new campaign: tests give tiles that are there already
# What two undisturbed runs of one command differ in on a CPU: times, memory, and the runs' ids.
VARYING = (
    "infer_seconds_total",
    "infer_seconds_per_sample",
    "cpu_hours",
    "peak_memory_mb",
    "run_id",
    "weights_path",  # names the logged model by its id
    "campaign",
)


@dataclass
class Command:
    """A campaign's command, started as often as it takes.

    Attributes:
        root: Output folder.
        words: What to run, after ``--root`` and ``--campaign``.
        project: Where the code lies.
        variables: Added to the environment.
        log_file: Where it says what it does; in the output folder when left out.
    """

    root: Path
    words: Sequence[str]
    project: Path = PROJECT
    variables: Mapping[str, str] = field(default_factory=dict)
    name: str = NAME
    log_file: Path | None = None

    @property
    def folder(self) -> Path:
        return self.root / "campaigns" / self.name

    @property
    def log(self) -> Path:
        return self.log_file or self.root / "log.txt"

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start the campaign, or continue it where it exists, in a session of its own."""
        known = (self.folder / "campaign.json").exists()
        more = ["--resume", self.name] if known else ["--campaign", self.name, *self.words, *EXTRA]
        call = [sys.executable, "-m", "tuning.run", "--root", str(self.root), *(words or more)]
        self.root.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.variables}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                call,
                cwd=self.project,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def run(self, *words: str) -> int:
        """Run it to its end; return the exit code."""
        return self.start(*words).wait(timeout=LONG_S)

    def said(self) -> str:
        """Return all that it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def epochs(self) -> dict[str, dict[int, int]]:
        """Return when each epoch of each trial ended, in milliseconds: a trained one has another time."""
        return {
            path.name: {row["epoch"]: row["time_ms"] for row in TrialFolder(path).history()}
            for path in list_trials(self.folder / "trials")
        }

    def over(self) -> set[str]:
        """Return the trials that have their result."""
        every = list_trials(self.folder / "trials")
        return {
            path.name for path, entry in every.items() if is_finished(TrialFolder(path), entry.kind)
        }

    def table(self) -> pd.DataFrame:
        """Return ``benchmark_master.csv`` without what varies."""
        table = pd.read_csv(self.root / "reports" / self.name / "benchmark_master.csv")
        return table.drop(columns=[name for name in VARYING if name in table])

    def states(self) -> Counter[tuple[str, str]]:
        """Count the campaign's runs by kind and status."""
        runs = find_runs(*connect(self.root), campaign=self.name)
        return Counter((run.data.tags["kind"], run.info.status) for run in runs)

    def count_gaps(self) -> int:
        """Count the trials whose run lacks an epoch, or has one twice."""
        client, experiment_id = connect(self.root)
        gaps = 0
        for run in find_runs(client, experiment_id, campaign=self.name, kind="trial"):
            history = client.get_metric_history(run.info.run_id, "val_loss")
            rows = TrialFolder(self.folder / "trials" / run.data.tags["key"]).history()
            gaps += [metric.step for metric in history] != [row["epoch"] for row in rows]
        return gaps


def wait_until(true: Callable[[], object], seconds: float) -> bool:
    """Wait until something is true; tell whether it came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def family(driver: int) -> list[psutil.Process]:
    """List a driver's processes: itself, Ray's own, and the trials' workers."""
    try:
        parent = psutil.Process(driver)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def is_called(process: psutil.Process, *names: str) -> bool:
    """Tell whether a process has one of the names in its command line."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return bool(words) and any(name in Path(words[0]).name or name in words[0] for name in names)


def end_all(processes: Sequence[psutil.Process]) -> int:
    """End processes at once, by their ids; return how many there still were."""
    there = 0
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
            there += 1
        except psutil.NoSuchProcess:
            continue
    wait_until(lambda: not any(map(is_alive, processes)), 30)
    return there


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs, without taking its exit code from who started it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
