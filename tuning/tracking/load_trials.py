"""A campaign's trials, fetched from MLflow once: repeat runs whole, a search trial as one row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.tracking.client import database_file, find_runs, walk_runs
from tuning.tracking.sql_reader import Record, read_records
from tuning.tracking.validate_runs import check_search

SEARCH_TRIALS = "search_trials.csv"  # in the report's folder
# Columns of a search trial by tag and by metric; its params follow.
TAGS = {
    "model": "study",
    "number": "number",
    "key": "key",
    "seed": "seed",
    "split": "fold",
    "ended_by": "ended_by",
}
METRICS = {
    "epochs": "epochs",
    "val_pr_auc": "best/val_pr_auc",
    "parameters": "cost/parameters",
    "cpu_hours": "cost/cpu_hours",
    "gpu_hours": "cost/gpu_hours",
}


@dataclass(frozen=True)
class Trials:
    """What a campaign's trials left in MLflow.

    Attributes:
        repeats: The repeat runs, oldest first.
        searches: A row per search trial, oldest first: the columns of ``search_trials.csv``.
    """

    repeats: tuple[Run, ...]
    searches: pd.DataFrame


def read_trials(client: MlflowClient, experiment_id: str, campaign: str) -> Trials:
    """Fetch every trial of a campaign once; of a search trial, what is not reported is let go at once."""
    repeats = find_runs(client, experiment_id, campaign=campaign, kind="trial", stage="repeat")
    searches = pd.DataFrame(
        _make_row(one) for one in _walk_searches(client, experiment_id, campaign)
    )
    return Trials(tuple(repeats), searches)


def _walk_searches(client: MlflowClient, experiment_id: str, campaign: str) -> Iterator[Record]:
    """Yield the search trials, oldest first: from the database where it is a file, else from the server."""
    wanted = {"campaign": campaign, "kind": "trial", "stage": "search"}
    file = database_file(client.tracking_uri)
    if file is not None:
        yield from read_records(file, experiment_id, wanted, TAGS.values(), METRICS.values())
        return
    for run in walk_runs(client, experiment_id, **wanted):
        data = run.data
        yield Record(run.info.run_id, run.info.status, data.params, data.tags, data.metrics)


def _make_row(trial: Record) -> dict[str, Any]:
    """Make a search trial's row; a config's params stay clear of the scores' names."""
    row: dict[str, Any] = {name: trial.tags.get(tag) for name, tag in TAGS.items()}
    row |= {"status": trial.status, "run_id": trial.run_id}
    row |= {name: trial.metrics.get(metric, float("nan")) for name, metric in METRICS.items()}
    row |= {f"param/{name}": trial.params[name] for name in sorted(trial.params)}
    return check_search(trial.run_id, row)
