"""Small maps of objects."""

import numpy as np
from scipy import ndimage


def draw_map(*rows: str) -> np.ndarray:
    """Turn lines of text into a map ``(1, H, W)``: a dot is background."""
    return np.array([[letter != "." for letter in row] for row in rows])[None]


def draw_square(size: int) -> np.ndarray:
    """Draw a square in a corner of a tile, shape ``(1, 32, 32)``."""
    tile = np.zeros((1, 32, 32), bool)
    tile[0, :size, :size] = True
    return tile


def draw_blobs(
    rng: np.random.Generator, tiles: int = 6, size: int = 48
) -> tuple[np.ndarray, np.ndarray]:
    """Draw found blobs beside reference ones, ``(tiles, size, size)``; the last tile has no reference."""
    field, other = (
        ndimage.gaussian_filter(rng.normal(size=(tiles, size, size)), (0, 2, 2)) for _ in range(2)
    )
    mask = (field > 0.15).astype(np.uint8)
    mask[-1] = 0
    return field + 0.7 * other > 0.15, mask
