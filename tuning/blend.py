"""Windows blended into whole rows, which are written while the next ones are mapped."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from data.windows import Window
from tuning.rasters import MASK

Write = Callable[[str, int, np.ndarray], None]  # layer, first row, rows (h, W)


class Writer:
    """Writes in a thread of its own, what was released at once."""

    def __init__(self, write: Write, pool: ThreadPoolExecutor) -> None:
        self._write, self._pool = write, pool
        self._begun: list[Future[None]] = []

    def submit(self, layer: str, row: int, values: np.ndarray) -> None:
        """Write soon."""
        self._begun.append(self._pool.submit(self._write, layer, row, values))

    def wait(self) -> None:
        """Wait until all is written, so that no more than one strip is on its way; raises what went wrong."""
        begun, self._begun = self._begun, []
        for one in begun:
            one.result()


@contextmanager
def writing_behind(write: Write) -> Iterator[Writer]:
    """Give a writer, and wait for it at the end; after an error what is not begun is left."""
    pool = ThreadPoolExecutor(1)
    try:
        writer = Writer(write, pool)
        yield writer
        writer.wait()
    finally:
        pool.shutdown(cancel_futures=True)


class Blend:
    """Weighted sums of the rows that windows may still reach.

    Args:
        width: Columns of the scene.
        layers: What is blended, ``probability`` among it.
        threshold: Probability from which a pixel is landslide.
        writer: Takes finished rows, which are not changed any more.
    """

    def __init__(self, width: int, layers: Sequence[str], threshold: float, writer: Writer) -> None:
        self._threshold, self._writer = threshold, writer
        self._first = 0  # row of the scene that is row 0 here
        self._sums = {name: np.zeros((0, width), np.float32) for name in layers}
        self._weights = np.zeros((0, width), np.float32)
        self._relief = np.zeros((0, width), np.float32)
        self._seen = np.zeros((0, width), bool)

    def add(
        self, window: Window, layers: dict[str, np.ndarray], seen: np.ndarray, relief: np.ndarray
    ) -> None:
        """Add a window's layers ``(H, W)``."""
        self._reach(window.rows.stop - self._first)
        rows = slice(window.rows.start - self._first, window.rows.stop - self._first)
        at = (rows, window.columns.slice)
        weights = window.weights
        for name, values in layers.items():
            self._sums[name][at] += values * weights
        self._weights[at] += weights
        self._seen[at] |= seen
        self._relief[at] = relief

    def _reach(self, height: int) -> None:
        """Make room for the rows down to a window's last."""
        self._sums = {name: _grow(total, height, 0) for name, total in self._sums.items()}
        self._weights = _grow(self._weights, height, 0)
        self._relief = _grow(self._relief, height, np.nan)
        self._seen = _grow(self._seen, height, fill=False)

    def release(self, row: int) -> None:
        """Write what lies above a row of the scene, which no later window reaches."""
        count = row - self._first
        if count <= 0:
            return
        self._writer.wait()
        self._reach(count)
        weights, seen = self._weights[:count], self._seen[:count]
        for name, total in self._sums.items():
            values = np.full(weights.shape, np.nan, np.float32)
            np.divide(total[:count], weights, out=values, where=seen)
            self._writer.submit(name, self._first, values)
            if name == "probability":
                mask = np.where(seen, values >= self._threshold, MASK.nodata)
                self._writer.submit("mask", self._first, mask.astype(MASK.dtype))
        self._writer.submit("relief", self._first, self._relief[:count])
        self._sums = {name: total[count:] for name, total in self._sums.items()}
        self._weights, self._seen = self._weights[count:], self._seen[count:]
        self._relief, self._first = self._relief[count:], row


def _grow(rows: np.ndarray, height: int, fill: float) -> np.ndarray:
    """Return the rows with more below, so that they are *height* at least."""
    missing = max(0, height - len(rows))
    more = np.full((missing, rows.shape[1]), fill, rows.dtype)
    return np.concatenate([rows, more]) if missing else rows
