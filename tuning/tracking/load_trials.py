"""A campaign's trials, loaded from MLflow once: repeat runs as they are, a search trial as one table row."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.store.duplicates import Duplicate, drop_duplicates
from tuning.tracking.client import find_runs, walk_runs
from tuning.tracking.validate_runs import check_search
from tuning.trial.folder import VAL_AP

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
    "val_pr_auc": VAL_AP,
    "parameters": "cost/parameters",
    "gmac_per_tile": "cost/gmac_per_tile",
    "cpu_hours": "cost/cpu_hours",
    "gpu_hours": "cost/gpu_hours",
}


@dataclass(frozen=True)
class Trials:
    """A campaign's trials.

    Attributes:
        repeats: The repeat runs, oldest first; one of each study, fold and seed.
        searches: A row per search trial, oldest first: the columns of ``search_trials.csv``.
        duplicates: Runs that do not count, since another run of the same trial does.
    """

    repeats: tuple[Run, ...]
    searches: pd.DataFrame
    duplicates: tuple[Duplicate, ...] = ()


def read_trials(client: MlflowClient, experiment_id: str, campaign: str) -> Trials:
    """Load every trial of a campaign, each from one request; only one page of search runs is in memory at a time.

    Raises:
        ValueError: If a search trial's model, number or epochs are invalid.
    """
    tags = {"campaign": campaign, "kind": "trial"}
    found = find_runs(client, experiment_id, **tags, stage="repeat")
    repeats, doubled = drop_duplicates(client, found)
    searches = walk_runs(client, experiment_id, **tags, stage="search")
    rows, more = _drop_doubled_rows(pd.DataFrame(map(_make_row, searches)))
    return Trials(tuple(repeats), rows, (*doubled, *more))


def _drop_doubled_rows(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Duplicate]]:
    """Keep one row of each search trial: the one with the most epochs, of equals an ended one, then the oldest."""
    if rows.empty:
        return rows, []
    dropped, duplicates = [], []
    for key, same in rows[rows["key"].notna()].groupby("key", sort=False):
        if len(same) > 1:
            rank = same.assign(epochs=same["epochs"].fillna(0), ended=same["ended_by"].notna())
            ranked = rank.sort_values(["epochs", "ended"], ascending=False, kind="stable")
            kept, *others = ranked.index
            dropped += others
            ids = rows["run_id"]
            duplicates += [Duplicate(ids[kept], ids[one], f"trial {key}") for one in others]
    return rows.drop(index=dropped).reset_index(drop=True), duplicates


def _make_row(run: Run) -> dict[str, Any]:
    """Make a search trial's row; the prefix ``param/`` keeps config values apart from scores of the same name."""
    tags, metrics, params = run.data.tags, run.data.metrics, run.data.params
    row: dict[str, Any] = {name: tags.get(tag) for name, tag in TAGS.items()}
    row |= {"status": run.info.status, "run_id": run.info.run_id}
    row |= {name: metrics.get(metric, float("nan")) for name, metric in METRICS.items()}
    row |= {f"param/{name}": params[name] for name in sorted(params)}
    return check_search(run.info.run_id, row)
