"""Intervals of the scores at one threshold, from the same blocks and seeds as those of average precision.

They are exploratory: average precision is the primary score, and these intervals are not adjusted for their number.
"""

from collections.abc import Mapping

import numpy as np

from tuning.metrics.tile_sums import Score
from tuning.objects.threshold_scores import THRESHOLD_SCORES
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.estimate import Estimate, Kinds, estimate_all

SumsByModel = Mapping[str, np.ndarray]  # (S, N, D) by name


def estimate_threshold_scores(
    sums: Mapping[str, SumsByModel],
    units: SamplingUnits,
    kinds: Kinds | None = None,
) -> dict[str, dict[str, Estimate]]:
    """Estimate every model by every score of ``THRESHOLD_SCORES``.

    Args:
        sums: Counts per tile by the layout that scores name (``at_val``, ``objects``, ``boundary``), then by model: ``(S, N, D)``,
            the same tiles in the same order.
        units: Blocks and folds of the tiles.
        kinds: Kind of each model, over which the variance of seeds is pooled.

    Returns:
        Estimates by score, then by model. A score that some fold does not define, such as false alarms without
        a tile free of landslides, is left out.

    Raises:
        ValueError: As :func:`tuning.statistics.estimate.estimate_all`.
    """
    estimates = {}
    for name, score in THRESHOLD_SCORES.items():
        models = sums[score.sums]
        if all(_is_defined(tiles, score.function, units) for tiles in models.values()):
            estimates[name] = estimate_all(models, score.function, units, kinds, score.limits)
    return estimates


def _is_defined(tiles: np.ndarray, score: Score, units: SamplingUnits) -> bool:
    """Return whether a score is defined for every seed on every fold."""
    folds = (tiles[:, units.folds == fold].sum(axis=1) for fold in np.unique(units.folds))
    return not any(np.isnan(score(total)).any() for total in folds)
