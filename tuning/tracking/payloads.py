"""Converts a trial's numbers for MLflow: params, epoch metrics, overlay curves, curve files, the data set."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

from data.tiles.regions import DEFAULT_REGION
from tuning.metrics.calibration import reliability
from tuning.metrics.curve import Curve
from tuning.trial.folder import VAL_AP, Row
from tuning.trial.variants import USUAL

SYSTEM = "system/"  # prefix of MLflow's "System metrics"
CURVE_POINTS = 1001  # in a curve's JSON, evenly spaced over the thresholds
RELIABILITY_BINS = 25  # bin centres are whole percents
_PARTS = ("val", "train")
_SCORES = ("pr_auc", "loss", "dice", "iou")
EPOCH_SCORES = tuple(f"{part}_{score}" for part in _PARTS for score in _SCORES)
# MLflow's run comparison opens with a run's first metric: the score that ranks trials.
EPOCH_METRICS = (VAL_AP, *EPOCH_SCORES, "lr", "seconds")


@dataclass(frozen=True)
class CampaignContext:
    """Tags of every run of a campaign.

    Attributes:
        campaign: Name of the campaign.
        preset: Name of the preset.
        split: Name of the split.
        split_hash: Hash of the split's tile ids.
        data_hash: Hash of the tiles.
        data: ``synthetic`` or ``real``.
        channels: Channels of the input.
        acquisitions: Their number and how they are chosen, for example ``4 even``.
        git_commit: Commit of the code, with ``-dirty`` if files were changed.
        regions: Names of the tiles' regions, sorted, with spaces between.
        events: Time of the event of each region that has one, such as ``noto=2024-01-01T07:10:00``, with spaces
            between. A logged model holds them, for tiles whose files name no event.
        training: What models are trained with, as `tuning.trial.variants` describes it.
    """

    campaign: str
    preset: str
    split: str
    split_hash: str
    data_hash: str
    data: str
    channels: str
    acquisitions: str
    git_commit: str
    regions: str = DEFAULT_REGION
    events: str = ""
    training: str = USUAL


def flatten(params: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested dicts: join their keys with dots."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def make_overlay(key: str, curve: Curve) -> list[Metric]:
    """Convert a curve to a step metric, which MLflow can overlay: precision at each percent of recall."""
    recall, precision = curve.recall[::-1], curve.precision[::-1]  # by falling threshold
    indices = np.searchsorted(recall, np.arange(101) / 100).clip(max=len(recall) - 1)
    return [Metric(key, float(precision[index]), 0, step) for step, index in enumerate(indices)]


def make_reliability(key: str, counts: np.ndarray) -> list[Metric]:
    """Convert a histogram to a step metric: landslide share in each probability bin, by its centre in percent."""
    diagram = reliability(counts, RELIABILITY_BINS)
    width = 100 // RELIABILITY_BINS
    return [
        Metric(key, float(share), 0, index * width + width // 2)
        for index, share in enumerate(diagram.observed)
        if diagram.pixels[index]
    ]


def make_scalars(values: Mapping[str, float]) -> list[Metric]:
    """Convert final scores to metrics without steps."""
    return [Metric(key, float(value), 0, 0) for key, value in values.items()]


def make_epoch_metrics(row: Row) -> list[Metric]:
    """Convert an epoch's row to metrics with its own timestamp, so that resending adds nothing."""
    values = {name: row[name] for name in EPOCH_METRICS}
    values |= {f"{SYSTEM}{name}": value for name, value in row["system"].items()}
    return [
        Metric(name, float(value), row["time_ms"], row["epoch"]) for name, value in values.items()
    ]


def pick_best(rows: Sequence[Row]) -> Row:
    """Return the first epoch of the highest val average precision, whose checkpoint is kept."""
    return max(rows, key=lambda row: row["val_pr_auc"])


def make_best(rows: Sequence[Row]) -> list[Metric]:
    """Convert the best epoch to ``best/`` metrics, because MLflow's tables show the last epoch.

    Each epoch has had the score that ranks trials, unless an earlier version sent it under another name: it is sent once
    more as the last epoch's, which adds nothing where it is.
    """
    best, last = pick_best(rows), rows[-1]
    values = {f"best/{name}": best[name] for name in EPOCH_SCORES}
    score = Metric(VAL_AP, values.pop(VAL_AP), last["time_ms"], last["epoch"])
    return [score, *make_scalars(values | {"best/epoch": best["epoch"], "epochs": len(rows)})]


@dataclass(frozen=True)
class DataRecord:
    """The packed tiles as an MLflow data set.

    Attributes:
        name: Name of the data set.
        digest: Hash of the pack.
        source: URI of the tiles.
        schema: Channels, and the number of acquisitions.
        profile: Number of tiles and landslide share of train, val and test, by split name.
    """

    name: str
    digest: str
    source: str
    schema: Mapping[str, Any]
    profile: Mapping[str, Any]

    def as_input(self, stage: str, split: str) -> DatasetInput:
        """Return the data set input of a trial; only the repeat stage reads test."""
        context = "train, val, test" if stage == "repeat" else "train, val"
        dataset = Dataset(
            name=self.name,
            digest=self.digest,
            source_type="local",
            source=json.dumps({"uri": self.source}),
            schema=json.dumps(self.schema),
            profile=json.dumps(self.profile),
        )
        tags = {"mlflow.data.context": context, "split": split}
        return DatasetInput(dataset, [InputTag(name, value) for name, value in tags.items()])


def format_curve(curve: Curve, area: float, synthetic: bool) -> str:
    """Return a curve as JSON, thinned to ``CURVE_POINTS`` thresholds."""
    keep = np.unique(np.linspace(0, len(curve.recall) - 1, CURVE_POINTS).round().astype(int))
    arrays = {name: np.round(values[keep], 6).tolist() for name, values in vars(curve).items()}
    return json.dumps({"average_precision": area, "synthetic": synthetic, **arrays})
