"""The registry of pixel metrics: every score that the benchmark computes from pixels pooled over tiles.

To add a metric, write one function and add one entry to ``METRICS``. Training logs it to MLflow as ``test/<name>``, the
report's tables have it as a column, with mean and standard deviation over seeds, and the report page shows it.

Pixels are pooled over tiles, as the published study does: a score follows from the sum of the tiles' histograms
(:mod:`tuning.metrics.histogram`) or from the pixel counts at one threshold.

A map that finds nothing scores 0, never NaN: a mean that skips it would flatter its model. NaN is left for a reference
that has nothing to score.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from tuning.metrics.calibration import brier, calibration_error
from tuning.metrics.curve import average_precision, roc_auc
from tuning.metrics.histogram import check_counts, reach


@dataclass(frozen=True)
class Confusion:
    """Pixels by label and decision at one threshold."""

    tp: int
    fp: int
    fn: int
    tn: int


def confuse(counts: np.ndarray, threshold: float) -> Confusion:
    """Split the pixels at a threshold; a probability equal to it counts as landslide.

    Args:
        counts: Histogram of :func:`tuning.metrics.histogram.count_bins`, shape ``(2, BINS)``.
        threshold: In [0, 1]; rounded up to an edge of a bin.

    Raises:
        ValueError: If the histogram has another shape or the threshold is outside [0, 1].
    """
    check_counts(counts)
    first = reach(threshold)
    above, below = counts[:, first:].sum(axis=1), counts[:, :first].sum(axis=1)
    return Confusion(tp=int(above[1]), fp=int(above[0]), fn=int(below[1]), tn=int(below[0]))


def _divide(part: int, whole: float) -> float:
    return part / whole if whole else nan


def is_blind(pixels: Confusion) -> bool:
    """Return whether nothing is found where there are landslides."""
    return not (pixels.tp or pixels.fp) and pixels.fn > 0


def precision(pixels: Confusion) -> float:
    """Tp / (tp + fp); 0 if nothing is found, NaN if there is nothing to find either."""
    if is_blind(pixels):
        return 0.0
    return _divide(pixels.tp, pixels.tp + pixels.fp)


def recall(pixels: Confusion) -> float:
    """Tp / (tp + fn)."""
    return _divide(pixels.tp, pixels.tp + pixels.fn)


def f1_dice(pixels: Confusion) -> float:
    """2 tp / (2 tp + fp + fn)."""
    return _divide(2 * pixels.tp, 2 * pixels.tp + pixels.fp + pixels.fn)


def iou(pixels: Confusion) -> float:
    """Tp / (tp + fp + fn)."""
    return _divide(pixels.tp, pixels.tp + pixels.fp + pixels.fn)


def accuracy(pixels: Confusion) -> float:
    """(tp + tn) / all pixels."""
    return _divide(pixels.tp + pixels.tn, pixels.tp + pixels.fp + pixels.fn + pixels.tn)


def mcc(pixels: Confusion) -> float:
    """Matthews correlation, (tp tn - fp fn) / sqrt((tp + fp) (tp + fn) (tn + fp) (tn + fn)).

    The correlation of label and decision, 0 for chance and where all pixels have one decision. NaN if all have one label,
    where scikit-learn returns 0.
    """
    tp, fp, fn, tn = pixels.tp, pixels.fp, pixels.fn, pixels.tn
    labels_vary, decision_varies = (tp + fn) * (tn + fp) > 0, (tp + fp) * (tn + fn) > 0
    if labels_vary and not decision_varies:
        return 0.0
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)  # Python's integers do not overflow
    return _divide(tp * tn - fp * fn, sqrt(product))


@dataclass(frozen=True)
class PixelMetric:
    """A score of pixels pooled over tiles; NaN only where the reference has nothing to score.

    Attributes:
        label: Heading in the report.
        function: Takes the :class:`Confusion` at one threshold if *at_threshold*, else the histogram ``(2, BINS)``.
        at_threshold: Whether the score depends on a threshold.
        low, high: Its range.
        best: Its value for a perfect map, one end of the range.
    """

    label: str
    function: Callable[..., float]
    at_threshold: bool
    low: float = 0.0
    high: float = 1.0
    best: float = 1.0


# By name: the column of the tables, and the metric ``test/<name>`` in MLflow.
METRICS = {
    "pr_auc": PixelMetric("AP", average_precision, at_threshold=False),
    "roc_auc": PixelMetric("ROC AUC", roc_auc, at_threshold=False),
    "precision": PixelMetric("precision", precision, at_threshold=True),
    "recall": PixelMetric("recall", recall, at_threshold=True),
    "f1_dice": PixelMetric("F1", f1_dice, at_threshold=True),
    "iou": PixelMetric("IoU", iou, at_threshold=True),
    "accuracy": PixelMetric("accuracy", accuracy, at_threshold=True),
    "mcc": PixelMetric("MCC", mcc, at_threshold=True, low=-1.0),
    "brier": PixelMetric("Brier score", brier, at_threshold=False, best=0.0),
    "ece": PixelMetric("calibration error", calibration_error, at_threshold=False, best=0.0),
}


def score_confusion(pixels: Confusion) -> dict[str, float]:
    """Compute every metric of ``METRICS`` that depends on a threshold, by name."""
    return {
        name: metric.function(pixels) for name, metric in METRICS.items() if metric.at_threshold
    }


def score_at(counts: np.ndarray, threshold: float) -> dict[str, float]:
    """Compute every metric that depends on a threshold from a histogram ``(2, BINS)``, by name."""
    return score_confusion(confuse(counts, threshold))


def score_all(counts: np.ndarray, pixels: Confusion) -> dict[str, float]:
    """Compute every metric of ``METRICS``, by name.

    Args:
        counts: Histogram of all pixels, shape ``(2, BINS)``.
        pixels: The same pixels at one threshold.
    """
    return {
        name: metric.function(pixels if metric.at_threshold else counts)
        for name, metric in METRICS.items()
    }
