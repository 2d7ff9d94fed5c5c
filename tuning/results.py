"""What a campaign measured, read back from MLflow: every repeat run reduced to numbers that add over tiles."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from models import list_models, paper_name
from tuning.baselines import baseline_title
from tuning.ground import GROUND, Ground, load_ground
from tuning.metrics import choose_threshold, count_stored, reach
from tuning.objects import ObjectCounts, count_objects
from tuning.stats import reduce_counts
from tuning.store import find_runs

TILE_BINS = 4096  # of a tile's histogram, for resampling; pooled scores use all BINS


@dataclass(frozen=True)
class RunResult:
    """One repeat run on its test tiles.

    Attributes:
        run: The MLflow run.
        bins: Probability bin of every pixel, shape ``(N, H, W)``, uint16.
        tile_ids: The N test tiles, sorted.
        counts: Histogram of all test pixels, shape ``(2, BINS)``.
        val_counts: Histogram of val at the chosen epoch, shape ``(2, BINS)``.
        tiles: Histogram of each tile, shape ``(N, 2 * TILE_BINS)``.
        at_half: tp, fp, fn, tn of each tile at 0.5, shape ``(N, 4)``.
        at_val: The same at the threshold that val chose.
        objects: Landslides found and missed at that threshold, per tile.
    """

    run: Run
    bins: np.ndarray
    tile_ids: tuple[str, ...]
    counts: np.ndarray
    val_counts: np.ndarray
    tiles: np.ndarray
    at_half: np.ndarray
    at_val: np.ndarray
    objects: ObjectCounts

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.run.data.tags["seed"])

    @property
    def fold(self) -> str:
        """The split that the run was trained and measured on."""
        return str(self.run.data.tags["fold"])

    @property
    def threshold(self) -> float:
        """The threshold that val chose."""
        return float(self.run.data.metrics["test/threshold"])

    @property
    def val_pr_auc(self) -> float:
        """Val average precision at the chosen epoch."""
        return float(self.run.data.metrics["best/val_pr_auc"])


@dataclass(frozen=True)
class ModelResult:
    """All repeat runs of one architecture or baseline.

    Attributes:
        key: Registry key, such as ``unet``.
        runs: By seed, then fold; every seed has all folds.
    """

    key: str
    runs: tuple[RunResult, ...]

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline."""
        return self.key not in list_models()

    @property
    def title(self) -> str:
        """Name in tables and file names, the published study's for its networks."""
        return baseline_title(self.key) if self.is_baseline else paper_name(self.key)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, ascending."""
        return tuple(sorted({run.seed for run in self.runs}))

    @cached_property
    def by_seed(self) -> list[list[RunResult]]:
        """The runs of each seed, by fold."""
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
    def chosen(self) -> RunResult:
        """The run that is registered: the best on val, of the first fold."""
        return max((runs[0] for runs in self.by_seed), key=lambda run: run.val_pr_auc)

    @property
    def chosen_seed(self) -> int:
        """Place of the chosen run's seed among the seeds."""
        return self.seeds.index(self.chosen.seed)

    def stack(self, name: str) -> np.ndarray:
        """Stack ``tiles``, ``at_half`` or ``at_val`` of all runs, shape ``(S, N, D)``."""
        return np.stack([np.concatenate([getattr(r, name) for r in runs]) for runs in self.by_seed])

    def pooled(self, name: str = "counts") -> np.ndarray:
        """Add the histograms of each seed's folds, shape ``(S, 2, BINS)``."""
        return np.stack([sum(getattr(run, name) for run in runs) for runs in self.by_seed])


@dataclass(frozen=True)
class Results:
    """The models of a campaign, and what lies under their test tiles."""

    models: tuple[ModelResult, ...]
    ground: Ground


def confuse_tiles(bins: np.ndarray, mask: np.ndarray, first: int) -> np.ndarray:
    """Count tp, fp, fn, tn of each tile, where bins from *first* on count as landslide.

    Args:
        bins: Probability bins, shape ``(N, H, W)``.
        mask: 1 = landslide, shape ``(N, H, W)``.
        first: The first bin that counts as landslide.

    Returns:
        Shape ``(N, 4)``, int64.
    """
    found, label = bins >= first, mask > 0
    parts = (found & label, found & ~label, ~found & label, ~found & ~label)
    return np.stack([part.sum(axis=(1, 2)) for part in parts], axis=1).astype(np.int64)


def reduce_run(run: Run, files: Path, ground: Ground) -> RunResult:
    """Reduce a repeat run's files to what a report needs."""
    with np.load(files / "test_probs.npz", allow_pickle=False) as arrays:
        ids, bins = tuple(map(str, arrays["tile_ids"])), arrays["bins"]
    mask = ground.mask[ground.rows(ids)]
    counts = np.stack([count_stored(*tile) for tile in zip(bins, mask, strict=True)])
    val = np.load(files / "val_counts.npy", allow_pickle=False)
    first = reach(choose_threshold(val))
    return RunResult(
        run=run,
        bins=bins,
        tile_ids=ids,
        counts=counts.sum(axis=0),
        val_counts=val,
        tiles=reduce_counts(counts, TILE_BINS).reshape(len(ids), -1),
        at_half=confuse_tiles(bins, mask, reach(0.5)),
        at_val=confuse_tiles(bins, mask, first),
        objects=count_objects(bins >= first, mask),
    )


def read_results(client: MlflowClient, experiment_id: str, campaign: Run) -> Results | None:
    """Read the finished repeat runs of a campaign; None where there are none."""
    name = campaign.data.tags["campaign"]
    every = find_runs(client, experiment_id, campaign=name, kind="trial", stage="repeat")
    runs = [run for run in every if is_measured(run)]
    if not runs:
        return None
    by_model: dict[str, list[RunResult]] = {}
    with tempfile.TemporaryDirectory() as to:
        ground = load_ground(Path(client.download_artifacts(campaign.info.run_id, GROUND, to)))
        for run in runs:
            at = Path(to) / run.info.run_id
            at.mkdir()
            files = Path(client.download_artifacts(run.info.run_id, "trial", str(at)))
            by_model.setdefault(run.data.tags["study"], []).append(reduce_run(run, files, ground))
            shutil.rmtree(at)
    models = (ModelResult(key, tuple(_complete(some))) for key, some in by_model.items())
    return Results(tuple(model for model in models if model.runs), ground)


def is_measured(run: Run) -> bool:
    """Tell whether a repeat run came to its end and was measured on test."""
    return run.info.status == "FINISHED" and "test/pr_auc" in run.data.metrics


def _complete(runs: Sequence[RunResult]) -> list[RunResult]:
    """Leave out the seeds that lack a fold: their pooled scores would be of other tiles."""
    folds = {run.fold for run in runs}
    of_seed: Mapping[int, set[str]] = {
        seed: {run.fold for run in runs if run.seed == seed} for seed in {run.seed for run in runs}
    }
    return [run for run in runs if of_seed[run.seed] == folds]
