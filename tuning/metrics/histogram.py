"""Histograms of probability by class; bins are even in the middle, and ever finer towards 0 and 1.

A network trained with a Dice loss is sure of itself: most of its probabilities crowd within 1e-5 of 0 or 1, where
even bins would hold them all and lose their order (measured: with 2^14 even bins, logits that spread by 8 have an
average precision 0.11 too low). So bins are 2^-15 wide in the middle, and below 1/16 and above 15/16 they follow the
leading bits of the distance to the end. Three steps add up to a bin, each of them rises with the probability, and each
is computed without rounding, so that

- every edge is a float32 number, and a pixel reaches an edge exactly when its bin does: ``p >= edges()[k]`` means
  ``bin >= k``;
- 0.5 and every other multiple of 2^-15 are edges;
- next to 1, where float32 itself has steps of 2^-24, no two numbers above 1 - 2^-14 share a bin;
- next to 0, bins are told apart down to 2^-47 (a logit of -32.6).

Some bin numbers below ``BINS`` are skipped, since two steps may rise at once; their bins stay empty.

Histograms that are made already are scored without torch, which is imported only where probabilities are counted.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_EVEN = 1 << 15  # even bins over [0, 1]
_END = 2.0**-4  # how far from 0 and from 1 the finer bins begin
_LOWEST = 2.0**-47
_BEYOND = 1 + 2.0**-14  # the distance to it, not to 1, keeps each float32 step above 1 - 2^-14
_LOW_BITS, _HIGH_BITS = 9, 10  # leading bits of the mantissa: bins per halving of the distance
_MANTISSA, _BIAS = 23, 127  # of float32 (IEEE 754)
_PART = 1 << 17  # pixels whose intermediate steps fit into a processor's cache


def _lead(exponent: int, bits: int) -> int:
    """Return the leading bits of 2 ** exponent as an integer, as a shift of its float32 gives them."""
    return (_BIAS + exponent) << bits


_LOW = _lead(-47, _LOW_BITS), _lead(-4, _LOW_BITS)
_HIGH = _lead(-14, _HIGH_BITS), _lead(-4, _HIGH_BITS)
BINS = _EVEN + (_LOW[1] - _LOW[0]) + (_HIGH[1] - _HIGH[0]) + 1  # 65,025: a bin fits into uint16


def _step(probs: Tensor) -> Tensor:
    """Turn float32 in [0, 1] into bins; the negative shift rounds towards the higher probability."""
    import torch

    bins = probs.clamp(_LOWEST, _END).view(torch.int32) >> (_MANTISSA - _LOW_BITS)
    left = (_BEYOND - probs).clamp_(max=_END).view(torch.int32)
    bins += left.neg_() >> (_MANTISSA - _HIGH_BITS)
    bins += (probs * _EVEN).int()
    bins += _HIGH[1] - _LOW[0]
    return bins


def to_bins(probs: Tensor) -> Tensor:
    """Return the bins of probabilities.

    Args:
        probs: Landslide probability, any shape, in [0, 1]; taken as float32.

    Returns:
        Bins from 0 to ``BINS`` - 1, the same shape, int32, on the device of *probs*.

    Raises:
        ValueError: If there is no pixel, or a probability is NaN or leaves [0, 1] (logits by mistake).
    """
    import torch

    probs = probs.detach().float()
    if not probs.numel():
        raise ValueError(f"Probabilities must have a pixel, but got shape {tuple(probs.shape)}.")
    low, high = (float(value) for value in probs.aminmax())
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(
            f"Probabilities must lie in [0, 1], but got {low:.4g} to {high:.4g}. Apply a sigmoid to logits."
        )
    flat = probs.flatten()
    bins = torch.empty(flat.shape, dtype=torch.int32, device=probs.device)
    for start in range(0, len(flat), _PART):
        bins[start : start + _PART] = _step(flat[start : start + _PART])
    return bins.view(probs.shape)


def to_bins_unchecked(probs: Tensor) -> Tensor:
    """Return the bins of float32 probabilities without checking them, so that the host does not wait for a GPU.

    NaN and values outside [0, 1] fall into arbitrary bins: the caller must exclude them.
    """
    return _step(probs).clamp_(0, BINS - 1)


def to_probs(logits: Tensor) -> Tensor:
    """Turn logits ``(B, 1, H, W)`` into probabilities ``(B, H, W)``, float32."""
    return logits.squeeze(1).float().sigmoid()


@cache
def edges() -> np.ndarray:
    """Return the lowest probability of each bin, shape ``(BINS,)``, float64, ascending; read-only.

    Each is a float32 number. A skipped bin has the edge of the next one.
    """
    leads = np.arange(_LOW[0] + 1, _LOW[1] + 1, dtype=np.int32)
    low = (leads << (_MANTISSA - _LOW_BITS)).view(np.float32)
    high = (np.arange(*_HIGH, dtype=np.int32) << (_MANTISSA - _HIGH_BITS)).view(np.float32)
    even = np.arange(1, _EVEN + 1) / _EVEN
    rises = np.sort(np.concatenate([even, low, _BEYOND - high]))  # where one of the steps rises
    starts = np.unique([0.0, *rises])
    bins = np.searchsorted(rises, starts, "right")  # a bin's number: the rises up to its edge
    found: np.ndarray = starts[np.searchsorted(bins, np.arange(BINS))]
    found.setflags(write=False)
    return found


def reach(threshold: float) -> int:
    """Return the lowest bin whose pixels all reach a threshold.

    Args:
        threshold: In [0, 1]; one that is no edge counts as the next edge above.

    Raises:
        ValueError: If the threshold leaves [0, 1].
    """
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"A threshold must lie in [0, 1], but got {threshold:.4g}.")
    return int(np.searchsorted(edges(), threshold))


def count_bins(probs: Tensor, mask: Tensor) -> Tensor:
    """Count pixels by class and probability bin.

    Args:
        probs: Landslide probability, any shape, in [0, 1].
        mask: Label of the same shape, 1 = landslide, 0 = background.

    Returns:
        Histogram, shape ``(2, BINS)``, int64, on the device of *probs*: background, landslide.

    Raises:
        ValueError: If the shapes differ or are empty, a probability is NaN or leaves [0, 1] (logits by
            mistake), or the mask holds more than 0 and 1.
    """
    import torch

    _compare_shapes("Probabilities", tuple(probs.shape), tuple(mask.shape))
    bins = to_bins(probs).flatten()
    check_mask(*(float(value) for value in mask.aminmax()))
    bins += mask.flatten().int() * BINS
    return torch.bincount(bins, minlength=2 * BINS).view(2, BINS)


def count_stored(bins: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Count pixels by class and known bin.

    Args:
        bins: Bins of :func:`to_bins`, any shape, integers.
        mask: Label of the same shape, 1 = landslide, 0 = background.

    Returns:
        Histogram, shape ``(2, BINS)``, int64.

    Raises:
        ValueError: If the shapes differ or are empty, a bin is none of ``BINS``, or the mask holds more
            than 0 and 1.
    """
    _compare_shapes("Bins", bins.shape, mask.shape)
    check_bins(bins)
    check_mask(float(mask.min()), float(mask.max()))
    at = bins.ravel().astype(np.intp) + mask.ravel().astype(np.intp) * BINS
    return np.bincount(at, minlength=2 * BINS).reshape(2, BINS)


def check_counts(counts: np.ndarray) -> None:
    """Check the shape of a histogram.

    Raises:
        ValueError: If its shape is not ``(2, BINS)``.
    """
    if counts.shape != (2, BINS):
        raise ValueError(
            f"A histogram must have shape (2, {BINS}), but got {counts.shape}. "
            "It may come from other bins: measure the trial again."
        )


def check_bins(bins: np.ndarray) -> None:
    """Check that numbers are bins, and not those of another version's histogram."""
    if not bins.size or bins.dtype.kind not in "iu" or bins.min() < 0 or bins.max() >= BINS:
        span = f"{bins.min()} to {bins.max()}" if bins.size else "none"
        raise ValueError(
            f"Bins must be integers from 0 to {BINS - 1}, but got {span} ({bins.dtype}). "
            "Measure the trial again."
        )


def _compare_shapes(what: str, shape: tuple[int, ...], of_mask: tuple[int, ...]) -> None:
    if shape != of_mask:
        raise ValueError(f"{what} and mask must have one shape, but got {shape} and {of_mask}.")


def check_mask(low: float, high: float) -> None:
    """Check the lowest and the highest value of a mask."""
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"A mask must hold 0 (background) and 1 (landslide) alone, but got {low:g} to {high:g}."
        )
