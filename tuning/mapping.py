"""A scene mapped window by window, top to bottom: read, predict, blend, write, with memory for one row of windows."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch

from data.scene import Patch, Scene
from data.windows import Window
from tuning.predictor import Predictor
from tuning.rasters import MASK

READ_PX = 2**20  # of the windows that are read at once
MOST_WORKERS = 8  # each holds the maps of a window inside the network, some 0.15 GB
_AHEAD = 1  # batches that are read while one is mapped

Write = Callable[[str, int, np.ndarray], None]  # layer, first row, rows (h, W)


class _Batch(NamedTuple):
    """Windows of one size, and what was read of each."""

    windows: list[Window]
    patches: list[Patch]


def map_scene(
    scene: Scene,
    windows: Sequence[Window],
    predictor: Predictor,
    write: Write,
    *,
    threshold: float,
    progress: Callable[[int], object] = lambda _: None,
) -> None:
    """Map a scene.

    Args:
        scene: What is mapped.
        windows: Where, of ``scene.lay_windows``.
        predictor: The networks.
        write: Takes finished rows, each once from the top: of the predictor's layers, ``mask`` and ``relief``.
        threshold: Probability from which a pixel is landslide.
        progress: Called with the number of windows that were mapped since.

    Raises:
        ValueError: If a window cannot be read.
    """
    blend = _Blend(scene.grid.width, predictor.layers, threshold, write)
    groups = _group(windows, max(READ_PX, predictor.batch_px))
    # Reading waits for the disk, or unpacks, beside the networks.
    with ThreadPoolExecutor(1) as reader, _sharing_cores(predictor) as workers:
        pending: deque[_Asked] = deque()
        for batch, done in _read_ahead(reader, scene, groups):
            progress(done - len(batch.windows))
            pending.extend(_ask(workers.pool, predictor, batch))
            while len(pending) > 2 * workers.count:
                progress(_add(blend, pending.popleft()))
        for asked in pending:
            progress(_add(blend, asked))
    blend.release(scene.grid.height)


@dataclass(frozen=True)
class _Workers:
    """Threads that ask the networks, and their number."""

    pool: ThreadPoolExecutor
    count: int


@contextmanager
def _sharing_cores(predictor: Predictor) -> Iterator[_Workers]:
    """Give threads that map a window each: side by side they wait less than when all cores share one window."""
    cores = torch.get_num_threads()
    count = min(cores, MOST_WORKERS) if predictor.device.type == "cpu" else 1
    torch.set_num_threads(max(1, cores // count))
    pool = ThreadPoolExecutor(count)
    try:
        yield _Workers(pool, count)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)


def _group(windows: Sequence[Window], read_px: int) -> Iterator[list[Window]]:
    """Yield windows that begin in one row and have one size, those that are read together."""
    for _, row in groupby(windows, lambda window: (window.rows.start, window.shape)):
        same = list(row)
        size = max(1, read_px // (same[0].shape[0] * same[0].shape[1]))
        for start in range(0, len(same), size):
            yield same[start : start + size]


def _read_ahead(
    pool: ThreadPoolExecutor, scene: Scene, groups: Iterator[list[Window]]
) -> Iterator[tuple[_Batch, int]]:
    """Yield what was read, and of how many windows, while the next batches are being read."""
    coming: list[tuple[Future[_Batch], int]] = []
    for group in groups:
        coming.append((pool.submit(_read, scene, group), len(group)))
        if len(coming) > _AHEAD:
            future, count = coming.pop(0)
            yield future.result(), count
    for future, count in coming:
        yield future.result(), count


def _read(scene: Scene, windows: list[Window]) -> _Batch:
    read = zip(windows, scene.read_all(windows), strict=True)
    found = [(window, patch) for window, patch in read if patch is not None]
    return _Batch([window for window, _ in found], [patch for _, patch in found])


class _Asked(NamedTuple):
    """Windows that the networks are asked about, and their answer to come."""

    windows: list[Window]
    patches: list[Patch]
    answer: Future[dict[str, np.ndarray]]


def _ask(pool: ThreadPoolExecutor, predictor: Predictor, batch: _Batch) -> Iterator[_Asked]:
    """Hand a batch over, in parts that fit the predictor."""
    height, width = batch.windows[0].shape if batch.windows else (1, 1)
    size = max(1, predictor.batch_px // (height * width))
    for start in range(0, len(batch.windows), size):
        windows = batch.windows[start : start + size]
        patches = batch.patches[start : start + size]
        yield _Asked(windows, patches, pool.submit(_predict, predictor, patches))


def _predict(predictor: Predictor, patches: list[Patch]) -> dict[str, np.ndarray]:
    first, *others = (patch.x for patch in patches)
    return predictor(np.stack([first, *others]) if others else first[None])


def _add(blend: "_Blend", asked: _Asked) -> int:
    """Blend windows in, once they are mapped, above which nothing changes any more; return how many."""
    layers = asked.answer.result()
    for place, (window, patch) in enumerate(zip(asked.windows, asked.patches, strict=True)):
        blend.release(window.rows.start)
        values = {name: layer[place] for name, layer in layers.items()}
        blend.add(window, values, patch.seen, patch.relief)
    return len(asked.windows)


class _Blend:
    """Weighted sums of the rows that windows may still reach.

    Args:
        width: Columns of the scene.
        layers: What is blended, ``probability`` among it.
        threshold: Probability from which a pixel is landslide.
        write: Takes finished rows.
    """

    def __init__(self, width: int, layers: Sequence[str], threshold: float, write: Write) -> None:
        self._threshold, self._write = threshold, write
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
        self._reach(count)
        weights, seen = self._weights[:count], self._seen[:count]
        for name, total in self._sums.items():
            values = np.full(weights.shape, np.nan, np.float32)
            np.divide(total[:count], weights, out=values, where=seen)
            self._write(name, self._first, values)
            if name == "probability":
                mask = np.where(seen, values >= self._threshold, MASK.nodata)
                self._write("mask", self._first, mask.astype(MASK.dtype))
        self._write("relief", self._first, self._relief[:count])
        self._sums = {name: total[count:] for name, total in self._sums.items()}
        self._weights, self._seen = self._weights[count:], self._seen[count:]
        self._relief, self._first = self._relief[count:], row


def _grow(rows: np.ndarray, height: int, fill: float) -> np.ndarray:
    """Return the rows with more below, so that they are *height* at least."""
    missing = max(0, height - len(rows))
    more = np.full((missing, rows.shape[1]), fill, rows.dtype)
    return np.concatenate([rows, more]) if missing else rows
