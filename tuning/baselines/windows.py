"""Means over square windows that skip pixels without data."""

from functools import lru_cache

import numpy as np
from scipy.ndimage import uniform_filter


def average_window(values: np.ndarray, width: int) -> np.ndarray:
    """Return each pixel's mean over a window; windows at a tile's edge have fewer pixels.

    Args:
        values: Shape ``(..., H, W)``; NaN = no data.
        width: Width of the window in px, odd; 1 returns *values*.

    Returns:
        The same shape, float32; NaN where no pixel of the window has data.
    """
    values = values.astype(np.float32)
    if width == 1 or not values.size:
        return values
    valid = np.isfinite(values)
    if valid.all():
        mean: np.ndarray = _sum(values, width) / _full_weight(values.shape[-2:], width)
        return mean
    weight = _sum(valid.astype(np.float32), width)
    total = _sum(np.where(valid, values, np.float32(0)), width)
    known = weight > 0.5  # whole numbers but for rounding
    return np.where(known, total / np.where(known, weight, 1), np.nan).astype(np.float32)


def spread_window(values: np.ndarray, width: int) -> np.ndarray:
    """Return each pixel's standard deviation over a window, as :func:`average_window`."""
    mean = average_window(values, width)
    variance = average_window(values * values, width) - mean * mean
    spread: np.ndarray = np.sqrt(np.maximum(variance, 0))
    return spread


def _sum(values: np.ndarray, width: int) -> np.ndarray:
    size = (1,) * (values.ndim - 2) + (width, width)
    total: np.ndarray = uniform_filter(values, size, mode="constant") * np.float32(width * width)
    return total


@lru_cache(maxsize=32)
def _full_weight(shape: tuple[int, int], width: int) -> np.ndarray:
    """Return the number of pixels of each window inside the tile."""
    return _sum(np.ones(shape, np.float32), width)
