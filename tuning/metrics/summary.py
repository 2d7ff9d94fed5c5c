"""The scores of a model on test, at the threshold that was chosen on val: the content of ``test.json``."""

import numpy as np

from tuning.metrics.curve import choose_threshold
from tuning.metrics.scores import confuse, score_all


def summarise_test(
    val: np.ndarray, test: np.ndarray, seconds: float, tiles: int
) -> dict[str, float]:
    """Return the scores of test at the threshold chosen on val."""
    return {
        **score_test(test, choose_threshold(val), tiles),
        "infer_seconds_total": seconds,
        "infer_seconds_per_sample": seconds / tiles,
    }


def score_test(test: np.ndarray, threshold: float, tiles: int) -> dict[str, float]:
    """Return the scores of test at a threshold.

    Args:
        test: Histogram of all test pixels, shape ``(2, BINS)``.
        threshold: In [0, 1].
        tiles: Number of test tiles.
    """
    confusion = confuse(test, threshold)
    return {
        "threshold": threshold,
        **score_all(test, confusion),
        **vars(confusion),
        "pos_pixels": int(test[1].sum()),
        "pos_ratio": float(test[1].sum() / int(test.sum())),
        "n_samples": tiles,
    }
