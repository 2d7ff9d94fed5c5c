"""Rows of a datacube's band, read from north to south in whole chunks, so that none is unpacked twice."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import xarray as xr

from data.scene.base import to_float16

Load = Callable[[slice, slice], np.ndarray]  # rows and columns -> (T, H, W), float32


class ChunkLayout(NamedTuple):
    """Where a file's chunks end.

    Attributes:
        side: Rows of a chunk; 1 where there are none.
        first: Row, from the north, of the first edge.
        dates: Acquisitions of a chunk.
    """

    side: int
    first: int
    dates: int

    def after(self, row: int, most: int) -> int:
        """Return the first edge at a row or south of it, *most* at most."""
        return min(row + (self.first - row) % self.side, most)


def read_chunk_layout(band: xr.DataArray) -> ChunkLayout:
    """Find the chunks of a band as it lies in its file, rows in either order."""
    sizes = band.encoding.get("chunks") or band.encoding.get("chunksizes") or ()
    chunk = dict(zip(band.dims, sizes, strict=False))
    side, y = int(chunk.get("y", 1)), band["y"].values
    first = band.sizes["y"] % side if y[0] < y[-1] else 0
    return ChunkLayout(side, first, int(chunk.get("time", 1)))


def read_acquisitions(band: xr.DataArray, steps: Sequence[int], edges: ChunkLayout) -> np.ndarray:
    """Read acquisitions of a band ``(time, y, x)``: one by one, in two thirds of the time, unless they share chunks."""
    if edges.dates > 1:
        return np.asarray(band.isel(time=list(steps)).values)
    found = np.empty((len(steps), *band.shape[1:]), band.dtype)
    for place, step in enumerate(steps):
        found[place] = band[step].values
    return found


@dataclass
class RowCache:
    """A band, of which the rows are kept that the next windows begin with.

    Attributes:
        load: Reads it.
        edges: Where its chunks end.
        height: Its rows.
        starts: First rows of the windows that are to be read, ascending.
    """

    load: Load
    edges: ChunkLayout
    height: int
    starts: Sequence[int]
    _kept: dict[tuple[int, int], tuple[int, np.ndarray]] = field(default_factory=dict)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Read rows ``(T, H, W)``, rounded to half precision, float16."""
        first, there = self._kept.pop((columns.start, columns.stop), (0, None))
        parts, top = [], rows.start
        if there is not None and first <= top <= first + there.shape[1]:
            parts, top = [there[:, top - first :]], first + there.shape[1]
        if top < rows.stop:
            bottom = self.edges.after(rows.stop, self.height)
            parts.append(to_float16(self.load(slice(top, bottom), columns)))
        whole = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        if (place := bisect_right(self.starts, rows.start)) < len(self.starts):
            following = self.starts[place]
            rest = whole[:, following - rows.start :].copy()
            self._kept[columns.start, columns.stop] = (following, rest)
        return whole[:, : rows.stop - rows.start]
