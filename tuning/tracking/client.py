"""The connection to MLflow: tracker, experiment, searches of runs, artifacts."""

import gc
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlparse

import mlflow
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run, ViewType
from mlflow.store.entities import PagedList
from mlflow.tracking import MlflowClient
from mlflow.tracking._tracking_service import utils as mlflow_utils

from data.io.errors import check_database_path
from data.io.safe_json import is_safe_name, show_value
from tuning.settings.roots import DATABASE, ROOT, refuse_missing, resume_command
from tuning.store.creates import create_experiment
from tuning.store.database import (
    ARTIFACTS,
    EXPERIMENT,
    SQLITE,
    copy_for_reading,
    enable_wal,
    follow_folder,
    is_read_only,
    is_writable,
)
from tuning.tracking.errors import describe_deleted_experiment, format_restore, tracker_errors

URI_VARIABLE = "MLFLOW_TRACKING_URI"
T = TypeVar("T")
logger = logging.getLogger(__name__)


def tracking_uri(root: Path) -> str:
    """Return ``MLFLOW_TRACKING_URI`` if it is set, otherwise the sqlite database in *root*.

    Raises:
        ValueError: If the folder's path cannot be written as a database's address.
    """
    if uri := os.environ.get(URI_VARIABLE):
        return uri
    check_database_path(file := (root / DATABASE).resolve())
    return f"{SQLITE}{file}"


def database_file(uri: str) -> Path | None:
    """Return the file of a sqlite tracking URI, None if it is missing or the tracker is a server."""
    file = Path(uri.removeprefix(SQLITE))
    return file if uri.startswith(SQLITE) and file.is_file() else None


def connect(root: Path) -> tuple[MlflowClient, str]:
    """Connect to the tracker and its experiment; create both if they are missing.

    MLflow cannot create a database from two processes at once, so the driver does it before any trial.

    *root* holds ``mlflow.db`` and ``artifacts/`` unless a server is used.

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
    noisy = logging.getLogger("mlflow.store.db.utils")
    noisy.setLevel(logging.CRITICAL)  # else it prints tracebacks
    uri = tracking_uri(root)
    with tracker_errors(uri):
        if uri.startswith(SQLITE):
            root.mkdir(parents=True, exist_ok=True)
            opened = _open_database(uri, root)
        else:
            opened = uri
        client = MlflowClient(opened)
        experiment_id = _find_experiment(client, uri, root)
    _set_global(opened, experiment_id)
    return client, experiment_id


def connect_existing(root: Path) -> tuple[MlflowClient, str]:
    """Connect as :func:`connect` does, but make neither folder nor database: for commands that read.

    Raises:
        NoStoreError: If there is no database; the message names the nearest folder that has one.
    """
    uri = tracking_uri(root)
    if uri.startswith(SQLITE) and database_file(uri) is None:
        refuse_missing(root, os.environ.get(URI_VARIABLE))
    return connect(root)


def _open_database(uri: str, root: Path) -> str:
    """Return the URI under which to open a SQLite database: its own, or that of a copy for who may only read it.

    The database of the output folder gets the addresses of that folder, which may have been moved. One that
    ``MLFLOW_TRACKING_URI`` names may serve several folders, and stays as it is.
    """
    file = database_file(uri)
    if file is None:
        return uri
    if not is_writable(file):
        return copy_for_reading(file)
    own = file == (root / DATABASE).resolve() and not os.environ.get(URI_VARIABLE)
    if own and follow_folder(file) is not None:
        logger.info("%s was moved or copied here: its runs' files are found here now.", root)
    return uri


def _find_experiment(client: MlflowClient, uri: str, root: Path) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        number = str(experiment.experiment_id)
        if experiment.lifecycle_stage == "deleted":
            raise ConnectionError(describe_deleted_experiment(uri, EXPERIMENT, number))
        return number
    if not uri.startswith(SQLITE):
        return create_experiment(client, EXPERIMENT)
    enable_wal(Path(uri.removeprefix(SQLITE)))
    return create_experiment(client, EXPERIMENT, (root / ARTIFACTS).resolve().as_uri())


def _set_global(uri: str, experiment_id: str) -> None:
    """Set MLflow's global tracker and experiment, with which models are logged and loaded.

    MLflow also sets environment variables; they are restored, because another root may follow in this process.
    """
    # By run id alone: a copy of an output folder has the same runs at other addresses.
    getattr(mlflow_utils, "_artifact_repos_cache", {}).clear()
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
    """Quote a text for an MLflow filter, which cannot escape quotes.

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


def check_writable(client: MlflowClient, root: Path) -> None:
    """Raise PermissionError unless this user may write the database of an output folder."""
    if is_read_only(str(client.tracking_uri)):
        raise PermissionError(
            f"A command that changes runs or models must write in its output folder, but {root} may only be read. Ask "
            "its owner for write access, or copy the whole folder and use the copy with --root."
        )


def check_not_deleted(client: MlflowClient, experiment_id: str, campaign: str | None) -> None:
    """Check that MLflow has no deleted run of a campaign; of any campaign if *campaign* is None.

    Raises:
        ValueError: If it has one; the message has the command that restores it.
    """
    if campaign is not None and not is_safe_name(campaign):
        return  # no campaign has such a name
    query = "tags.kind = 'campaign'"
    query += f" and tags.campaign = {quote(campaign)}" if campaign else ""
    for run in client.search_runs([experiment_id], query, ViewType.DELETED_ONLY, max_results=1):
        name, run_id = str(run.data.tags.get("campaign")), run.info.run_id
        file = database_file(str(client.tracking_uri))
        resume = resume_command(file.parent if file else ROOT, name)
        raise ValueError(
            f"A campaign's own run must exist in MLflow, but that of {show_value(name)} was deleted. Restore it: "
            f"`{format_restore(str(client.tracking_uri), 'runs', run_id)}`; or make it anew: "
            f"`{resume}`."
        )


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
