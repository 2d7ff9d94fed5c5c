"""Results of a campaign, read from MLflow: each repeat run reduced to histograms and counts per tile.

What reads MLflow or needs torch is imported where it is used: results that are read already are ranked without either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from tuning.metrics.curve import average_precision, choose_threshold
from tuning.metrics.histogram import BINS, count_stored, reach
from tuning.metrics.recalibration import fit_calibration, recalibrate
from tuning.metrics.tile_sums import count_tile_confusions, reduce_counts
from tuning.objects.boundary import count_boundary
from tuning.objects.objects import count_objects
from tuning.report.sums.run_result import TILE_BINS, RunResult
from tuning.statistics.estimate import FIXED
from tuning.trial.folder import VAL_AP
from tuning.trial.foreign.names import foreign_title, is_foreign

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

    from tuning.objects.stratified import GroupRow
    from tuning.report.reference_layers import ReferenceLayers
    from tuning.report.sums.conditions import ConditionScorer

NETWORK, BASELINE = "network", "baseline"  # kinds over which the seeds' variance is pooled


@dataclass(frozen=True)
class ModelResult:
    """All repeat runs of one architecture or baseline, or foreign predictions of all seeds.

    Attributes:
        key: Registry key, such as ``unet``.
        runs: Every seed has a run of every fold.
        bins: Probability bin of each pixel, shape ``(N, H, W)``, uint16, by run id; only for the first seed's
            and the chosen run, whose pixels the report shows.
        conditions: Scores by slope, orbit geometry, land cover and landslide size of each seed's run of the first fold, in
            the order of the seeds; empty for a baseline.
    """

    key: str
    runs: tuple[RunResult, ...]
    bins: Mapping[str, np.ndarray]
    conditions: tuple[tuple[GroupRow, ...], ...] = ()

    @property
    def is_baseline(self) -> bool:
        """Whether it is no network of the campaign: a baseline, or foreign predictions."""
        return self.kind != NETWORK

    @cached_property
    def kind(self) -> str:
        """Over the models of one kind the seeds' variance is pooled: ``network``, ``baseline``, or ``FIXED`` for one set of maps."""
        from models import is_network
        from tuning.baselines.baselines import is_deterministic

        if self.is_foreign:  # seeds of two unknown methods have no variance in common
            return self.key if len(self.seeds) > 1 else FIXED
        if is_network(self.key):
            return NETWORK
        return FIXED if is_deterministic(self.key) else BASELINE

    @property
    def is_foreign(self) -> bool:
        """Whether another program made its probabilities."""
        return is_foreign(self.key)

    @cached_property
    def title(self) -> str:
        """Name in tables and file names; for networks as in the published study."""
        if self.is_foreign:
            return foreign_title(self.key)
        from models import paper_name
        from tuning.baselines.baselines import baseline_title

        return baseline_title(self.key) if self.is_baseline else paper_name(self.key)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, ascending."""
        return tuple(sorted({run.seed for run in self.runs}))

    @cached_property
    def by_seed(self) -> list[list[RunResult]]:
        """The runs of each seed, sorted by fold."""
        return [
            sorted((run for run in self.runs if run.seed == seed), key=lambda run: run.fold)
            for seed in self.seeds
        ]

    @property
    def tile_ids(self) -> tuple[str, ...]:
        """The test tiles, fold after fold."""
        return tuple(tile for run in self.by_seed[0] for tile in run.tile_ids)

    @property
    def val_pr_auc(self) -> np.ndarray:
        """Val average precision of each seed, mean over folds, shape ``(S,)``."""
        return np.array([np.mean([run.val_pr_auc for run in runs]) for runs in self.by_seed])

    @property
    def pr_auc(self) -> np.ndarray:
        """Test average precision of each seed, mean over folds, shape ``(S,)``."""
        return np.array(
            [np.mean([average_precision(r.counts) for r in runs]) for runs in self.by_seed]
        )

    @property
    def chosen(self) -> RunResult:
        """The run to register: the best on val among those of the first fold."""
        return max((runs[0] for runs in self.by_seed), key=lambda run: run.val_pr_auc)

    @property
    def chosen_seed(self) -> int:
        """Index of the chosen run's seed in *seeds*."""
        return self.seeds.index(self.chosen.seed)

    def stack(self, name: str) -> np.ndarray:
        """Stack ``tiles``, ``at_half`` or ``at_val`` of all runs, shape ``(S, N, D)``."""
        return np.stack([np.concatenate([getattr(r, name) for r in runs]) for runs in self.by_seed])

    def pooled(self, name: str = "counts") -> np.ndarray:
        """Add the histograms of each seed's folds, shape ``(S, 2, BINS)``: for pictures, never for scores."""
        return np.stack([sum(getattr(run, name) for run in runs) for runs in self.by_seed])


@dataclass(frozen=True)
class Results:
    """The models of a campaign, and the reference layers of their test tiles."""

    models: tuple[ModelResult, ...]
    layers: ReferenceLayers


