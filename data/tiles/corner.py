"""A tile's coordinates as those of the pixels' upper left corners, whatever the file stores."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.tiles.rules import PIXEL_M, TileWarning, tile_error
from data.values.corners import CENTRES, Corner, find_corner


def move_to_corners(
    x: np.ndarray, y: np.ndarray, transform: str | None, path: Path
) -> tuple[np.ndarray, np.ndarray, Corner]:
    """Return coordinates of the pixels' upper left corners, and how the file's own lie in their pixels.

    Args:
        x: Eastings in m, shape ``(W,)``, ascending.
        y: Northings in m, shape ``(H,)``, descending.
        transform: The file's GeoTransform; None without one.
        path: The file, for the message.

    Raises:
        TileError: If the GeoTransform is not six numbers.
    """
    first, steps = (float(x[0]), float(y[0])), (PIXEL_M, PIXEL_M)
    try:
        corner = find_corner(first, steps, transform, otherwise=0.0)
    except ValueError as error:
        rule = "GeoTransform must be six numbers"
        raise tile_error("wrong-grid", rule, repr(str(transform)[:40]), path) from error
    shift = PIXEL_M * (corner.share or 0.0)
    return (x - shift, y + shift, corner) if shift else (x, y, corner)


def find_corner_warnings(corner: Corner) -> Iterator[TileWarning]:
    """Find coordinates that are not, as published, the pixels' upper left corners."""
    if corner.share is None:
        text = "Its x and y contradict its GeoTransform; they are taken for upper left corners."
        yield TileWarning("geotransform-differs", text)
    elif corner.share:
        yield TileWarning(
            "pixel-centres", f"Its x and y are the pixels' {CENTRES}; published are corners."
        )
