"""Precision, recall and false alarms over all thresholds, from one histogram of probability by class.

All functions take the histogram ``(2, BINS)`` of :func:`tuning.metrics.histogram.count_bins`: background and landslide
pixels by ascending probability, pooled over tiles.
"""

from dataclasses import dataclass
from math import nan

import numpy as np
from scipy.special import digamma

from tuning.metrics.histogram import check_counts, edges


@dataclass(frozen=True)
class Curve:
    """Precision and recall by ascending threshold, each of shape ``(K,)``."""

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


def _reached(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the bins that hold a pixel, and how many pixels of either class reach each, float64."""
    check_counts(counts)
    some = np.flatnonzero(counts.any(axis=0))
    negatives, positives = np.cumsum(counts[:, some[::-1]], axis=1)[:, ::-1].astype(np.float64)
    return some, negatives, positives


def trace_curve(counts: np.ndarray) -> Curve:
    """Trace precision over recall at every edge whose bin holds a pixel."""
    some, negatives, positives = _reached(counts)
    return Curve(
        thresholds=edges()[some],
        precision=positives / (negatives + positives),
        recall=positives / max(float(counts[1].sum()), 1.0),
    )


def average_precision(counts: np.ndarray) -> float:
    """Area under precision over recall as a sum of steps: sum of (R_n - R_n-1) P_n.

    The definition of scikit-learn's ``average_precision_score``, on pixels pooled over tiles, whose
    probabilities count as the lower edge of their bin. In [0, 1]; the landslides' share for a constant
    map; NaN when the histogram has no landslide pixel.

    The bins hardly matter: :func:`bound_average_precision` limits the difference to scikit-learn on the
    probabilities themselves. Measured on a million pixels it is 1.1e-4 at most for logits that spread by
    2 or more, 1e-5 for a log-ratio scaled to [0, 1], and 3e-3 at worst, for a map whose logits all lie
    within 0.4 of -14. A handful of pixels that share a bin may be off by more.
    """
    if not counts[1].sum():
        return nan
    curve = trace_curve(counts)
    steps = curve.recall - np.append(curve.recall[1:], 0.0)
    return float((steps * curve.precision).sum())


def bound_average_precision(counts: np.ndarray) -> tuple[float, float]:
    """Bound the average precision of the probabilities before they were put into bins.

    Inside a bin the order of pixels is unknown. The lower bound puts each bin's background before its
    landslides and those apart, the upper one all its landslides together before its background: no order,
    with any ties, gives less or more. Both are NaN when the histogram has no landslide pixel.
    """
    total = float(counts[1].sum())
    if not total:
        return nan, nan
    some, negatives, positives = _reached(counts)
    background, landslides = counts[:, some].astype(np.float64)
    start = positives - landslides
    # sum over i = 1 ... n of (start + i) / (start + i + negatives), by the digamma function
    harmonic = digamma(positives + negatives + 1) - digamma(start + negatives + 1)
    low = landslides - negatives * harmonic
    high = landslides * positives / np.maximum(positives + negatives - background, 1.0)
    return float(low.sum()) / total, float(high.sum()) / total


def roc_auc(counts: np.ndarray) -> float:
    """Area under the receiver operating characteristic: recall over the false alarm rate.

    The chance that a landslide pixel, drawn from all tiles, has a higher probability than a background
    pixel; a tie (the same bin) counts half. In [0, 1], 0.5 for a constant map; NaN without pixels of
    either class.
    """
    check_counts(counts)
    background, landslides = counts.astype(np.float64)
    pairs = float(background.sum() * landslides.sum())
    lower = np.cumsum(background) - background / 2
    return float(landslides @ lower) / pairs if pairs else nan


def _best(counts: np.ndarray) -> tuple[float, float]:
    """Return the highest F1 and the lowest threshold that has it."""
    some, negatives, positives = _reached(counts)
    f1 = 2 * positives / (positives + negatives + counts[1].sum())
    at = int(f1.argmax())
    return float(f1[at]), float(edges()[some[at]])


def choose_threshold(counts: np.ndarray) -> float:
    """Choose the threshold of the highest F1; the lowest one among equals, 0.5 without landslides."""
    return _best(counts)[1] if counts[1].sum() else 0.5


def choose_cautious_threshold(counts: np.ndarray, most_false: int) -> float:
    """Choose the threshold of the highest F1 among those with at most so many false pixels; 1 if there is none.

    Args:
        counts: Histogram ``(2, BINS)``.
        most_false: Most background pixels that may reach the threshold.
    """
    some, negatives, positives = _reached(counts)
    allowed = negatives <= most_false
    if not allowed.any():
        return 1.0
    f1 = 2 * positives / np.maximum(positives + negatives + counts[1].sum(), 1)
    at = int(np.where(allowed, f1, -1.0).argmax())
    return float(edges()[some[at]])


def f1_oracle(counts: np.ndarray) -> float:
    """F1 at the best threshold of this histogram: the score that a choice on test would claim.

    Never below the F1 at a threshold from elsewhere; the difference is what that threshold loses. Of
    pixels pooled over tiles, in [0, 1]; NaN when the histogram has no landslide pixel.
    """
    return _best(counts)[0] if counts[1].sum() else nan


def is_constant(counts: np.ndarray) -> bool:
    """Return whether all pixels have the same probability, to within a bin."""
    filled = np.flatnonzero(counts.sum(axis=0))
    return len(filled) == 0 or int(filled[-1] - filled[0]) <= 1
