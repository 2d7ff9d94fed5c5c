"""What MLflow holds of each model's search and training beyond its scores: values per epoch, and samples of the baselines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.safe_json import is_number, read_json, refused_error, show_value
from tuning.baselines.tune import Tried
from tuning.report.results import ModelResult
from tuning.tracking.client import open_artifact

TRAIN_LOSS, VAL_LOSS, VAL_AP = "train_loss", "val_loss", "val_pr_auc"
CURVES = (TRAIN_LOSS, VAL_LOSS, VAL_AP)
SEARCH_ARTIFACT = "trial/search.json"
MAX_SAMPLES, MAX_VALUES = 10_000, 100
_REMEDY = "Somebody changed or forged it: restore it, or delete the run in MLflow."


@dataclass(frozen=True)
class History:
    """One repeat run's values by epoch.

    Attributes:
        seed: Its seed.
        curves: Values of epochs 1, 2, …, by metric of ``CURVES``; a metric that was not logged has none.
    """

    seed: int
    curves: Mapping[str, tuple[float, ...]]

    @property
    def best_epoch(self) -> int:
        """The first epoch of the highest average precision on val, whose weights were kept; 0 without any."""
        values = self.curves.get(VAL_AP, ())
        return values.index(max(values)) + 1 if values else 0


@dataclass(frozen=True)
class StudyRecords:
    """Records of a campaign's studies.

    Attributes:
        histories: Of each network's seeds, on the first fold, by the network's title.
        tried: Samples of each baseline's search, on the first fold, by the baseline's title; none where the run lacks them.
    """

    histories: Mapping[str, Sequence[History]] = field(default_factory=dict)
    tried: Mapping[str, Sequence[Tried]] = field(default_factory=dict)


def read_study_records(client: MlflowClient, models: Iterable[ModelResult]) -> StudyRecords:
    """Read the histories of networks and the samples of baselines.

    Raises:
        ValueError: If a ``search.json`` is not what a campaign logs.
    """
    histories: dict[str, list[History]] = {}
    tried: dict[str, list[Tried]] = {}
    for model in models:
        if model.is_baseline:
            tried[model.title] = read_samples(client, model.by_seed[0][0].run)
        else:
            firsts = [runs[0] for runs in model.by_seed]
            histories[model.title] = [
                History(one.seed, _read_curves(client, one.run)) for one in firsts
            ]
    return StudyRecords(histories, tried)


def _read_curves(client: MlflowClient, run: Run) -> dict[str, tuple[float, ...]]:
    return {name: read_curve(client, run, name) for name in CURVES}


def read_curve(client: MlflowClient, run: Run, name: str) -> tuple[float, ...]:
    """Return a metric's values by epoch; of an epoch that was logged twice, the last one."""
    metrics = client.get_metric_history(run.info.run_id, name)
    by_step = {one.step: one.value for one in sorted(metrics, key=lambda one: one.timestamp)}
    return tuple(by_step[step] for step in sorted(by_step))


def read_samples(client: MlflowClient, run: Run) -> list[Tried]:
    """Return the samples that a baseline's search tried; none for a run of an earlier version, which has no such file.

    Raises:
        ValueError: If the file lists anything but samples.
    """
    files = {file.path for file in client.list_artifacts(run.info.run_id, "trial")}
    if SEARCH_ARTIFACT not in files:
        return []
    with open_artifact(client, run, SEARCH_ARTIFACT) as file:
        content: Any = read_json(file).get("tried")
        if not isinstance(content, list) or not all(map(_is_sample, content[: MAX_SAMPLES + 1])):
            rule = "A baseline's search.json must list samples with their params and val_pr_auc"
            raise refused_error(rule, show_value(content), f"run {run.info.run_id}", _REMEDY)
        if len(content) > MAX_SAMPLES:
            rule = f"A baseline's search.json must list {MAX_SAMPLES:,} samples at most"
            raise refused_error(rule, f"{len(content):,}", f"run {run.info.run_id}", _REMEDY)
    return [Tried(one["params"], float(one["val_pr_auc"])) for one in content]


def _is_sample(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and set(content) == {"params", "val_pr_auc"}
        and isinstance(content["params"], dict)
        and len(content["params"]) <= MAX_VALUES
        and is_number(content["val_pr_auc"], 0, 1)
    )
