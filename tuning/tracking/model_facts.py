"""What a logged model says of itself: ``facts.json`` for programs, metadata and tags for people."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mlflow.models import Model

from data.tiles.regions import read_regions
from tuning.metrics.recalibration import Calibration, fit_calibration
from tuning.train.checkpoints import Checkpoint
from tuning.trial.folder import TrialFolder


def read_calibration(trial: TrialFolder) -> Calibration:
    """Fit the calibration of a trial's best checkpoint to its histogram of val; without one, nothing is changed."""
    counts = trial.counts("val")
    return Calibration() if counts is None else fit_calibration(counts)


def describe_input(
    checkpoint: Checkpoint, calibration: Calibration, expected: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the part of ``facts.json`` on the network: thresholds, calibration, expected scores and input.

    Args:
        checkpoint: The network.
        calibration: Inside its program.
        expected: Content of :func:`tuning.statistics.expected.measure_expected`, or None.
    """
    return {
        "threshold": float(calibration.apply(checkpoint.threshold)),
        "uncalibrated_threshold": checkpoint.threshold,
        "calibration": list(calibration.values),
        "expected": None if expected is None else dict(expected),
        "channels": list(checkpoint.norm.channels),
        "timesteps": checkpoint.config["timesteps"],
        "steps": checkpoint.config["steps"],
        "profile": asdict(checkpoint.profile) if checkpoint.profile else None,
    }


def describe_early(
    early: Mapping[str, Mapping[str, float]], calibration: Calibration
) -> dict[str, dict[str, float]]:
    """Return the part of ``facts.json`` on few acquisitions after the event: scores by their number, calibrated threshold.

    Args:
        early: From :func:`tuning.train.early.read_early_scores`.
        calibration: Inside the network's program.
    """
    return {
        after: {**scores, "threshold": float(calibration.apply(scores["threshold"]))}
        for after, scores in early.items()
    }


def describe_data(meta: Model) -> dict[str, Any]:
    """Return what ``facts.json`` says of the data: its kind, and the time of each known event by region."""
    regions, facts = read_regions().values(), meta.metadata or {}
    events = {region.name: str(region.event) for region in regions if region.event is not None}
    own = dict(word.split("=", 1) for word in str(facts.get("events", "")).split())
    text = " ".join(f"{region}={time}" for region, time in sorted((events | own).items()))
    return {"data": str(facts.get("data", "")), "events": text}


def describe(
    checkpoint: Checkpoint, calibration: Calibration, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the model's metadata: provenance, input, normalisation, config."""
    return {
        **facts,
        **describe_input(checkpoint, calibration, None),
        "epoch": checkpoint.epoch,
        "norm": checkpoint.norm.kind,
        "unit": "dB",
        "config": json.dumps(checkpoint.config, sort_keys=True),
    }
