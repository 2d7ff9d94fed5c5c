"""Small maps of objects."""

import numpy as np
from scipy import ndimage

from tuning.objects.mosaic import find_neighbours


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


def cut_tiles(field: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Cut a map ``(H, W)`` into tiles, row after row."""
    height, width = field.shape[0] // rows, field.shape[1] // columns
    tiles = field.reshape(rows, height, columns, width).swapaxes(1, 2)
    return tiles.reshape(rows * columns, height, width)


def lay_out(rows: int, columns: int, size: int) -> np.ndarray:
    """Return the neighbours of tiles in rows from the north-west."""
    corners = [(c * size * 10.0, -r * size * 10.0) for r in range(rows) for c in range(columns)]
    return find_neighbours(np.array(corners), ["a"] * len(corners), (size, size))
