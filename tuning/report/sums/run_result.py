"""One repeat run on its test tiles, as histograms and counts."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from tuning.objects.object_scores import ObjectCounts
from tuning.trial.folder import VAL_AP

if TYPE_CHECKING:
    from mlflow.entities import Run

TILE_BINS = 4096  # of a tile's histogram, for the bootstrap; pooled scores use all BINS


@dataclass(frozen=True)
class RunResult:
    """One repeat run on its test tiles.

    Attributes:
        run: The MLflow run.
        tile_ids: The N test tiles, sorted.
        counts: Histogram of all test pixels, shape ``(2, BINS)``.
        calibrated: The same after the calibration that is fitted to val, as in maps; zeros without val.
        tiles: Histogram of each tile, shape ``(N, 2 * TILE_BINS)``, in the smallest sufficient integer type.
        at_half: tp, fp, fn, tn of each tile at 0.5, shape ``(N, 4)``.
        at_val: The same at the threshold chosen on val; foreign predictions without val have a given one.
        objects, boundary: Connected components, and boundary pixels ``(N, 4)``, of each tile at that threshold.
        truth: Histogram of all test pixels against the true ground, shape ``(2, BINS)``; zeros if it is not known.
    """

    run: Run
    tile_ids: tuple[str, ...]
    counts: np.ndarray
    calibrated: np.ndarray
    tiles: np.ndarray
    at_half: np.ndarray
    at_val: np.ndarray
    objects: ObjectCounts
    boundary: np.ndarray
    truth: np.ndarray

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.run.data.tags["seed"])

    @property
    def fold(self) -> str:
        """Name of the run's split."""
        return str(self.run.data.tags["fold"])

    def metric(self, name: str) -> float:
        """Return a metric that the run logged; NaN if it did not."""
        return float(self.run.data.metrics.get(name, nan))

    @property
    def threshold(self) -> float:
        """Threshold chosen on val, or given with foreign predictions."""
        return float(self.run.data.metrics["test/threshold"])

    @property
    def val_pr_auc(self) -> float:
        """Val average precision at the best epoch; NaN without val."""
        return self.metric(VAL_AP)
