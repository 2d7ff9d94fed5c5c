"""Overlapping windows over a raster, with weights that blend them: 1 in a window's middle, falling towards its neighbours.

Weights of one axis add up to 1 wherever all windows are mapped; where one is missing, the blend divides by what is left.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

ALIGN_PX = 16  # four poolings; what a logged network takes


@dataclass(frozen=True)
class Span:
    """A window along one axis.

    Attributes:
        start: First pixel.
        weights: Weight of each pixel, float32; their number is the span's length.
    """

    start: int
    weights: np.ndarray

    @property
    def stop(self) -> int:
        """The pixel after the last."""
        return self.start + len(self.weights)

    @property
    def slice(self) -> slice:
        """The pixels."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Window:
    """A rectangle of a raster, one span of rows and one of columns."""

    rows: Span
    columns: Span

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows.weights), len(self.columns.weights)

    @property
    def weights(self) -> np.ndarray:
        """Weight of each pixel, shape ``(H, W)``."""
        return np.outer(self.rows.weights, self.columns.weights)

    def __str__(self) -> str:
        return format_area(self.rows.slice, self.columns.slice)


def format_area(rows: slice, columns: slice) -> str:
    """Name a rectangle of a raster in a message."""
    return f"rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}"


def make_spans(length: int, side: int, overlap: int) -> list[Span]:
    """Lay spans evenly over an axis, the first at its start and the last, which may be shorter, at its end.

    All start at multiples of ``ALIGN_PX``: a network that pools sees the same pixels pooled together in each, and says
    the same of what lies far enough from its edges.

    Args:
        length: Pixels of the axis.
        side: Pixels of a span, a multiple of ``ALIGN_PX``; a shorter axis is one span.
        overlap: Pixels that neighbours share at least.

    Raises:
        ValueError: If *overlap* is negative or more than half of *side*.
    """
    if not 0 <= 2 * overlap <= side:
        raise ValueError(
            f"Windows overlap by up to half of their side, but got {overlap} px of {side}. Choose less."
        )
    if length <= side:
        return [Span(0, np.ones(length, np.float32))]
    last = math.ceil((length - side) / ALIGN_PX)
    count = 1 + math.ceil(last / max((side - overlap) // ALIGN_PX, 1))
    starts = [last * place // (count - 1) * ALIGN_PX for place in range(count)]
    return [
        _fade(start, min(side, length - start), overlap, start > 0, start < starts[-1])
        for start in starts
    ]


def _fade(start: int, side: int, overlap: int, before: bool, after: bool) -> Span:
    """Make a span that fades in and out where it has neighbours."""
    ramp = (np.arange(side, dtype=np.float32) + 0.5) / max(overlap, 1)
    weights = np.ones(side, np.float32)
    if before:
        weights = np.minimum(weights, ramp)
    if after:
        weights = np.minimum(weights, ramp[::-1])
    return Span(start, weights)


def make_tile_spans(count: int, side: int, margin: int) -> list[Span]:
    """Lay spans over a row of tiles that touch: every tile, and one over each seam.

    A tile alone has all weight but within *margin* px of a seam, where the span over the seam takes over.

    Args:
        count: Tiles.
        side: Pixels of a tile, even.
        margin: Pixels on either side of a seam that are blended, at most half of *side*.
    """
    from_edge = np.arange(side, dtype=np.float32) + 0.5
    ramp = np.minimum(1, np.minimum(from_edge, from_edge[::-1]) / margin)
    over_seam = 1 - np.roll(ramp, side // 2)
    spans = [Span(at * side, ramp) for at in range(count)]
    spans += [Span(at * side + side // 2, over_seam) for at in range(count - 1)]
    return sorted(spans, key=lambda span: span.start)


def combine_spans(rows: Iterable[Span], columns: Iterable[Span]) -> list[Window]:
    """Make the windows of spans over rows and columns, by their first rows."""
    return [Window(*pair) for pair in product(rows, columns)]
