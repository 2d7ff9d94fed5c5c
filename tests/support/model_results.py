"""Results of a model with known maps, without MLflow and without training."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from data.tiles import TILE_PX
from tuning.metrics.histogram import BINS, reach
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult, reduce_run
from tuning.report.sums.run_result import RunResult


def make_layers(mask: np.ndarray, **changes: Any) -> ReferenceLayers:
    """Return the reference layers of N flat tiles from their mask ``(N, H, W)``, uint8."""
    values: dict[str, Any] = {
        "tile_ids": tuple(f"hokkaido_{number}" for number in range(1, len(mask) + 1)),
        "mask": mask,
        "dem": np.zeros(mask.shape, np.int16),
        "change_db": np.zeros(mask.shape, np.float16),
        "cover": np.zeros((0, 0, 0), np.uint8),
        "cover_names": (),
        "corners": np.full((len(mask), 2), np.nan),
    }
    return ReferenceLayers(**(values | changes))


def make_run(
    found: np.ndarray, layers: ReferenceLayers, seed: int, fold: str = "blocks"
) -> RunResult:
    """Reduce a run that gives its probability 0.9 to the pixels *found* ``(N, H, W)``, 0.1 to others."""
    tags = {"seed": str(seed), "fold": fold, "study": "unet"}
    metrics = {"test/threshold": 0.5, "best/val_pr_auc": 0.5}
    run: Any = SimpleNamespace(
        info=SimpleNamespace(run_id=f"{seed}-{fold}"),
        data=SimpleNamespace(tags=tags, metrics=metrics),
    )
    bins = np.where(found, reach(0.9), reach(0.1)).astype(np.uint16)
    val = np.zeros((2, BINS), np.int64)
    val[1, reach(0.5)], val[0, 0] = 10, 10  # the best threshold is 0.5
    return reduce_run(run, bins, layers.tile_ids, val, layers)


def make_model(runs: Sequence[RunResult], key: str = "unet") -> ModelResult:
    """Return the result of a model."""
    return ModelResult(key, tuple(runs), {})


def draw_landslides(rng: np.random.Generator, tiles: int = 3) -> np.ndarray:
    """Draw a mask of squares, ``(tiles, H, W)``, uint8; the last tile has none."""
    mask = np.zeros((tiles, TILE_PX, TILE_PX), np.uint8)
    for tile in mask[:-1]:
        for row, column in rng.integers(8, 112, (4, 2)):
            tile[row : row + 7, column : column + 7] = 1
    return mask
