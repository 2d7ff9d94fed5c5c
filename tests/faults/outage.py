"""A tracker that fails while trials run: for a while, for the rest of the campaign, or because of a lock."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults.campaigns import FEW, LONG_S, Command, wait_until
from tests.support.servers import serve_mlflow

WORDS = ["--model", "unet", "log_ratio_vv", "--preset", "smoke", *FEW]
RUNS = 1 + 1 + 1  # trials: search, repeat, baseline without training


@contextmanager
def _served(root: Path, port: int | None = None) -> Iterator[str]:
    store = f"sqlite:///{root / 'server.db'}"
    with serve_mlflow(store, root / "kept", root / "server.log", port) as address:
        yield address


def _command(root: Path, address: str) -> Command:
    # Short, so that the test does not wait for MLflow's retries.
    away = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    return Command(root, WORDS, variables={"MLFLOW_TRACKING_URI": address, **away})


@contextmanager
def tracked(address: str) -> Iterator[None]:
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = address
    try:
        yield
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


def stop_tracker(root: Path) -> tuple[str, list[str]]:
    """Stop the server after the first epoch; replay the results after the campaign, and write the report."""
    with _served(root) as address:
        command = _command(root, address)
        driver = command.start()
        began = wait_until(
            lambda: any(command.read_epoch_times().values()) or driver.poll() is not None, 300
        )
    code = driver.wait(timeout=900)
    faults = [] if began and code == 1 else [f"exit code {code}, expected 1"]
    if len(command.list_finished()) != RUNS:
        faults.append(f"{len(command.list_finished())} of {RUNS} trials are finished")
    if f"tuning.tracking replay {command.folder}" not in command.read_log():
        faults.append("it did not print the replay command")
    port = int(address.rpartition(":")[2])
    with _served(root, port), tracked(address):
        replayed = _call(command, "tuning.tracking", "replay", str(command.folder))
        faults += _check(command)
        _call(command, "tuning.report", "--campaign", command.name, "--root", str(root))
        if not (root / "reports" / command.name / "benchmark_master.csv").exists():
            faults.append("no report after the replay")
    return replayed, faults


def restart_tracker(root: Path, seconds: float) -> tuple[str, list[str]]:
    """Stop the server after the first epoch, and restart it after some seconds."""
    with _served(root) as address:
        command = _command(root, address)
        driver = command.start()
        wait_until(
            lambda: any(command.read_epoch_times().values()) or driver.poll() is not None, 300
        )
    time.sleep(seconds)
    with _served(root, int(address.rpartition(":")[2])), tracked(address):
        code = driver.wait(timeout=900)
        faults = [] if code == 0 else [f"exit code {code}:\n{command.read_log()[-2000:]}"]
        missed = command.read_log().count("to the tracker failed")
        return f"{seconds:g} s unavailable, {missed} warnings, exit code {code}", faults + _check(
            command
        )


def lock_database(root: Path, seconds: float) -> tuple[str, list[str]]:
    """Lock the SQLite database for some seconds, longer than MLflow waits."""
    command = Command(root, WORDS)
    driver = command.start()
    wait_until(lambda: any(command.read_epoch_times().values()) or driver.poll() is not None, 300)
    holder = sqlite3.connect(root / "mlflow.db", timeout=60, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(seconds, lambda: (holder.rollback(), holder.close()))
    release.start()
    code = driver.wait(timeout=900)
    release.join()
    faults = [] if code == 0 else [f"exit code {code}:\n{command.read_log()[-2000:]}"]
    missed = command.read_log().count("to the tracker failed")
    return f"{seconds:g} s locked, {missed} warnings, exit code {code}", faults + _check(command)


def _call(command: Command, *words: str) -> str:
    """Run another command beside a campaign's; return the first line that it prints."""
    own = replace(command, log_file=command.root / f"{words[0]}.txt")
    own.start_module(*words).wait(timeout=LONG_S)
    return own.read_log().partition("\n")[0]


def _check(command: Command) -> list[str]:
    """Return the faults of the runs."""
    states = command.count_states()
    faults = []
    if sum(count for (kind, _), count in states.items() if kind == "trial") != RUNS:
        faults.append(f"runs: {dict(states)}")
    if any(status == "RUNNING" for _, status in states):
        faults.append(f"a run is still RUNNING: {dict(states)}")
    if gaps := command.count_gaps():
        faults.append(f"{gaps} trials whose epochs have gaps or duplicates in MLflow")
    return faults
