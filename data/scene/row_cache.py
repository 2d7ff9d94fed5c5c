"""A datacube's band, read from north to south in whole chunks, so that no chunk is decompressed twice.

Values are rounded to half precision, in which packs store backscatter and slope.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

Load = Callable[[slice, slice], np.ndarray]  # rows and columns -> (T, H, W), float32


class ChunkLayout(NamedTuple):
    """The chunks of a band in its file.

    Attributes:
        rows: Rows per chunk; 1 if the file is not chunked.
        first_edge: Row, from the north, at which the first chunk ends (modulo *rows*).
        dates: Acquisitions per chunk.
    """

    rows: int
    first_edge: int
    dates: int

    def next_edge(self, row: int, height: int) -> int:
        """Return the first chunk edge at or south of a row, at most *height*."""
        return min(row + (self.first_edge - row) % self.rows, height)


def read_chunk_layout(band: xr.DataArray) -> ChunkLayout:
    """Return the chunks of a band as stored; its rows may run north or south."""
    sizes = band.encoding.get("chunks") or band.encoding.get("chunksizes") or ()
    chunk = dict(zip(band.dims, sizes, strict=False))
    rows, y = int(chunk.get("y", 1)), band["y"].values
    first_edge = band.sizes["y"] % rows if y[0] < y[-1] else 0
    return ChunkLayout(rows, first_edge, int(chunk.get("time", 1)))


def read_acquisitions(band: xr.DataArray, steps: Sequence[int], layout: ChunkLayout) -> np.ndarray:
    """Read acquisitions of a band ``(time, y, x)``.

    Reading date by date takes two thirds of the time of one indexed read, unless dates share chunks.
    """
    if layout.dates > 1:
        return np.asarray(band.isel(time=list(steps)).values)
    values = np.empty((len(steps), *band.shape[1:]), band.dtype)
    for index, step in enumerate(steps):
        values[index] = band[step].values
    return values


@dataclass
class RowCache:
    """Reads a band in whole chunks and caches the rows that the next windows start with.

    Attributes:
        load: Reads rows and columns of the band.
        layout: The band's chunks.
        height: Number of rows.
        starts: First rows of the windows that will be read, ascending.
    """

    load: Load
    layout: ChunkLayout
    height: int
    starts: Sequence[int]
    # By first and last column: first cached row and its values.
    _cached: dict[tuple[int, int], tuple[int, np.ndarray]] = field(default_factory=dict)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Read rows, shape ``(T, H, W)``, rounded to half precision, float16."""
        first, cached = self._cached.pop((columns.start, columns.stop), (0, None))
        blocks, top = [], rows.start
        if cached is not None and first <= top <= first + cached.shape[1]:
            blocks, top = [cached[:, top - first :]], first + cached.shape[1]
        if top < rows.stop:
            bottom = self.layout.next_edge(rows.stop, self.height)
            blocks.append(to_float16(self.load(slice(top, bottom), columns)))
        values = np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
        if (index := bisect_right(self.starts, rows.start)) < len(self.starts):
            next_start = self.starts[index]
            overlap = values[:, next_start - rows.start :].copy()
            self._cached[columns.start, columns.stop] = (next_start, overlap)
        return values[:, : rows.stop - rows.start]


def to_float16(values: np.ndarray) -> np.ndarray:
    """Convert float32 to float16, as a pack stores backscatter and slope."""
    # Torch rounds as NumPy does, five times as fast.
    half: np.ndarray = torch.from_numpy(np.ascontiguousarray(values)).half().numpy()
    return half


def round_to_float16(values: np.ndarray) -> np.ndarray:
    """Round float32 values to half precision; the result is float32."""
    return np.asarray(torch.from_numpy(to_float16(values)).float().numpy())
