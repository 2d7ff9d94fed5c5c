"""Blends windows into whole rows and writes finished rows while later windows are mapped."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from data.scene.base import WindowData
from data.scene.windows import Window
from tuning.predict.cog import COVERAGE, MASK

Write = Callable[[str, int, np.ndarray], None]  # layer, first row, values (rows, W)


class BackgroundWriter:
    """Writes rows in a thread of its own."""

    def __init__(self, write: Write, pool: ThreadPoolExecutor) -> None:
        self._write, self._pool = write, pool
        self._pending: list[Future[None]] = []

    def submit(self, layer: str, row: int, values: np.ndarray) -> None:
        """Queue rows for writing; the caller must not change *values* any more."""
        self._pending.append(self._pool.submit(self._write, layer, row, values))

    def wait(self) -> None:
        """Wait until all queued rows are written; raise the first error of a write."""
        pending, self._pending = self._pending, []
        for future in pending:
            future.result()


@contextmanager
def background_writer(write: Write) -> Iterator[BackgroundWriter]:
    """Yield a writer and wait for it at the end; after an error, queued rows are dropped."""
    pool = ThreadPoolExecutor(1)
    try:
        writer = BackgroundWriter(write, pool)
        yield writer
        writer.wait()
    finally:
        pool.shutdown(cancel_futures=True)


class WindowBlender:
    """Weighted sums over the rows that later windows may still change.

    Args:
        width: Columns of the scene.
        layers: The blended layers, among them ``probability``.
        threshold: Minimum probability of a landslide pixel.
        writer: Receives finished rows.
        orbits: Number of orbits whose change is written.
    """

    def __init__(
        self,
        width: int,
        layers: Sequence[str],
        threshold: float,
        writer: BackgroundWriter,
        orbits: int,
    ) -> None:
        self._threshold, self._writer = threshold, writer
        self._first_row = 0  # scene row of the buffers' row 0
        self._sums = {name: _RowBuffer(width, np.float32, 0) for name in layers}
        self._weights = _RowBuffer(width, np.float32, 0)
        self._relief = _RowBuffer(width, np.float32, np.nan)
        self._valid = _RowBuffer(width, bool, 0)
        self._coverage = tuple(_RowBuffer(width, np.uint8, COVERAGE.nodata) for _ in COVERAGE.bands)
        self._change = tuple(_RowBuffer(width, np.float32, np.nan) for _ in range(orbits))
        self._buffers = (
            *(*self._sums.values(), *self._coverage, *self._change),
            *(self._weights, self._relief, self._valid),
        )

    def add(self, window: Window, layers: dict[str, np.ndarray], data: WindowData) -> None:
        """Add a window: its layers, each of shape ``(H, W)``, none if there is nothing to map; and what was read."""
        self._grow(window.rows.stop - self._first_row)
        rows = slice(window.rows.start - self._first_row, window.rows.stop - self._first_row)
        area = (rows, window.columns.slice)
        weights = window.weights
        for name, values in layers.items():
            self._sums[name].values[area] += values * weights
        if layers:
            self._weights.values[area] += weights
        self._valid.values[area] |= data.valid
        self._relief.values[area] = data.relief
        for buffer, counts in zip(self._coverage, data.coverage, strict=True):
            buffer.values[area] = counts
        for buffer, change in zip(self._change, data.change, strict=True):
            buffer.values[area] = change

    def _grow(self, height: int) -> None:
        for buffer in self._buffers:
            buffer.grow(height)

    def release(self, row: int) -> None:
        """Write all rows above *row* of the scene, which later windows do not change."""
        count = row - self._first_row
        if count <= 0:
            return
        self._writer.wait()  # so that at most one strip is queued
        self._grow(count)
        weights, valid = self._weights.values[:count], self._valid.values[:count]
        for name, total in self._sums.items():
            values = np.full(weights.shape, np.nan, np.float32)
            np.divide(total.values[:count], weights, out=values, where=valid)
            self._writer.submit(name, self._first_row, values)
            if name == "probability":
                mask = np.where(valid, values >= self._threshold, MASK.nodata)
                self._writer.submit("mask", self._first_row, mask.astype(MASK.dtype))
        coverage = np.stack([buffer.values[:count] for buffer in self._coverage])
        self._writer.submit("coverage", self._first_row, coverage)
        self._writer.submit("relief", self._first_row, self._relief.values[:count].copy())
        change = np.stack([buffer.values[:count] for buffer in self._change])
        self._writer.submit("change", self._first_row, change if len(change) > 1 else change[0])
        for buffer in self._buffers:
            buffer.drop(count)
        self._first_row = row


class _RowBuffer:
    """Rows of a layer in one array that is reused: upper rows are dropped, empty rows follow below.

    Attributes:
        values: Shape ``(H, W)``.
    """

    def __init__(self, width: int, dtype: type, fill: float) -> None:
        self._fill = fill
        self.values: np.ndarray = np.empty((0, width), dtype)

    def grow(self, height: int) -> None:
        """Extend the buffer to at least *height* rows."""
        if (missing := height - len(self.values)) > 0:
            rows = np.full((missing, self.values.shape[1]), self._fill, self.values.dtype)
            self.values = np.concatenate([self.values, rows])

    def drop(self, count: int) -> None:
        """Drop the upper *count* rows."""
        kept = len(self.values) - count
        self.values[:kept] = self.values[count:]
        self.values[kept:] = self._fill
