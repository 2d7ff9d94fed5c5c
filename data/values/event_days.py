"""Days from the event to each acquisition, for networks that read dates.

This module becomes part of every logged model, so it needs only NumPy.
"""

import numpy as np


def count_days(times: np.ndarray, event: np.datetime64 | np.ndarray) -> np.ndarray:
    """Return the days from the event to each acquisition of a series.

    Args:
        times: Acquisition times, UTC, shape ``(..., T)``, ascending.
        event: Time of the event, UTC, or times that broadcast with *times*.

    Returns:
        Shape ``(..., T)``, float32, negative before the event; NaN where the acquisition repeats the one before it, so that it
        is no further one.
    """
    days = (times - event) / np.timedelta64(1, "D")
    repeats = np.zeros(times.shape, bool)
    repeats[..., 1:] = times[..., 1:] == times[..., :-1]
    counted: np.ndarray = np.where(repeats, np.nan, days).astype(np.float32)
    return counted


def average_days(days: np.ndarray, present: np.ndarray | None = None) -> np.ndarray:
    """Average the days of several orbits.

    Args:
        days: Days of each orbit, shape ``(..., T, orbits)``; NaN where there is no acquisition.
        present: Which of them have data, shape ``(..., T, orbits)``; by default all.

    Returns:
        Shape ``(..., T)``, float32; NaN where no orbit has an acquisition.
    """
    known = np.isfinite(days) if present is None else np.isfinite(days) & present
    total = np.where(known, days, 0).sum(axis=-1)
    count = known.sum(axis=-1)
    averaged: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return averaged.astype(np.float32)
