"""Scores of a landslide map from integer histograms of probability by class.

Every batch adds to one histogram per class, so memory is constant and batches add up exactly. The bins are those of
:mod:`tuning.metrics.histogram`: a probability reaches the threshold ``edges()[k]`` exactly when it falls into bin k or above.
All scores pool pixels over tiles, as the published study does: they follow from the sum of the tiles' histograms.
"""

from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np
from scipy.special import digamma
from torch import Tensor

from tuning.metrics.histogram import BINS, count_bins, count_stored, edges, reach, to_bins

__all__ = [
    "BINS",
    "NAN",
    "Confusion",
    "Curve",
    "Scores",
    "average_precision",
    "bound_average_precision",
    "check_counts",
    "choose_threshold",
    "confuse",
    "count_bins",
    "count_stored",
    "edges",
    "f1_oracle",
    "reach",
    "roc_auc",
    "score",
    "score_at",
    "to_bins",
    "to_probs",
    "trace_curve",
]

NAN = float("nan")


def to_probs(logits: Tensor) -> Tensor:
    """Turn logits ``(B, 1, H, W)`` into probabilities ``(B, H, W)``, float32."""
    return logits.squeeze(1).float().sigmoid()


@dataclass(frozen=True)
class Confusion:
    """Pixels by label and decision at one threshold."""

    tp: int
    fp: int
    fn: int
    tn: int


@dataclass(frozen=True)
class Scores:
    """Scores at one threshold, of pixels pooled over tiles, NaN where the denominator is 0.

    All lie in [0, 1], the Matthews correlation in [-1, 1].

    Attributes:
        precision: tp / (tp + fp).
        recall: tp / (tp + fn).
        f1_dice: 2 tp / (2 tp + fp + fn).
        iou: tp / (tp + fp + fn).
        accuracy: (tp + tn) / all pixels.
        mcc: Matthews correlation, (tp tn - fp fn) / sqrt((tp + fp) (tp + fn) (tn + fp) (tn + fn)):
            the correlation of label and decision, 0 for chance. scikit-learn says 0 where this is NaN:
            one label alone, or all pixels decided alike.
    """

    precision: float
    recall: float
    f1_dice: float
    iou: float
    accuracy: float
    mcc: float


def _ratio(part: int, whole: float) -> float:
    return part / whole if whole else NAN


def check_counts(counts: np.ndarray) -> None:
    """Refuse a histogram of other bins."""
    if counts.shape != (2, BINS):
        raise ValueError(
            f"A histogram must have shape (2, {BINS}), but got {counts.shape}. "
            "It may come from other bins: measure the trial again."
        )


def confuse(counts: np.ndarray, threshold: float) -> Confusion:
    """Split the pixels at a threshold; a probability equal to it counts as landslide.

    Args:
        counts: Histogram of :func:`count_bins`, shape ``(2, BINS)``.
        threshold: In [0, 1]; rounded up to an edge of a bin.
    """
    check_counts(counts)
    first = reach(threshold)
    above, below = counts[:, first:].sum(axis=1), counts[:, :first].sum(axis=1)
    return Confusion(tp=int(above[1]), fp=int(above[0]), fn=int(below[1]), tn=int(below[0]))


def score(confusion: Confusion) -> Scores:
    """Turn pixel counts into scores."""
    tp, fp, fn, tn = confusion.tp, confusion.fp, confusion.fn, confusion.tn
    spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)  # Python's integers do not overflow
    return Scores(
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        f1_dice=_ratio(2 * tp, 2 * tp + fp + fn),
        iou=_ratio(tp, tp + fp + fn),
        accuracy=_ratio(tp + tn, tp + fp + fn + tn),
        mcc=_ratio(tp * tn - fp * fn, sqrt(spread)),
    )


def score_at(counts: np.ndarray, threshold: float) -> dict[str, float]:
    """Score a histogram at a threshold, as a dict by the names of :class:`Scores`."""
    return asdict(score(confuse(counts, threshold)))


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
        return NAN
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
        return NAN, NAN
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
    return float(landslides @ lower) / pairs if pairs else NAN


def _best(counts: np.ndarray) -> tuple[float, float]:
    """Return the highest F1 and the lowest threshold that has it."""
    some, negatives, positives = _reached(counts)
    f1 = 2 * positives / (positives + negatives + counts[1].sum())
    at = int(f1.argmax())
    return float(f1[at]), float(edges()[some[at]])


def choose_threshold(counts: np.ndarray) -> float:
    """Choose the threshold of the highest F1; the lowest one among equals, 0.5 without landslides."""
    return _best(counts)[1] if counts[1].sum() else 0.5


def f1_oracle(counts: np.ndarray) -> float:
    """F1 at the best of all thresholds on this very histogram: what choosing on test would claim.

    Never below the F1 at a threshold from elsewhere; the difference is what that threshold loses. Of
    pixels pooled over tiles, in [0, 1]; NaN when the histogram has no landslide pixel.
    """
    return _best(counts)[0] if counts[1].sum() else NAN


def is_constant(counts: np.ndarray) -> bool:
    """Tell whether all pixels have the same probability, to within a bin: such a network tells nothing apart."""
    filled = np.flatnonzero(counts.sum(axis=0))
    return len(filled) == 0 or int(filled[-1] - filled[0]) <= 1
