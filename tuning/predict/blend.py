"""Windows blended into whole rows, which are written while the next ones are mapped."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from data.scene.windows import Window
from tuning.predict.cog import MASK

Write = Callable[[str, int, np.ndarray], None]  # layer, first row, rows (h, W)


class BackgroundWriter:
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
def background_writer(write: Write) -> Iterator[BackgroundWriter]:
    """Give a writer, and wait for it at the end; after an error what is not begun is left."""
    pool = ThreadPoolExecutor(1)
    try:
        writer = BackgroundWriter(write, pool)
        yield writer
        writer.wait()
    finally:
        pool.shutdown(cancel_futures=True)


class WindowBlender:
    """Weighted sums of the rows that windows may still reach.

    Args:
        width: Columns of the scene.
        layers: What is blended, ``probability`` among it.
        threshold: Probability from which a pixel is landslide.
        writer: Takes finished rows, which are not changed any more.
    """

    def __init__(
        self, width: int, layers: Sequence[str], threshold: float, writer: BackgroundWriter
    ) -> None:
        self._threshold, self._writer = threshold, writer
        self._first = 0  # row of the scene that is row 0 here
        self._sums = {name: _Rows(width, np.float32, 0) for name in layers}
        self._weights = _Rows(width, np.float32, 0)
        self._relief = _Rows(width, np.float32, np.nan)
        self._seen = _Rows(width, bool, 0)
        self._every = (*self._sums.values(), self._weights, self._relief, self._seen)

    def add(
        self, window: Window, layers: dict[str, np.ndarray], seen: np.ndarray, relief: np.ndarray
    ) -> None:
        """Add a window's layers ``(H, W)``."""
        self._reach(window.rows.stop - self._first)
        rows = slice(window.rows.start - self._first, window.rows.stop - self._first)
        at = (rows, window.columns.slice)
        weights = window.weights
        for name, values in layers.items():
            self._sums[name].all[at] += values * weights
        self._weights.all[at] += weights
        self._seen.all[at] |= seen
        self._relief.all[at] = relief

    def _reach(self, height: int) -> None:
        """Make room for the rows down to a window's last."""
        for rows in self._every:
            rows.reach(height)

    def release(self, row: int) -> None:
        """Write what lies above a row of the scene, which no later window reaches."""
        count = row - self._first
        if count <= 0:
            return
        self._writer.wait()
        self._reach(count)
        weights, seen = self._weights.all[:count], self._seen.all[:count]
        for name, total in self._sums.items():
            values = np.full(weights.shape, np.nan, np.float32)
            np.divide(total.all[:count], weights, out=values, where=seen)
            self._writer.submit(name, self._first, values)
            if name == "probability":
                mask = np.where(seen, values >= self._threshold, MASK.nodata)
                self._writer.submit("mask", self._first, mask.astype(MASK.dtype))
        self._writer.submit("relief", self._first, self._relief.all[:count].copy())
        for rows in self._every:
            rows.drop(count)
        self._first = row


class _Rows:
    """Rows of a layer, of which the upper ones go and empty ones come below, in the same memory all the time.

    Attributes:
        all: Shape ``(H, W)``.
    """

    def __init__(self, width: int, dtype: type, fill: float) -> None:
        self._fill = fill
        self.all: np.ndarray = np.empty((0, width), dtype)

    def reach(self, height: int) -> None:
        """Have *height* rows at least."""
        if (missing := height - len(self.all)) > 0:
            more = np.full((missing, self.all.shape[1]), self._fill, self.all.dtype)
            self.all = np.concatenate([self.all, more])

    def drop(self, count: int) -> None:
        """Let the upper rows go."""
        rest = len(self.all) - count
        self.all[:rest] = self.all[count:]
        self.all[rest:] = self._fill
