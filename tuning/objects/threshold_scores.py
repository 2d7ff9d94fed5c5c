"""Scores of a map at one threshold, as functions of sums over tiles: of pixels, of objects and of outlines.

Each is computed from counts that add over tiles, so that tiles can be weighed, resampled and pooled. Beside average
precision, the primary score, these are exploratory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tuning.metrics.tile_sums import Score, pooled_f1, pooled_iou
from tuning.objects.boundary import rate_boundary
from tuning.objects.object_scores import ObjectCounts, rate_all_sizes


@dataclass(frozen=True)
class ThresholdScore:
    """A score at the threshold chosen on val.

    Attributes:
        label: Heading in the report.
        sums: The counts per tile that it needs: ``at_val`` (tp, fp, fn, tn), ``objects`` or ``boundary``.
        function: From their sums ``(..., D)`` to ``(...)``; NaN only where the reference has nothing to score.
        limits: Its range.
    """

    label: str
    sums: str
    function: Score
    limits: tuple[float, float] = (0.0, 1.0)


def _pick(rate: Callable[[np.ndarray], dict[str, np.ndarray]], name: str) -> Score:
    return partial(_rate, rate, name)


def _rate(
    rate: Callable[[np.ndarray], dict[str, np.ndarray]], name: str, total: np.ndarray
) -> np.ndarray:
    return rate(total)[name]


def _rate_objects(total: np.ndarray) -> dict[str, np.ndarray]:
    return rate_all_sizes(ObjectCounts.from_array(total))


# Scores of connected components and of their outlines, with their headings.
_OBJECTS = {
    "object_f1": "F1, one to one",
    "object_recall": "recall, one to one",
    "object_precision": "precision, one to one",
    "object_recall_any": "recall, any overlap",
    "object_precision_any": "precision, any overlap",
    "boundary_f": "boundary F, 20 m",
    "alarms_per_km2": "false alarms per km² on tiles without landslides",
    "area_bias": "area bias",
}
_LIMITS = {"alarms_per_km2": (0.0, np.inf), "area_bias": (-1.0, np.inf)}

THRESHOLD_SCORES = {
    "f1_dice": ThresholdScore("F1", "at_val", pooled_f1),
    "iou": ThresholdScore("IoU", "at_val", pooled_iou),
    **{
        name: ThresholdScore(
            label, "objects", _pick(_rate_objects, name), _LIMITS.get(name, (0.0, 1.0))
        )
        for name, label in _OBJECTS.items()
        if name != "boundary_f"
    },
    "boundary_f": ThresholdScore(
        _OBJECTS["boundary_f"], "boundary", _pick(rate_boundary, "boundary_f")
    ),
}
