"""Models and runs as a bundle stores them, for the same code that ranks those of MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tuning.metrics.histogram import BINS
from tuning.metrics.recalibration import fit_calibration, recalibrate
from tuning.objects.object_scores import ObjectCounts
from tuning.report.results import NETWORK, ModelResult
from tuning.report.sums.run_result import RunResult

TRAINED, BASELINE, FOREIGN = "trained here", "baseline", "foreign"  # origins of a model
ORIGIN_TAG = "origin"  # of a repeat run; FOREIGN for maps that were made elsewhere


@dataclass(frozen=True)
class RunInfo:
    """The part of an MLflow run's info that tables read."""

    run_id: str


@dataclass(frozen=True)
class RunData:
    """Tags, params and metrics of an MLflow run."""

    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class StoredRun:
    """What a bundle keeps of an MLflow run; tables read it as they read the run itself."""

    info: RunInfo
    data: RunData


@dataclass(frozen=True)
class StoredModel(ModelResult):
    """A model whose name and kind are stored, so that no network or baseline of this installation needs to be known.

    Attributes:
        name: Its title.
        stored_kind: Its kind.
    """

    name: str = ""
    stored_kind: str = NETWORK

    @property
    def title(self) -> str:
        """Name in tables and file names."""
        return self.name

    @property
    def is_baseline(self) -> bool:
        """Whether it is no network of the campaign."""
        return self.stored_kind != NETWORK

    @property
    def folds(self) -> tuple[str, ...]:
        """Name of the fold of each of *tile_ids*."""
        return tuple(run.fold for run in self.by_seed[0] for _ in run.tile_ids)

    @property
    def kind(self) -> str:
        """As :attr:`tuning.report.results.ModelResult.kind`."""
        return self.stored_kind


def make_run(
    run: StoredRun, tile_ids: tuple[str, ...], arrays: Mapping[str, np.ndarray]
) -> RunResult:
    """Return a run's result; one without a histogram of val has no calibrated histogram.

    Args:
        run: The run.
        tile_ids: Its N test tiles.
        arrays: Those of :func:`tuning.bundle.run_arrays.decode_run`.
    """
    counts = arrays["counts"]
    val = arrays.get("val")
    nothing = np.zeros((2, BINS), np.int64)
    return RunResult(
        run=cast(Any, run),  # it has what tables read of an MLflow run
        tile_ids=tile_ids,
        counts=counts,
        calibrated=counts * 0 if val is None else recalibrate(counts, fit_calibration(val)),
        tiles=arrays["tiles"],
        at_half=arrays["at_half"],
        at_val=arrays["at_val"],
        objects=ObjectCounts.from_array(arrays["objects"]),
        boundary=arrays["boundary"],
        truth=arrays.get("truth", nothing),
    )


def find_origin(model: ModelResult) -> str:
    """Return whether a model was trained here, is a baseline, or has foreign maps."""
    if any(run.run.data.tags.get(ORIGIN_TAG) == FOREIGN for run in model.runs):
        return FOREIGN
    return BASELINE if model.is_baseline else TRAINED
