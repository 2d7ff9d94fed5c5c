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

from data.scene.base import Scene, WindowData
from data.scene.windows import Window
from tuning.predict.blend import WindowBlender, Write, background_writer
from tuning.predict.predictor import Predictor

READ_PX = 2**20  # of the windows that are read at once
MOST_WORKERS = 8  # each holds the maps of a window inside the network, some 0.15 GB
_AHEAD = 1  # batches that are read while one is mapped


class _Batch(NamedTuple):
    """Windows of one size, and what was read of each."""

    windows: list[Window]
    patches: list[WindowData]


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
        windows: Where, of ``scene.list_windows``.
        predictor: The networks.
        write: Takes finished rows, each once from the top: of the predictor's layers, ``mask`` and ``relief``.
        threshold: Probability from which a pixel is landslide.
        progress: Called with the number of windows that were mapped since.

    Raises:
        ValueError: If a window cannot be read.
    """
    groups = _group(windows, max(READ_PX, predictor.batch_px))
    # Reading and writing wait for the disk, pack and unpack, beside the networks.
    with (
        ThreadPoolExecutor(1) as reader,
        background_writer(write) as writer,
        _sharing_cores(predictor) as workers,
    ):
        blend = WindowBlender(scene.grid.width, predictor.layers, threshold, writer)
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
    patches: list[WindowData]
    answer: Future[dict[str, np.ndarray]]


def _ask(pool: ThreadPoolExecutor, predictor: Predictor, batch: _Batch) -> Iterator[_Asked]:
    """Hand a batch over, in parts that fit the predictor."""
    if not batch.windows:
        return
    height, width = batch.windows[0].shape
    size = max(1, predictor.batch_px // (height * width))
    for start in range(0, len(batch.windows), size):
        windows = batch.windows[start : start + size]
        patches = batch.patches[start : start + size]
        yield _Asked(windows, patches, pool.submit(_predict, predictor, patches))


def _predict(predictor: Predictor, patches: list[WindowData]) -> dict[str, np.ndarray]:
    first, *others = (patch.x for patch in patches)
    return predictor(np.stack([first, *others]) if others else first[None])


def _add(blend: WindowBlender, asked: _Asked) -> int:
    """Blend windows in, once they are mapped, above which nothing changes any more; return how many."""
    layers = asked.answer.result()
    for place, (window, patch) in enumerate(zip(asked.windows, asked.patches, strict=True)):
        blend.release(window.rows.start)
        values = {name: layer[place] for name, layer in layers.items()}
        blend.add(window, values, patch.seen, patch.relief)
    return len(asked.windows)
