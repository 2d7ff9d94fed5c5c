"""From deviations of single dates, in standard deviations, to a score of one pixel."""

import numpy as np

from data.pack.log_ratio import mean_db
from tuning.baselines.stacked import median_db

ALERT = 3.5  # deviations that DIST-S1 alerts at with low confidence; they score 0.75


def point(deviations: np.ndarray, direction: str) -> np.ndarray:
    """Return deviations as strength of the wanted change: ``rise``, ``fall`` or ``any`` of both."""
    pointed: np.ndarray = {
        "rise": deviations,
        "fall": -deviations,
        "any": np.abs(deviations),
    }[direction]
    return pointed


def combine_dates(deviations: np.ndarray, how: str) -> np.ndarray:
    """Combine the dates after the event, ignoring NaN: shape ``(T, H, W)`` to ``(H, W)``; NaN if all are.

    Args:
        deviations: Strength of the change on each date.
        how: ``mean``, ``median``, ``weakest`` or ``strongest``; the weakest date confirms a lasting change.
    """
    if how == "mean":
        return mean_db(deviations)
    if how == "median":
        return median_db(deviations)
    if not len(deviations):
        return np.full(deviations.shape[1:], np.nan, np.float32)
    combine = np.fmin if how == "weakest" else np.fmax
    combined: np.ndarray = combine.reduce(deviations, axis=0)
    return combined


def scale_deviations(deviations: np.ndarray) -> np.ndarray:
    """Scale deviations to [0, 1], float32, so that they are scored like probabilities: 0 is 0.5, ``ALERT`` is 0.75.

    NaN is no change. No value is cut off, however large: ranks stay.
    """
    known = np.nan_to_num(deviations, nan=0.0)
    scaled: np.ndarray = 0.5 + 0.5 * known / (ALERT + np.abs(known))
    return scaled.astype(np.float32)
