"""One architecture's repeat runs, read back from MLflow, and the row that they become in the table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from models import paper_name
from tuning.baseline import BASELINE, BASELINE_NAME
from tuning.store import find_runs

# The published study's columns, in its order.
PUBLISHED = (
    "model",
    "threshold",
    "precision",
    "recall",
    "f1_dice",
    "iou",
    "accuracy",
    "tp",
    "fp",
    "fn",
    "tn",
    "pos_pixels",
    "pos_ratio",
    "infer_seconds_total",
    "infer_seconds_per_sample",
    "weights_path",
    "n_samples",
)
SPREAD = ("pr_auc", "precision", "recall", "f1_dice", "iou", "accuracy")  # mean and std over seeds
COUNTS = ("tp", "fp", "fn", "tn", "pos_pixels", "n_samples")
PROVENANCE = (
    *("campaign", "preset", "split", "split_hash", "data_hash", "data", "channels", "acquisitions"),
    "git_commit",
)


@dataclass(frozen=True)
class Study:
    """The repeat runs of one architecture (or the baseline).

    Attributes:
        model: Registry key, such as ``unet``.
        runs: Finished repeat runs, by seed.
        chosen: The run with the best val average precision: the one that is registered.
    """

    model: str
    runs: tuple[Run, ...]
    chosen: Run

    @property
    def name(self) -> str:
        """Name in tables and file names, the published study's."""
        return BASELINE_NAME if self.model == BASELINE else paper_name(self.model)


def val_of(run: Run) -> float:
    """Return a repeat run's best val average precision."""
    value: float = run.data.metrics["best/val_pr_auc"]
    return value


def collect_studies(client: MlflowClient, experiment_id: str, campaign: str) -> list[Study]:
    """Read the finished repeat runs of a campaign, best architecture by mean val AP first."""
    runs = find_runs(client, experiment_id, campaign=campaign, kind="trial", stage="repeat")
    by_model: dict[str, list[Run]] = {}
    for run in runs:
        if run.info.status == "FINISHED" and "test/pr_auc" in run.data.metrics:
            by_model.setdefault(run.data.tags["study"], []).append(run)
    studies = [
        Study(model, tuple(sorted(some, key=seed_of)), max(some, key=val_of))
        for model, some in by_model.items()
    ]
    return sorted(studies, key=lambda study: -float(np.mean([val_of(run) for run in study.runs])))


def seed_of(run: Run) -> int:
    """Return a repeat run's seed."""
    return int(run.data.tags["seed"])


def make_row(study: Study) -> dict[str, Any]:
    """Make one row of ``benchmark_master.csv``."""
    run = study.chosen
    values: dict[str, Any] = {
        name.removeprefix("test/"): value for name, value in run.data.metrics.items()
    }
    values |= {name: int(values[name]) for name in COUNTS}
    values |= {"model": study.name, "weights_path": run.data.tags.get("model_uri", "")}
    row = {name: values[name] for name in PUBLISHED} | {"pr_auc": values["pr_auc"]}
    for name in SPREAD:
        found = np.array([other.data.metrics[f"test/{name}"] for other in study.runs])
        row[f"{name}_mean"] = found.mean()
        row[f"{name}_std"] = found.std(ddof=1) if len(found) > 1 else float("nan")
    scores = np.array([val_of(other) for other in study.runs])
    row |= {"val_pr_auc": val_of(run), "val_pr_auc_mean": scores.mean(), "seeds": len(study.runs)}
    row |= {"architecture": study.model, "seed": seed_of(run), "run_id": run.info.run_id}
    return row | {name: run.data.tags[name] for name in PROVENANCE}
