"""Results of models on several folds, made from probabilities instead of trainings."""

import numpy as np
from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunStatus, RunTag

from tuning.metrics.histogram import BINS
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult, reduce_run
from tuning.report.sums.run_result import RunResult

TILES = 3  # of a fold
EDGE = 128


def make_layers(folds: int, seed: int = 1) -> ReferenceLayers:
    """Return reference layers of *folds* times ``TILES`` tiles, the last tile of each fold without landslides."""
    count, draw = folds * TILES, np.random.default_rng(seed)
    mask = (draw.random((count, EDGE, EDGE)) < 0.1).astype(np.uint8)
    mask[TILES - 1 :: TILES] = 0
    zeros = np.zeros((count, EDGE, EDGE))
    return ReferenceLayers(
        tile_ids=tuple(f"hokkaido_{number}" for number in range(count)),
        mask=mask,
        dem=zeros.astype(np.int16),
        change_db=zeros.astype(np.float16),
        cover=np.zeros((0, 0, 0), np.uint8),
        cover_names=(),
        corners=np.array([(1280.0 * number, 0.0) for number in range(count)]),
    )


def make_run(
    layers: ReferenceLayers, fold: int, seed: int, scale: float, val_pr_auc: float = 0.5
) -> RunResult:
    """Return a run on one fold, whose probabilities are those of another run times *scale*.

    The threshold chosen on val is 0.5 times *scale*, which the scale therefore does not move.
    """
    ids = layers.tile_ids[fold * TILES : (fold + 1) * TILES]
    draw = np.random.default_rng(100 * fold + seed)
    mask = layers.mask[layers.rows(ids)]
    probs = 0.35 + 0.3 * mask + draw.normal(0, 0.12, mask.shape)
    bins = np.clip(scale * probs * BINS, 0, BINS - 1).astype(np.uint16)
    val = np.zeros((2, BINS), np.int64)
    cut = int(0.5 * scale * BINS)
    val[0, :cut] = 1
    val[1, cut:] = 1
    tags = {"seed": str(seed), "fold": f"blocks:2/{fold + 1}", "study": "unet"}
    tags |= {"data": "synthetic", "split": "blocks:2", "split_hash": "a" * 12}
    metrics = {"best/val_pr_auc": val_pr_auc, "test/threshold": 0.5 * scale}
    metrics |= {"test/infer_seconds_total": 3.0}
    info = RunInfo(
        f"{seed}{fold}", "0", "me", RunStatus.to_string(RunStatus.FINISHED), 0, 1, "active"
    )
    data = RunData(
        [Metric(name, value, 0, 0) for name, value in metrics.items()],
        [Param("lr", "0.001")],
        [RunTag(name, text) for name, text in tags.items()],
    )
    return reduce_run(Run(info, data), bins, ids, val, layers)


def make_model(
    layers: ReferenceLayers, scales: dict[int, float], seeds: tuple[int, ...]
) -> ModelResult:
    """Return a model with a run of every seed and fold; *scales* has each fold's scale of probability."""
    runs = [
        make_run(layers, fold, seed, scale, 0.5 + 0.1 * number)
        for number, seed in enumerate(seeds)
        for fold, scale in scales.items()
    ]
    return ModelResult("unet", tuple(runs), {})
