"""The connection to MLflow: tracker, experiment, searches of runs, artifacts."""

import gc
import logging
import os
import re
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlparse

import mlflow
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.store.entities import PagedList
from mlflow.tracking import MlflowClient

from data.io.safe_json import show_value
from tuning.tracking.errors import tracker_errors

URI_VARIABLE = "MLFLOW_TRACKING_URI"
COMMIT_VARIABLE = "SOURCE_COMMIT"
SQLITE = "sqlite:///"
EXPERIMENT = "landslide-benchmark"
T = TypeVar("T")


def read_commit(folder: Path) -> str:
    """Return the code's git commit; outside a repository ``SOURCE_COMMIT``, which the image sets, or ``unknown``."""
    command = [
        "git",
        "-C",
        str(folder),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    fallback = os.environ.get(COMMIT_VARIABLE) or "unknown"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, fixed words
    except OSError:
        return fallback
    return done.stdout.strip() or fallback


def tracking_uri(root: Path) -> str:
    """Return ``MLFLOW_TRACKING_URI`` if it is set, otherwise the sqlite database in *root*."""
    return os.environ.get(URI_VARIABLE) or f"{SQLITE}{(root / 'mlflow.db').resolve()}"


def database_file(uri: str) -> Path | None:
    """Return the file of a sqlite tracking URI, None if it is missing or the tracker is a server."""
    file = Path(uri.removeprefix(SQLITE))
    return file if uri.startswith(SQLITE) and file.is_file() else None


def connect(root: Path) -> tuple[MlflowClient, str]:
    """Connect to the tracker and its experiment; create both if they are missing.

    MLflow cannot create a database from two processes at once, so the driver does it before any trial.

    Args:
        root: Output folder; holds ``mlflow.db`` and ``artifacts/`` unless a server is used.

    Returns:
        Client and experiment id.

    Raises:
        ConnectionError: If the tracker does not answer.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # the default waits four minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # s
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    uri = tracking_uri(root)
    if uri.startswith(SQLITE):
        root.mkdir(parents=True, exist_ok=True)
    with tracker_errors(uri):
        client = MlflowClient(uri)
        experiment_id = _find_experiment(client, uri, root)
    _set_global(uri, experiment_id)
    return client, experiment_id


def _find_experiment(client: MlflowClient, uri: str, root: Path) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return str(experiment.experiment_id)
    if not uri.startswith(SQLITE):
        return str(client.create_experiment(EXPERIMENT))
    _enable_wal(uri.removeprefix(SQLITE))
    artifacts = (root / "artifacts").resolve().as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts))


def _enable_wal(file: str) -> None:
    """Turn on write-ahead logging, a property that the file keeps: seven times as many single writes per second."""
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode=WAL")
    database.close()


def _set_global(uri: str, experiment_id: str) -> None:
    """Set MLflow's global tracker and experiment, with which models are logged and loaded.

    MLflow also sets environment variables; they are restored, because another root may follow in this process.
    """
    before = {name: os.environ.get(name) for name in (URI_VARIABLE, "MLFLOW_EXPERIMENT_ID")}
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=experiment_id)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def walk_pages(fetch: Callable[[str | None], PagedList[T]]) -> Iterator[T]:
    """Yield the results of a search, with one page in memory at a time.

    Args:
        fetch: Returns the page of a token; the first page for None.
    """
    token = None
    while True:
        with _paused_collector():
            page = fetch(token)
        token = page.token
        yield from page
        del page  # before the next one is loaded
        if not token:
            return


def quote(text: str) -> str:
    """Quote a text for an MLflow filter, whose language cannot escape quotes.

    Raises:
        ValueError: If the text has a quote or a backslash, which could change the filter.
    """
    if re.search(r"['\"\\`]", text):
        raise ValueError(
            f"A value to search for must have no quotes, but got {show_value(text)}. Rename it."
        )
    return f"'{text}'"


def walk_runs(client: MlflowClient, experiment_id: str, **tags: str) -> Iterator[Run]:
    """Yield the runs with the given tags, oldest first."""
    query = " and ".join(f"tags.{name} = {quote(value)}" for name, value in tags.items())
    order = ["start_time ASC"]
    return walk_pages(
        lambda token: client.search_runs([experiment_id], query, order_by=order, page_token=token)
    )


def find_runs(client: MlflowClient, experiment_id: str, **tags: str) -> list[Run]:
    """List the runs with the given tags, oldest first."""
    return list(walk_runs(client, experiment_id, **tags))


@contextmanager
def _paused_collector() -> Iterator[None]:
    """Pause the garbage collector while a page of runs is loaded.

    A page has about 80,000 objects and no garbage: without the collector it takes less than half the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def open_artifact(client: MlflowClient, run: Run, name: str) -> Iterator[Path]:
    """Yield the path of a run's artifact: the file itself if it is on this machine, otherwise a temporary copy."""
    uri = f"{run.info.artifact_uri}/{name}"
    is_local = urlparse(uri).scheme in ("", "file")
    with tempfile.TemporaryDirectory() as temporary:
        target = None if is_local else temporary
        yield Path(
            download_artifacts(artifact_uri=uri, dst_path=target, tracking_uri=client.tracking_uri)
        )
