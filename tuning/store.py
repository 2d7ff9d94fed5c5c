"""Where MLflow keeps a campaign, and how its runs are found: the tracker, the experiment, the queries."""

import logging
import os
import sqlite3
import subprocess
from pathlib import Path

import mlflow
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

EXPERIMENT = "landslide-benchmark"


def read_commit(folder: Path) -> str:
    """Read the code's git commit, ``unknown`` outside a repository."""
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
    try:
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def tracking_uri(root: Path) -> str:
    """Return ``MLFLOW_TRACKING_URI`` where it is set, else the sqlite database below *root*."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root / 'mlflow.db').resolve()}"


def connect(root: Path) -> tuple[MlflowClient, str]:
    """Open the tracker and the experiment, making both where they are missing.

    First-time creation of the database is not safe in parallel, so the driver does it before any trial.

    Args:
        root: Output folder; holds ``mlflow.db`` and ``artifacts/`` unless a server is named.

    Returns:
        Client and experiment id.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    uri = tracking_uri(root)
    if uri.startswith("sqlite:///"):
        root.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return client, experiment.experiment_id
    if not uri.startswith("sqlite:///"):
        return client, client.create_experiment(EXPERIMENT)
    # Write-ahead logging is a lasting property of the file: seven times the single writes per second.
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as database:
        database.execute("PRAGMA journal_mode=WAL")
    database.close()
    artifacts = (root / "artifacts").resolve().as_uri()
    return client, client.create_experiment(EXPERIMENT, artifact_location=artifacts)


def find_runs(client: MlflowClient, experiment_id: str, **tags: str) -> list[Run]:
    """List all runs with the given tags, oldest first, page by page."""
    wanted = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], wanted, order_by=["start_time ASC"], page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return runs
