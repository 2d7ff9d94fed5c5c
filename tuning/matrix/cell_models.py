"""A model in one cell of a matrix, reduced to what statistics need: scores by seed, influences of tiles, cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from mlflow.entities import Run

from tuning.metrics.curve import average_precision
from tuning.metrics.tile_sums import Score, pooled_ap, pooled_f1, pooled_iou
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.estimate import FIXED
from tuning.statistics.influence import ModelScores, measure_scores

Tiles = tuple[tuple[str, str, int], ...]  # id, fold and landslide pixels of each test tile


@dataclass(frozen=True)
class Cost:
    """Hours of trainings, each counted once by its key.

    Attributes:
        cpu_hours: Core hours by the trial's key.
        gpu_hours: GPU hours by the trial's key.
    """

    cpu_hours: Mapping[str, float]
    gpu_hours: Mapping[str, float]

    @property
    def trainings(self) -> int:
        """Number of trainings."""
        return len(self.cpu_hours)

    @property
    def hours(self) -> tuple[float, float]:
        """Core hours and GPU hours of all."""
        return sum(self.cpu_hours.values()), sum(self.gpu_hours.values())

    def __add__(self, other: "Cost") -> "Cost":
        """Return the cost of both; what they share counts once."""
        return Cost({**self.cpu_hours, **other.cpu_hours}, {**self.gpu_hours, **other.gpu_hours})


NO_COST = Cost({}, {})


@dataclass(frozen=True)
class CellModel:
    """A model's repeats in one cell.

    Attributes:
        key: Registry key of the architecture or baseline.
        title: Its name in tables.
        kind: Over the models of one kind, the variance of seeds is pooled: the architecture's key, or ``FIXED``.
        is_baseline: Whether it is a baseline.
        seeds: The seeds, ascending.
        scores: Average precision by seed, and the influences of the N test tiles.
        pr_auc: The same by seed and fold, from whole histograms, shape ``(S, F)``.
        f1, iou: By seed at the threshold chosen on val, mean over folds, shape ``(S,)``.
        val_pr_auc: Average precision on val, mean over seeds and folds.
        cost: Of its repeats.
        run_ids: Of the repeat runs in MLflow.
    """

    key: str
    title: str
    kind: str
    is_baseline: bool
    seeds: tuple[int, ...]
    scores: ModelScores
    pr_auc: np.ndarray
    f1: np.ndarray
    iou: np.ndarray
    val_pr_auc: float
    cost: Cost
    run_ids: tuple[str, ...]

    @property
    def mean(self) -> float:
        """Mean average precision over seeds and folds."""
        return float(self.pr_auc.mean())

    @property
    def std(self) -> float:
        """Standard deviation over seeds; NaN for one seed."""
        seeds = self.pr_auc.mean(axis=1)
        return float(seeds.std(ddof=1)) if len(seeds) > 1 else float("nan")


def reduce_model(model: ModelResult, units: SamplingUnits) -> CellModel:
    """Reduce a model's results; its histograms are not kept.

    Args:
        model: The model.
        units: Blocks and folds of its test tiles.

    Raises:
        ValueError: If a fold has no test tile with landslides.
    """
    sums = {model.title: model.stack("tiles")}
    return CellModel(
        model.key,
        model.title,
        FIXED if model.kind == FIXED and len(model.seeds) == 1 else model.key,
        model.is_baseline,
        model.seeds,
        measure_scores(sums, pooled_ap, units)[model.title],
        np.array([[average_precision(run.counts) for run in runs] for runs in model.by_seed]),
        _score(model, pooled_f1),
        _score(model, pooled_iou),
        float(model.val_pr_auc.mean()),
        sum_cost([run.run for run in model.runs]),
        tuple(run.run.info.run_id for run in model.runs),
    )


def _score(model: ModelResult, score: Score) -> np.ndarray:
    return np.array(
        [np.mean([score(run.at_val.sum(axis=0)) for run in runs]) for runs in model.by_seed]
    )


def list_tiles(model: ModelResult, layers: ReferenceLayers) -> Tiles:
    """Return what makes two cells comparable tile by tile: ids, folds and landslide pixels of the test tiles."""
    rows = layers.rows(model.tile_ids)
    pixels = layers.mask[rows].sum(axis=(1, 2), dtype=np.int64).tolist()
    folds = [run.fold for run in model.by_seed[0] for _ in run.tile_ids]
    order = sorted(set(folds))  # names of folds differ between cells, such as those of two shares
    numbers = [str(order.index(fold)) for fold in folds]
    return tuple(zip(model.tile_ids, numbers, pixels, strict=True))


def sum_cost(runs: Sequence[Run]) -> Cost:
    """Return the cost of runs by their trials' keys; a run without a valid cost counts as 0 hours."""
    by_key = {run.data.tags.get("key", run.info.run_id): run.data.metrics for run in runs}
    return Cost(*({key: _hours(m, name) for key, m in by_key.items()} for name in ("cpu", "gpu")))


def _hours(metrics: Mapping[str, float], device: str) -> float:
    value = float(metrics.get(f"cost/{device}_hours", 0.0))
    return value if isfinite(value) and value > 0 else 0.0
