"""A campaign started as a user starts it; its processes, log, runs and results."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import psutil

from data.io.lock import wait_for_lock
from tests.support.forked_commands import Server
from tests.support.started_commands import Started
from tuning.tracking.client import connect, find_runs
from tuning.trial.entry import list_trials
from tuning.trial.folder import TrialFolder
from tuning.trial.status import is_finished

PROJECT = Path(__file__).parents[2]
NAME = "faults"
LONG_S = 900
# An undisturbed campaign; each trial has one core, so that its results are the same on any machine.
CALM_WORDS = ["--model", "unet", "log_ratio_vv", "--preset", "smoke", "--cpus-per-trial", "1"]
FEW = ["--trials", "1", "--seeds", "1"]  # for laws that do not depend on their number
Process = subprocess.Popen[bytes] | Started
SERVER: Callable[[], Server] | None = None  # of commands that have none; set by tests
EXTRA: list[str] = []  # more arguments of every new campaign: tests pass existing tiles
# Columns that differ between two undisturbed runs of one command on a CPU: times, memory, the runs' ids, and the commit,
# which changes where somebody edits the code meanwhile.
VARYING = (
    "infer_seconds_total",
    "infer_seconds_per_sample",
    "cpu_hours",
    "peak_memory_mb",
    "run_id",
    "weights_path",  # names the logged model by its id
    "campaign",
    "git_commit",
)


@dataclass
class Command:
    """A campaign's command, which may be started several times.

    Attributes:
        root: Output folder.
        words: Arguments after ``--root`` and ``--campaign``.
        project: Folder of the code.
        variables: Added to the environment.
        name: Name of the campaign.
        log_file: File of its output; in the output folder if None.
        server: Gives the process that forks the command, for the price of its imports; if None, the command is started
            as a user starts it.
    """

    root: Path
    words: Sequence[str]
    project: Path = PROJECT
    variables: Mapping[str, str] = field(default_factory=dict)
    name: str = NAME
    log_file: Path | None = None
    server: Callable[[], Server] | None = None

    @property
    def folder(self) -> Path:
        return self.root / "campaigns" / self.name

    @property
    def log(self) -> Path:
        return self.log_file or self.root / "log.txt"

    def start(self, *words: str) -> Process:
        """Start the campaign, or resume it if it exists, in its own session."""
        known = (self.folder / "campaign.json").exists()
        more = ["--resume", self.name] if known else ["--campaign", self.name, *self.words, *EXTRA]
        call = ["tuning.run", "--root", str(self.root), *(words or more)]
        return self.start_module(*call)

    def start_module(self, *words: str) -> Process:
        """Start ``python -m`` *words* with its folder, environment and log, in its own session."""
        self.root.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.variables}
        server = self.server or SERVER
        if server is not None and self.project == PROJECT:
            return server().start(words, self.project, environment, self.log)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=self.project,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def run(self, *words: str) -> int:
        """Run it to the end; return the exit code."""
        return self.start(*words).wait(timeout=LONG_S)

    def run_once(self) -> int:
        """Run it to the end unless it has ended well, also in another process; return the exit code."""
        self.root.mkdir(parents=True, exist_ok=True)
        with wait_for_lock(self.root.with_suffix(".lock")):
            return 0 if (self.folder / "outcome.json").exists() else self.run()

    def copy_to(self, root: Path) -> "Command":
        """Copy the output folder of a finished campaign, without its reports; what no command changes is linked."""
        for folder in ("data", "packs"):
            if (self.root / folder).exists():
                shutil.copytree(self.root / folder, root / folder, copy_function=os.link)
        for folder in ("campaigns", "artifacts"):
            shutil.copytree(self.root / folder, root / folder)
        with (
            closing(sqlite3.connect(self.root / "mlflow.db")) as source,
            closing(sqlite3.connect(root / "mlflow.db")) as target,
        ):
            source.backup(target)
        return replace(self, root=root, log_file=None)

    def read_log(self) -> str:
        """Return its output so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def read_epoch_times(self) -> dict[str, dict[int, int]]:
        """Return the end time of each epoch of each trial in milliseconds; it changes if an epoch is trained again."""
        return {
            path.name: {row["epoch"]: row["time_ms"] for row in TrialFolder(path).history()}
            for path in list_trials(self.folder / "trials")
        }

    def list_finished(self) -> set[str]:
        """Return the keys of the finished trials."""
        trials = list_trials(self.folder / "trials")
        return {
            path.name
            for path, entry in trials.items()
            if is_finished(TrialFolder(path), entry.kind)
        }

    def read_table(self) -> pd.DataFrame:
        """Return ``benchmark_master.csv`` without the columns that vary."""
        table = pd.read_csv(self.root / "reports" / self.name / "benchmark_master.csv")
        return table.drop(columns=[name for name in VARYING if name in table])

    def count_states(self) -> Counter[tuple[str, str]]:
        """Count the campaign's runs by kind and status."""
        runs = find_runs(*connect(self.root), campaign=self.name)
        return Counter((run.data.tags["kind"], run.info.status) for run in runs)

    def count_gaps(self) -> int:
        """Count the trials whose MLflow run misses or repeats an epoch."""
        client, experiment_id = connect(self.root)
        gaps = 0
        for run in find_runs(client, experiment_id, campaign=self.name, kind="trial"):
            history = client.get_metric_history(run.info.run_id, "val_loss")
            rows = TrialFolder(self.folder / "trials" / run.data.tags["key"]).history()
            gaps += [metric.step for metric in history] != [row["epoch"] for row in rows]
        return gaps


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Wait until a condition is true; return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def list_processes(driver: int) -> list[psutil.Process]:
    """List a driver's processes: the driver, Ray's processes, and the trials' workers."""
    try:
        parent = psutil.Process(driver)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def has_name(process: psutil.Process, *names: str) -> bool:
    """Return whether the first word of a process's command line contains one of the names."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return bool(words) and any(name in Path(words[0]).name or name in words[0] for name in names)


def kill_all(processes: Sequence[psutil.Process]) -> int:
    """Kill processes by their ids; return how many still existed."""
    killed = 0
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
            killed += 1
        except psutil.NoSuchProcess:
            continue
    wait_until(lambda: not any(map(is_alive, processes)), 30)
    return killed


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs, without consuming the exit code that its parent waits for."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
