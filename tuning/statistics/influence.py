"""Scores of models per seed, and the influence of every tile on them.

The influence of a tile is the derivative of a score with respect to the tile's weight (Jaeckel's infinitesimal jackknife).
Influences add to 0 within a fold, and the sum over a spatial block says how far the score would move if the block counted
more. They take one pass over the tiles, where resampling takes thousands.

Reference:
    Jaeckel (1972), The infinitesimal jackknife, Bell Laboratories MM 72-1215-11. Efron & Tibshirani (1993), An
    Introduction to the Bootstrap, Chapman & Hall, section 21.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tuning.metrics.tile_sums import Score, check_models
from tuning.statistics.blocks import SamplingUnits

STEP = 1e-4  # of a tile's weight, in the difference quotient
CHUNK = (
    1 << 15
)  # numbers per seed at a time: a tile's histogram has thousands, its objects a few dozen


@dataclass(frozen=True)
class ModelScores:
    """One model's scores on the same tiles as the other models'.

    Attributes:
        pooled: Score of each seed: the mean over folds of the score of a fold's tiles together, shape ``(S,)``.
        influences: Influence of each tile on the mean over seeds, shape ``(N,)``.
    """

    pooled: np.ndarray
    influences: np.ndarray

    @property
    def mean(self) -> float:
        """Mean score over seeds."""
        return float(self.pooled.mean())


def measure_scores(
    models: Mapping[str, np.ndarray], score: Score, units: SamplingUnits
) -> dict[str, ModelScores]:
    """Score every seed of every model, and measure the tiles' influences.

    Args:
        models: Name to ``sums (S, N, D)``, the same tiles in the same order.
        score: From ``total (..., D)`` to ``(...)``.
        units: Folds of the tiles.

    Raises:
        ValueError: If an array is not as described, or a score is not defined in some fold.
    """
    check_models(models, score, len(units.folds))
    return {name: _measure(name, sums, score, units) for name, sums in models.items()}


def _measure(name: str, sums: np.ndarray, score: Score, units: SamplingUnits) -> ModelScores:
    folds = int(units.folds.max()) + 1
    pooled, influences = np.zeros(len(sums)), np.zeros(sums.shape[1])
    for fold in range(folds):
        rows = np.flatnonzero(units.folds == fold)
        total = sums[:, rows].sum(axis=1, dtype=np.float64)
        value = score(total)
        if np.isnan(value).any():
            raise ValueError(
                f"A score must be defined over all tiles of a fold together, but got {value.tolist()} for {name!r}. "
                "Measure tiles with landslides."
            )
        pooled += value / folds
        influences[rows] = differentiate(sums[:, rows], score).mean(axis=0) / folds
    return ModelScores(pooled, influences)


def differentiate(sums: np.ndarray, score: Score) -> np.ndarray:
    """Return the influence of each tile on the score of all together.

    Args:
        sums: Shape ``(S, N, D)``: S seeds, or S maps of the same N tiles.
        score: From ``total (..., D)`` to ``(...)``, defined for the total.

    Returns:
        Shape ``(S, N)``.
    """
    total = sums.sum(axis=1, dtype=np.float64)
    value, chunks = score(total), max(1, sums[0].size // CHUNK)
    moved = [
        score(total + STEP * some.swapaxes(0, 1)) for some in np.array_split(sums, chunks, axis=1)
    ]
    return (np.concatenate(moved).T - value[:, None]) / STEP
