"""What a trial's numbers become in MLflow: params, epoch metrics, overlay curves, curve files, the data set."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

from tuning.metrics.calibration import reliability
from tuning.metrics.curve import Curve
from tuning.trial.folder import Row

SYSTEM = "system/"  # prefix of what MLflow shows under "System metrics"
CURVE_POINTS = 1001  # of a curve's JSON, evenly spaced over the thresholds
RELIABILITY_BINS = 25  # their middles are whole percents
_PARTS = ("val", "train")
_SCORES = ("pr_auc", "loss", "dice", "iou")
EPOCH_SCORES = tuple(f"{part}_{score}" for part in _PARTS for score in _SCORES)
# MLflow's comparison of runs starts with a run's first metric, so the score that ranks trials goes first.
EPOCH_METRICS = ("best_val_pr_auc", *EPOCH_SCORES, "lr", "seconds")


@dataclass(frozen=True)
class CampaignContext:
    """What every run of a campaign is tagged with.

    Attributes:
        campaign: Name of the campaign.
        preset: Name of the preset.
        split: Name of the split.
        split_hash: Hash of the split's tile ids.
        data_hash: Hash of the tiles.
        data: ``synthetic`` or ``real``.
        channels: Channels of the input.
        acquisitions: How many and how they are chosen, such as ``4 even``.
        git_commit: Commit of the code, with ``-dirty`` where it was changed.
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


def flatten(params: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join the names of nested dicts by dots."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def make_overlay(key: str, curve: Curve) -> list[Metric]:
    """Turn a curve into a step metric: precision at each percent of recall, which the UI overlays."""
    recall, precision = curve.recall[::-1], curve.precision[::-1]  # by falling threshold
    at = np.searchsorted(recall, np.arange(101) / 100).clip(max=len(recall) - 1)
    return [Metric(key, float(precision[place]), 0, step) for step, place in enumerate(at)]


def make_reliability(key: str, counts: np.ndarray) -> list[Metric]:
    """Turn a histogram into a step metric: share of landslides at each percent of probability."""
    found = reliability(counts, RELIABILITY_BINS)
    width = 100 // RELIABILITY_BINS
    return [
        Metric(key, float(share), 0, place * width + width // 2)
        for place, share in enumerate(found.observed)
        if found.pixels[place]
    ]


def make_scalars(values: Mapping[str, float]) -> list[Metric]:
    """Turn final scores into metrics without steps."""
    return [Metric(key, float(value), 0, 0) for key, value in values.items()]


def make_epoch_metrics(row: Row) -> list[Metric]:
    """Turn an epoch's row into metrics; its own time makes a second sending an exact duplicate."""
    values = {name: row[name] for name in EPOCH_METRICS}
    values |= {f"{SYSTEM}{name}": value for name, value in row["system"].items()}
    return [
        Metric(name, float(value), row["time_ms"], row["epoch"]) for name, value in values.items()
    ]


def pick_best(rows: Sequence[Row]) -> Row:
    """Return the epoch whose checkpoint was kept: the first of the highest val average precision."""
    return max(rows, key=lambda row: row["val_pr_auc"])  # the first one among equals


def make_best(rows: Sequence[Row]) -> list[Metric]:
    """Turn the best epoch into metrics of their own, since tables show the last epoch's."""
    best = pick_best(rows)
    values = {f"best/{name}": best[name] for name in EPOCH_SCORES}
    return make_scalars(values | {"best/epoch": best["epoch"], "epochs": len(rows)})


@dataclass(frozen=True)
class DataRecord:
    """The packed tiles, as MLflow lists them with every run that used them.

    Attributes:
        name: Name of the data set.
        digest: Hash of the pack.
        source: Where the tiles lie.
        schema: Channels, and how many acquisitions.
        profile: Tiles and landslide share of each part by split name.
    """

    name: str
    digest: str
    source: str
    schema: Mapping[str, Any]
    profile: Mapping[str, Any]

    def used_by(self, stage: str, split: str) -> DatasetInput:
        """Say what a trial of *stage* read: test is the repeat stage's alone."""
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


def write_curve(curve: Curve, area: float, synthetic: bool) -> str:
    """Write a curve as JSON, thinned to ``CURVE_POINTS`` thresholds."""
    keep = np.unique(np.linspace(0, len(curve.recall) - 1, CURVE_POINTS).round().astype(int))
    arrays = {name: np.round(values[keep], 6).tolist() for name, values in vars(curve).items()}
    return json.dumps({"average_precision": area, "synthetic": synthetic, **arrays})
