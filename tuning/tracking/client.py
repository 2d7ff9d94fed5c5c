"""Where MLflow keeps a campaign, and how its runs are found: the tracker, the experiment, the queries."""

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
    """Read the code's git commit; outside a repository SOURCE_COMMIT, which an image holds, else ``unknown``."""
    ask = [
        "git",
        "-C",
        str(folder),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    given = os.environ.get(COMMIT_VARIABLE) or "unknown"
    try:
        done = subprocess.run(ask, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, fixed words
    except OSError:
        return given
    return done.stdout.strip() or given


def tracking_uri(root: Path) -> str:
    """Return ``MLFLOW_TRACKING_URI`` where it is set, else the sqlite database below *root*."""
    return os.environ.get(URI_VARIABLE) or f"{SQLITE}{(root / 'mlflow.db').resolve()}"


def database_file(uri: str) -> Path | None:
    """Return the file of a tracker that is a sqlite database, None for a server."""
    file = Path(uri.removeprefix(SQLITE))
    return file if uri.startswith(SQLITE) and file.is_file() else None


def connect(root: Path) -> tuple[MlflowClient, str]:
    """Open the tracker and the experiment, making both where they are missing.

    First-time creation of the database is not safe in parallel, so the driver does it before any trial.

    Args:
        root: Output folder; holds ``mlflow.db`` and ``artifacts/`` unless a server is named.

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
    _use(uri, experiment_id)
    return client, experiment_id


def _find_experiment(client: MlflowClient, uri: str, root: Path) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return str(experiment.experiment_id)
    if not uri.startswith(SQLITE):
        return str(client.create_experiment(EXPERIMENT))
    _write_ahead(uri.removeprefix(SQLITE))
    artifacts = (root / "artifacts").resolve().as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts))


def _write_ahead(file: str) -> None:
    """Turn write-ahead logging on, a lasting property of the file: seven times the single writes a second."""
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode=WAL")
    database.close()


def _use(uri: str, experiment_id: str) -> None:
    """Point MLflow's own state, which logs and loads models, at the experiment.

    MLflow sets environment variables on the way; they would outlive this root, so they are put back.
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
    """Yield all that a search finds; a page of it is in memory at a time.

    Args:
        fetch: Returns the page of a token, the first one for None.
    """
    token = None
    while True:
        with _no_collection():
            page = fetch(token)
        token = page.token
        yield from page
        del page  # before the next one comes
        if not token:
            return


def quote(text: str) -> str:
    """Quote a text for a filter of MLflow's, whose language has no way to write a quote in a text.

    Raises:
        ValueError: If the text holds a quote or a backslash, and could change the question.
    """
    if re.search(r"['\"\\`]", text):
        raise ValueError(
            f"A value to search for must have no quotes, but got {show_value(text)}. Rename it."
        )
    return f"'{text}'"


def walk_runs(client: MlflowClient, experiment_id: str, **tags: str) -> Iterator[Run]:
    """Yield all runs with the given tags, oldest first."""
    wanted = " and ".join(f"tags.{name} = {quote(value)}" for name, value in tags.items())
    order = ["start_time ASC"]
    return walk_pages(
        lambda token: client.search_runs([experiment_id], wanted, order_by=order, page_token=token)
    )


def find_runs(client: MlflowClient, experiment_id: str, **tags: str) -> list[Run]:
    """List all runs with the given tags, oldest first."""
    return list(walk_runs(client, experiment_id, **tags))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from looking through a page of runs again and again.

    A page is some 80,000 objects and no garbage: without the collector it takes less than half the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def open_artifact(client: MlflowClient, run: Run, name: str) -> Iterator[Path]:
    """Give one file of a run: where it lies if it is on this machine, else a copy for the while."""
    uri = f"{run.info.artifact_uri}/{name}"
    here = urlparse(uri).scheme in ("", "file")
    with tempfile.TemporaryDirectory() as aside:
        to = None if here else aside
        yield Path(
            download_artifacts(artifact_uri=uri, dst_path=to, tracking_uri=client.tracking_uri)
        )
