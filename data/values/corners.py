"""Whether coordinates are those of the pixels' upper left corners or of their centres: one answer for tiles and datacubes.

This module becomes part of every logged model.
"""

from typing import NamedTuple

TOLERANCE = 0.001  # of a pixel: coordinates may be stored as float32 or come from a projection
CORNERS, CENTRES = "upper left corners", "centres"


class Corner(NamedTuple):
    """How coordinates lie in their pixels.

    Attributes:
        share: 0 for upper left corners, 0.5 for centres; None if they are neither by the GeoTransform.
        guessed: Whether nothing says so.
    """

    share: float | None
    guessed: bool

    @property
    def point(self) -> str:
        """What the coordinates are, in words."""
        return CENTRES if self.share else CORNERS


def find_corner(
    first: tuple[float, float],
    steps: tuple[float, float],
    transform: str | None,
    rows: int = 0,
    *,
    otherwise: float = 0.5,
) -> Corner:
    """Tell corners from centres.

    A ``GeoTransform`` attribute (of GDAL, rioxarray or the tiles) decides. Without one, multiples of the pixel size are
    taken for corners, as in the tiles, and multiples shifted by half a pixel for centres, as most programs write them.

    Args:
        first: Coordinates of the first column, and of the northernmost row.
        steps: Width and height of a pixel, positive.
        transform: GDAL's six numbers as text; None without them.
        rows: Number of rows, for a transform from south to north.
        otherwise: The share taken without a GeoTransform for any other coordinates, and for degrees.

    Raises:
        ValueError: If the transform is not six numbers.
    """
    if transform is not None:
        gaps = _read_transform(transform, first, rows * steps[1])
        pairs = list(zip(gaps, steps, strict=True))
        shares = (s for s in (0.0, 0.5) if all(_is_zero(g / step - s) for g, step in pairs))
        return Corner(next(shares, None), guessed=False)
    if max(steps) >= 1:  # multiples of the pixel size mean nothing in degrees
        pairs = list(zip((first[0], -first[1]), steps, strict=True))
        for share in (0.0, 0.5):
            if all(_is_zero((g / step - share + 0.5) % 1 - 0.5) for g, step in pairs):
                return Corner(share, guessed=True)
    return Corner(otherwise, guessed=True)


def _read_transform(text: str, first: tuple[float, float], length: float) -> tuple[float, float]:
    """Return how far the first coordinates are from the corner in GDAL's GeoTransform."""
    west, _, _, edge, _, step = (float(word) for word in text.split())
    north = edge if step < 0 else edge + length  # rows stored from south to north
    return first[0] - west, north - first[1]


def _is_zero(gap: float) -> bool:
    """Return whether a gap in pixels is zero but for rounding."""
    return abs(gap) < 2 * TOLERANCE
