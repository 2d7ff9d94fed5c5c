"""Larger pixels and back: DIST-S1's transformer was trained on pixels of 30 m, tiles have pixels of 10 m."""

import numpy as np

from data.tiles import PIXEL_M


def coarsen(images_db: np.ndarray, pixel_m: int) -> np.ndarray:
    """Average the linear power of square blocks of pixels, ignoring NaN.

    Args:
        images_db: Backscatter in dB, shape ``(..., H, W)``; NaN = no data.
        pixel_m: Width of the new pixels in m, a multiple of 10.

    Returns:
        Shape ``(..., ceil(H / n), ceil(W / n))``, float32, in dB, for blocks of n x n pixels; blocks at the lower and right
        border may have fewer. NaN where a whole block has no data.
    """
    times = count_pixels(pixel_m)
    if times == 1:
        return images_db.astype(np.float32)
    power = np.power(10.0, images_db / 10, dtype=np.float32)
    valid = np.isfinite(power)
    count = _add_blocks(valid.astype(np.float32), times)
    total = _add_blocks(np.where(valid, power, 0), times)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    coarse: np.ndarray = (10 * np.log10(mean)).astype(np.float32)
    return coarse


def count_pixels(pixel_m: int) -> int:
    """Return how many pixels of a tile lie along a pixel of another width."""
    return round(pixel_m / PIXEL_M)


def _add_blocks(values: np.ndarray, times: int) -> np.ndarray:
    down, along = (np.arange(0, size, times) for size in values.shape[-2:])
    total: np.ndarray = np.add.reduceat(np.add.reduceat(values, down, axis=-2), along, axis=-1)
    return total


def refine(maps: np.ndarray, pixel_m: int, size: tuple[int, int]) -> np.ndarray:
    """Repeat each pixel over its block: from the shape that :func:`coarsen` returns to ``(..., *size)``."""
    times = count_pixels(pixel_m)
    fine: np.ndarray = maps.repeat(times, axis=-2).repeat(times, axis=-1)
    return fine[..., : size[0], : size[1]]


def pad_to_multiple(images: np.ndarray, multiple: int) -> np.ndarray:
    """Repeat the last row and column until height and width are multiples of a number."""
    sides = [(0, 0)] * (images.ndim - 2) + [(0, -size % multiple) for size in images.shape[-2:]]
    return np.pad(images, sides, mode="edge") if any(end for _, end in sides) else images
