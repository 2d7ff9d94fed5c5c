"""Scores of a landslide map from integer histograms of probability by class.

Every batch adds to one histogram per class, so memory is constant and batches add up exactly. ``BINS`` is a power of
two: a probability reaches the threshold k / BINS exactly when it falls into bin k or above.
All scores pool pixels over tiles, as the published study does.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

BINS = 1 << 14


def to_probs(logits: Tensor) -> Tensor:
    """Turn logits ``(B, 1, H, W)`` into probabilities ``(B, H, W)``, float32."""
    return logits.squeeze(1).float().sigmoid()


def count_bins(probs: Tensor, mask: Tensor) -> Tensor:
    """Count pixels by class and probability bin.

    Args:
        probs: Landslide probability, any shape, in [0, 1].
        mask: Label of the same shape, 1 = landslide, 0 = background.

    Returns:
        Histogram, shape ``(2, BINS)``, int64, on the device of *probs*: background, landslide.

    Raises:
        ValueError: If the shapes differ, or a probability is NaN or leaves [0, 1] (logits by mistake).
    """
    if probs.shape != mask.shape:
        raise ValueError(
            "Probabilities and mask must have one shape, but got "
            f"{tuple(probs.shape)} and {tuple(mask.shape)}."
        )
    low, high = (float(value) for value in probs.detach().float().aminmax())
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(
            f"Probabilities must lie in [0, 1], but got {low:.4g} to {high:.4g}. Apply a sigmoid to logits."
        )
    bins = (probs.detach().flatten().float() * BINS).long().clamp_(max=BINS - 1)
    bins += mask.flatten().long() * BINS
    return torch.bincount(bins, minlength=2 * BINS).view(2, BINS)


@dataclass(frozen=True)
class Confusion:
    """Pixels by label and decision at one threshold."""

    tp: int
    fp: int
    fn: int
    tn: int


@dataclass(frozen=True)
class Scores:
    """Scores at one threshold, each in [0, 1], NaN where its denominator is 0.

    Attributes:
        precision: tp / (tp + fp).
        recall: tp / (tp + fn).
        f1_dice: 2 tp / (2 tp + fp + fn).
        iou: tp / (tp + fp + fn).
        accuracy: (tp + tn) / all pixels.
    """

    precision: float
    recall: float
    f1_dice: float
    iou: float
    accuracy: float


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def confuse(counts: np.ndarray, threshold: float) -> Confusion:
    """Split the pixels at a threshold; a probability equal to it counts as landslide.

    Args:
        counts: Histogram of :func:`count_bins`, shape ``(2, BINS)``.
        threshold: In [0, 1]; rounded up to a multiple of 1 / BINS.
    """
    first = int(np.ceil(threshold * BINS))
    above, below = counts[:, first:].sum(axis=1), counts[:, :first].sum(axis=1)
    return Confusion(tp=int(above[1]), fp=int(above[0]), fn=int(below[1]), tn=int(below[0]))


def score(confusion: Confusion) -> Scores:
    """Turn pixel counts into scores."""
    tp, fp, fn, tn = confusion.tp, confusion.fp, confusion.fn, confusion.tn
    return Scores(
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        f1_dice=_ratio(2 * tp, 2 * tp + fp + fn),
        iou=_ratio(tp, tp + fp + fn),
        accuracy=_ratio(tp + tn, tp + fp + fn + tn),
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


def trace_curve(counts: np.ndarray) -> Curve:
    """Trace precision over recall at every threshold k / BINS that some pixel reaches."""
    reached = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1].astype(np.float64)
    some = counts.sum(axis=0) > 0
    negatives, positives = reached[:, some]
    return Curve(
        thresholds=np.flatnonzero(some) / BINS,
        precision=positives / (negatives + positives),
        recall=positives / max(float(counts[1].sum()), 1.0),
    )


def average_precision(counts: np.ndarray) -> float:
    """Area under precision over recall as a sum of steps: sum of (R_n - R_n-1) P_n.

    The definition of scikit-learn's ``average_precision_score`` on probabilities rounded down to
    1 / BINS. In [0, 1]; NaN when the histogram has no landslide pixel.
    """
    if not counts[1].sum():
        return float("nan")
    curve = trace_curve(counts)
    steps = curve.recall - np.append(curve.recall[1:], 0.0)
    return float((steps * curve.precision).sum())


def choose_threshold(counts: np.ndarray) -> float:
    """Choose the threshold of the highest F1; the lowest one among equals, 0.5 without landslides."""
    if not counts[1].sum():
        return 0.5
    curve = trace_curve(counts)
    total = curve.precision + curve.recall
    f1 = np.divide(
        2 * curve.precision * curve.recall, total, out=np.zeros_like(total), where=total > 0
    )
    return float(curve.thresholds[int(f1.argmax())])
