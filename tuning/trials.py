"""A campaign's trials, fetched from MLflow once: repeat runs whole, a search trial as one row."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.store import walk_runs

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
    """Fetch every trial of a campaign once; of ten thousand, what is not reported is let go at once."""
    repeats, rows = [], []
    for run in walk_runs(client, experiment_id, campaign=campaign, kind="trial"):
        if run.data.tags.get("stage") == "repeat":
            repeats.append(run)
        else:
            rows.append(_make_row(run))
    return Trials(tuple(repeats), pd.DataFrame(rows))


def _make_row(run: Run) -> dict[str, Any]:
    """Make a search trial's row; a config's params stay clear of the scores' names."""
    tags, metrics, params = run.data.tags, run.data.metrics, run.data.params
    row: dict[str, Any] = {name: tags.get(tag) for name, tag in TAGS.items()}
    row |= {"status": run.info.status, "run_id": run.info.run_id}
    row |= {name: metrics.get(metric, float("nan")) for name, metric in METRICS.items()}
    return row | {f"param/{name}": value for name, value in params.items()}
