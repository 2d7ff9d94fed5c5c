"""Calibration of landslide probabilities, from the histogram alone.

Every pixel counts with the centre of its bin. Bins are at most 2^-15 wide (``tuning.metrics.histogram``), so a probability is off
by 2^-16 at most: a Brier score and a mean probability differ by less than 4e-5 from those of the pixels themselves.

For a score that is not a probability, such as the scaled log-ratio of a baseline, these numbers only show that it is
not calibrated.
"""

from dataclasses import dataclass
from math import nan

import numpy as np

from tuning.metrics.histogram import check_counts, edges, reach

MOST_BINS = 1000  # of a reliability diagram; its bins stay much wider than those of the histogram


@dataclass(frozen=True)
class Reliability:
    """Reliability by ascending probability, each of shape ``(bins,)``.

    Attributes:
        predicted: Mean probability of the bin's pixels, NaN for an empty bin.
        observed: Share of landslides among them, NaN for an empty bin.
        pixels: Pixels of the bin, int64.
    """

    predicted: np.ndarray
    observed: np.ndarray
    pixels: np.ndarray


def middles() -> np.ndarray:
    """Return the centre of each bin; the last bin holds only probability 1."""
    starts = edges()
    return np.asarray((starts + np.append(starts[1:], 1.0)) / 2)


def brier(counts: np.ndarray) -> float:
    """Mean squared difference between probability and label, over pixels pooled over tiles.

    In [0, 1], 0 is best; a constant map of the landslides' share s has s (1 - s). Within 4e-5 of
    scikit-learn's ``brier_score_loss``. NaN without a pixel.

    Args:
        counts: Histogram of ``count_bins``, shape ``(2, BINS)``.

    Reference:
        Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather
        Review 78.
    """
    check_counts(counts)
    background, landslides = counts
    middle = middles()
    pixels = int(counts.sum())
    total = float(background @ middle**2 + landslides @ (1 - middle) ** 2)
    return total / pixels if pixels else nan


def reliability(counts: np.ndarray, bins: int = 15) -> Reliability:
    """Compare mean probability and observed share of landslides in even bins of probability.

    A bin holds the pixels from its lower border up to below its upper one. Borders are rounded up to
    the next edge of the histogram, by less than 2^-15; with a power of two of bins they are exact.

    Args:
        counts: Histogram of ``count_bins``, shape ``(2, BINS)``.
        bins: Number of bins, from 1 to ``MOST_BINS``.

    Raises:
        ValueError: If *bins* is out of range.
    """
    check_counts(counts)
    if not 1 <= bins <= MOST_BINS:
        raise ValueError(f"Reliability must have from 1 to {MOST_BINS} bins, but got {bins}.")
    starts = [reach(number / bins) for number in range(bins)]
    pixels, landslides = np.add.reduceat(np.stack([counts.sum(axis=0), counts[1]]), starts, axis=1)
    total = np.add.reduceat(counts.sum(axis=0) * middles(), starts)
    some = pixels > 0
    predicted, observed = (
        np.divide(part, pixels, out=np.full(bins, nan), where=some) for part in (total, landslides)
    )
    return Reliability(predicted, observed, pixels)


def calibration_error(counts: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: mean gap between probability and observed share, weighted by pixels.

    Of the landslide's probability, in even bins, over pixels pooled over tiles (Guo et al. take the
    probability of the likelier class). In [0, 1], 0 is best; NaN without a pixel. A pixel counts with
    its bin's middle, which moves the result by 2^-16 at most; where a border is no edge of the
    histogram (bins not a power of two), the pixels within 2^-15 of it may count on its other side.

    Args:
        counts: Histogram of ``count_bins``, shape ``(2, BINS)``.
        bins: Number of bins, from 1 to ``MOST_BINS``.

    Reference:
        Guo et al. (2017), On calibration of modern neural networks, ICML, arXiv 1706.04599.
    """
    found = reliability(counts, bins)
    some = found.pixels > 0
    gaps = np.abs(found.predicted - found.observed)[some]
    return float(gaps @ found.pixels[some] / found.pixels.sum()) if some.any() else nan
