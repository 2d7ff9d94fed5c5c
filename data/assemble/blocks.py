"""The blocks of a scene that are loaded at once: one acquisition, or the heights, on some chunks of the grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from data.assemble.footprints import find_extent, touches

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from data.search.acquisitions import Found

CHUNK_PX = 512  # of the scene's files; windows of a map are as wide
# A block opens each of its files once, and reads the tiles at its edges that its neighbours read, too. Blocks of one chunk
# read a file of 512-px tiles four times; of 16 chunks 1.45 times (measured).
BLOCK_PX = 4 * CHUNK_PX
HEIGHTS = "DEM"  # in place of an orbit
BANDS = ("VV", "VH")


class Block(NamedTuple):
    """A part of one acquisition of a scene.

    Attributes:
        orbit: ``s1asc``, ``s1dsc``, or ``DEM`` for the heights of all orbits.
        step: Index of the acquisition; 0 for heights.
        row: First row of the grid.
        column: First column of the grid.
    """

    orbit: str
    step: int
    row: int
    column: int

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands to load."""
        return (HEIGHTS,) if self.orbit == HEIGHTS else BANDS

    def cut(self, shape: Sequence[int]) -> tuple[slice, slice]:
        """Return rows and columns on a grid of a height and width."""
        return (
            slice(self.row, min(self.row + BLOCK_PX, shape[0])),
            slice(self.column, min(self.column + BLOCK_PX, shape[1])),
        )

    def count_chunks(self, shape: Sequence[int]) -> int:
        """Return how many chunks of a file it fills, all bands together."""
        rows, columns = self.cut(shape)
        high, wide = (-(-(one.stop - one.start) // CHUNK_PX) for one in (rows, columns))
        return int(high * wide * len(self.bands))


def list_blocks(found: Found, grid: GeoBox) -> list[Block]:
    """List the blocks of a scene: heights first, then acquisition by acquisition from north to south.

    Blocks that the area does not touch are left out: a coast's rectangle may lie in the sea for the most part.
    """
    places = [place for place in _list_places(grid) if touches(found.area, find_extent(grid[place.cut(grid.shape.yx)]))]  # fmt: skip
    series = [(HEIGHTS, 1)] if found.heights else []
    series += [(orbit, len(one)) for orbit, one in found.acquisitions.items()]
    return [
        Block(orbit, step, place.row, place.column)
        for orbit, count in series
        for step in range(count)
        for place in places
    ]


def _list_places(grid: GeoBox) -> Iterator[Block]:
    height, width = grid.shape.yx
    for row in range(0, height, BLOCK_PX):
        for column in range(0, width, BLOCK_PX):
            yield Block(HEIGHTS, 0, row, column)