def reduce_run(
    run: Run, bins: np.ndarray, ids: Sequence[str], val: np.ndarray | None, layers: ReferenceLayers
) -> RunResult:
    """Reduce a repeat run to histograms and counts per tile.

    Args:
        run: The MLflow run.
        bins: Probability bins of its test tiles, shape ``(N, H, W)``, uint16.
        ids: The N test tiles.
        val: Histogram of val at the best epoch, shape ``(2, BINS)``; None for foreign predictions without val.
        layers: Reference layers of the tiles.
    """
    rows, neighbours = layers.rows(ids), layers.find_neighbours(ids)
    mask, truth = layers.mask[rows], layers.truth[rows] if len(layers.truth) else None
    counts = np.zeros((2, BINS), np.int64)
    tiles = np.empty((len(ids), 2 * TILE_BINS), np.min_scalar_type(mask[0].size))
    for row, tile in enumerate(zip(bins, mask, strict=True)):
        counted = count_stored(*tile)
        counts += counted
        tiles[row] = reduce_counts(counted, TILE_BINS).ravel()
    threshold = run.data.metrics["test/threshold"] if val is None else choose_threshold(val)
    first = reach(float(threshold))
    found = bins >= first
    return RunResult(
        run=run,
        tile_ids=tuple(ids),
        counts=counts,
        calibrated=counts * 0 if val is None else recalibrate(counts, fit_calibration(val)),
        tiles=tiles,
        at_half=count_tile_confusions(bins, mask, reach(0.5)),
        at_val=count_tile_confusions(bins, mask, first),
        objects=count_objects(found, mask, neighbours, layers.mmu_m2),
        boundary=count_boundary(found, mask, neighbours),
        truth=np.zeros_like(counts) if truth is None else count_stored(bins, truth),
    )


def read_results(client: MlflowClient, campaign: Run, repeats: Sequence[Run]) -> Results | None:
    """Read a campaign's finished repeat runs; return None if there are none.

    Raises:
        ValueError: If a run's tags, metrics or files are not what a campaign logs.
    """
    from tuning.report.reference_layers import read_reference
    from tuning.report.sums.conditions import ConditionScorer
    from tuning.tracking.validate_runs import check_repeat

    by_model: dict[str, list[Run]] = {}
    for run in repeats:
        if is_finished_repeat(run):
            check_repeat(run)
            by_model.setdefault(run.data.tags["study"], []).append(run)
    folds = {run.data.tags["fold"] for runs in by_model.values() for run in runs}
    complete = {key: _drop_incomplete_seeds(runs, folds) for key, runs in by_model.items()}
    complete = {key: runs for key, runs in complete.items() if runs}
    if not complete:
        return None
    layers = read_reference(client, campaign)
    scorer = ConditionScorer(layers)
    models = (_read_model(client, key, runs, layers, scorer) for key, runs in complete.items())
    return Results(tuple(models), layers)


def _read_model(
    client: MlflowClient,
    key: str,
    runs: Sequence[Run],
    layers: ReferenceLayers,
    scorer: ConditionScorer,
) -> ModelResult:
    """Read and reduce a model's runs one by one, so that only one run's pixels are in memory."""
    from models import is_network
    from tuning.tracking.client import open_artifact
    from tuning.tracking.validate_runs import read_probs

    results, shown, bins_of = [], _pick_shown_runs(runs), {}
    first_fold, conditions = min(run.data.tags["fold"] for run in runs), {}
    for run in runs:
        with open_artifact(client, run, "trial/test_probs.npz") as file:
            ids, bins = read_probs(file, layers.tile_ids)
        results.append(reduce_run(run, bins, ids, _read_val(client, run), layers))
        if run.info.run_id in shown:
            bins_of[run.info.run_id] = bins
        one = results[-1]
        if is_network(key) and one.fold == first_fold:
            conditions[one.seed] = scorer.score(bins, one.tile_ids, one.threshold)
    by_seed = tuple(conditions[seed] for seed in sorted(conditions))
    return ModelResult(key, tuple(results), bins_of, by_seed)


def _read_val(client: MlflowClient, run: Run) -> np.ndarray | None:
    from tuning.tracking.client import open_artifact
    from tuning.tracking.validate_runs import read_counts

    if VAL_AP not in run.data.metrics:  # foreign predictions of test alone
        return None
    with open_artifact(client, run, "trial/val_counts.npy") as file:
        return read_counts(file)


def _pick_shown_runs(runs: Sequence[Run]) -> set[str]:
    """Return the ids of two runs of the first fold: the first seed's, and the best on val."""
    fold = min(run.data.tags["fold"] for run in runs)
    of_first = [run for run in runs if run.data.tags["fold"] == fold]
    first = sorted(of_first, key=lambda run: int(run.data.tags["seed"]))
    best = max(first, key=lambda run: float(run.data.metrics.get(VAL_AP, nan)))
    return {first[0].info.run_id, best.info.run_id}


def is_finished_repeat(run: Run) -> bool:
    """Return whether a repeat run finished and was measured on test."""
    return run.info.status == "FINISHED" and "test/pr_auc" in run.data.metrics


def _drop_incomplete_seeds(runs: Sequence[Run], folds: AbstractSet[str]) -> list[Run]:
    """Drop a model's seeds with a missing fold, because their scores would be of other tiles than those of the others."""
    pairs = {(run.data.tags["seed"], run.data.tags["fold"]) for run in runs}
    return [run for run in runs if {(run.data.tags["seed"], fold) for fold in folds} <= pairs]
