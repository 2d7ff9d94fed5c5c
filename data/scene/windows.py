"""Overlapping windows over a raster, with blending weights: 1 in the middle, falling towards each neighbour.

Along an axis the weights of all windows add up to 1. If a window is missing, blending divides by the remaining sum.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

ALIGN_PX = 16  # four poolings; the multiple that a logged network expects


@dataclass(frozen=True)
class Span:
    """A window along one axis.

    Attributes:
        start: First pixel.
        weights: Blending weight of each pixel, float32, shape ``(length,)``.
    """

    start: int
    weights: np.ndarray

    @property
    def stop(self) -> int:
        """The pixel after the last."""
        return self.start + len(self.weights)

    @property
    def slice(self) -> slice:
        """The pixels as a slice."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Window:
    """A rectangle of a raster: a span of rows and a span of columns."""

    rows: Span
    columns: Span

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.rows.weights), len(self.columns.weights)

    @property
    def weights(self) -> np.ndarray:
        """Blending weight of each pixel, shape ``(H, W)``."""
        return np.outer(self.rows.weights, self.columns.weights)

    def __str__(self) -> str:
        return format_area(self.rows.slice, self.columns.slice)


def format_area(rows: slice, columns: slice) -> str:
    """Format a rectangle of a raster for a message."""
    return f"rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}"


def make_spans(length: int, side: int, overlap: int) -> list[Span]:
    """Spread spans evenly over an axis, the first at its start and the last, which may be shorter, at its end.

    All spans start at multiples of ``ALIGN_PX``. A network with pooling then pools the same pixels together in every
    window, so that its output far from a window's edges does not depend on the window.

    Args:
        length: Pixels of the axis.
        side: Pixels of a span, a multiple of ``ALIGN_PX``; a shorter axis is one span.
        overlap: Minimum number of pixels shared by neighbours.

    Raises:
        ValueError: If *overlap* is negative or more than half of *side*.
    """
    if not 0 <= 2 * overlap <= side:
        raise ValueError(
            f"Windows must overlap by 0 to half of their side, but got {overlap} px of {side}. Choose less overlap."
        )
    if length <= side:
        return [Span(0, np.ones(length, np.float32))]
    last = math.ceil((length - side) / ALIGN_PX)
    count = 1 + math.ceil(last / max((side - overlap) // ALIGN_PX, 1))
    starts = [last * index // (count - 1) * ALIGN_PX for index in range(count)]
    return [
        _make_fading_span(start, min(side, length - start), overlap, start > 0, start < starts[-1])
        for start in starts
    ]


def _make_fading_span(start: int, side: int, overlap: int, fade_in: bool, fade_out: bool) -> Span:
    ramp = (np.arange(side, dtype=np.float32) + 0.5) / max(overlap, 1)
    weights = np.ones(side, np.float32)
    if fade_in:
        weights = np.minimum(weights, ramp)
    if fade_out:
        weights = np.minimum(weights, ramp[::-1])
    return Span(start, weights)


def make_tile_spans(count: int, side: int, margin: int) -> list[Span]:
    """Make the spans over a row of adjacent tiles: one per tile, and one centred on each seam.

    A tile has weight 1 except within *margin* px of a seam, where the span over the seam takes over.

    Args:
        count: Number of tiles.
        side: Pixels of a tile, even.
        margin: Pixels on either side of a seam that are blended, at most half of *side*.
    """
    from_edge = np.arange(side, dtype=np.float32) + 0.5
    ramp = np.minimum(1, np.minimum(from_edge, from_edge[::-1]) / margin)
    over_seam = 1 - np.roll(ramp, side // 2)
    spans = [Span(index * side, ramp) for index in range(count)]
    spans += [Span(index * side + side // 2, over_seam) for index in range(count - 1)]
    return sorted(spans, key=lambda span: span.start)


def combine_spans(rows: Iterable[Span], columns: Iterable[Span]) -> list[Window]:
    """Make a window of each pair of row and column spans, ordered by first row."""
    return [Window(*pair) for pair in product(rows, columns)]
