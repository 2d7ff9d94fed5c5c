"""What a trial's numbers become in MLflow: params, epoch metrics, overlay curves, curve files."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlflow.entities import Metric

from tuning.journal import Row
from tuning.metrics import Curve

CURVE_POINTS = 1001  # of a curve's JSON, evenly spaced over the thresholds
EPOCH_METRICS = ("loss", "pr_auc", "dice", "iou")


@dataclass(frozen=True)
class Context:
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


def make_scalars(values: dict[str, float]) -> list[Metric]:
    """Turn final scores into metrics without steps."""
    return [Metric(key, float(value), 0, 0) for key, value in values.items()]


def make_epoch_metrics(row: Row) -> list[Metric]:
    """Turn an epoch's row into metrics; its own time makes a second sending an exact duplicate."""
    names = [f"{part}_{name}" for part in ("train", "val") for name in EPOCH_METRICS]
    names += ["best_val_pr_auc", "lr", "seconds"]
    return [Metric(name, float(row[name]), row["time_ms"], row["epoch"]) for name in names]


def write_curve(curve: Curve, area: float, synthetic: bool) -> str:
    """Write a curve as JSON, thinned to ``CURVE_POINTS`` thresholds."""
    keep = np.unique(np.linspace(0, len(curve.recall) - 1, CURVE_POINTS).round().astype(int))
    arrays = {name: np.round(values[keep], 6).tolist() for name, values in vars(curve).items()}
    return json.dumps({"average_precision": area, "synthetic": synthetic, **arrays})
