"""Maps a scene window by window from north to south, with memory for one row of windows: read, predict, blend, write."""

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

READ_PX = 2**20  # pixels of the windows in one read
MAX_WORKERS = 8  # each holds a window's feature maps, about 0.15 GB
READ_AHEAD = 1  # batches that are read while another is mapped


class _Batch(NamedTuple):
    """Windows of one size and their data."""

    windows: list[Window]
    data: list[WindowData]


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
        scene: The scene.
        windows: Its windows, of ``scene.list_windows``.
        predictor: The networks.
        write: Receives finished rows, each once and from the top, of the predictor's layers, ``mask``,
            ``coverage``, ``change`` and ``relief``.
        threshold: Minimum probability of a landslide pixel.
        progress: Called with the number of windows mapped since the last call.

    Raises:
        ValueError: If a window cannot be read.
    """
    groups = _group(windows, max(READ_PX, predictor.batch_px))
    # Reading and writing (disk and compression) run beside the networks.
    with (
        ThreadPoolExecutor(1) as reader,
        background_writer(write) as writer,
        _worker_threads(predictor) as workers,
    ):
        orbits = len(scene.spec.orbits)
        blender = WindowBlender(scene.grid.width, predictor.layers, threshold, writer, orbits)
        pending: deque[_Prediction] = deque()
        for batch, count in _read_ahead(reader, scene, groups):
            progress(count - len(batch.windows))  # windows without data
            pending.extend(_submit(workers.pool, predictor, batch))
            while len(pending) > 2 * workers.count:
                progress(_blend(blender, pending.popleft()))
        for prediction in pending:
            progress(_blend(blender, prediction))
        blender.release(scene.grid.height)


@dataclass(frozen=True)
class _Workers:
    """A pool of prediction threads and their number."""

    pool: ThreadPoolExecutor
    count: int


@contextmanager
def _worker_threads(predictor: Predictor) -> Iterator[_Workers]:
    """Yield threads that map one window each: on a CPU this is faster than one window on all cores."""
    cores = torch.get_num_threads()
    count = min(cores, MAX_WORKERS) if predictor.device.type == "cpu" else 1
    torch.set_num_threads(max(1, cores // count))
    pool = ThreadPoolExecutor(count)
    try:
        yield _Workers(pool, count)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)


def _group(windows: Sequence[Window], read_px: int) -> Iterator[list[Window]]:
    """Yield the windows of each read: the same first row and size, about *read_px* pixels."""
    for _, row in groupby(windows, lambda window: (window.rows.start, window.shape)):
        same = list(row)
        size = max(1, read_px // (same[0].shape[0] * same[0].shape[1]))
        for start in range(0, len(same), size):
            yield same[start : start + size]


def _read_ahead(
    pool: ThreadPoolExecutor, scene: Scene, groups: Iterator[list[Window]]
) -> Iterator[tuple[_Batch, int]]:
    """Yield each batch and its number of windows, while the next batches are being read."""
    pending: list[tuple[Future[_Batch], int]] = []
    for group in groups:
        pending.append((pool.submit(_read, scene, group), len(group)))
        if len(pending) > READ_AHEAD:
            future, count = pending.pop(0)
            yield future.result(), count
    for future, count in pending:
        yield future.result(), count


def _read(scene: Scene, windows: list[Window]) -> _Batch:
    """Read windows and drop those without data."""
    pairs = zip(windows, scene.read_all(windows), strict=True)
    mapped = [(window, data) for window, data in pairs if data is not None]
    return _Batch([window for window, _ in mapped], [data for _, data in mapped])


class _Prediction(NamedTuple):
    """Windows whose prediction runs in a worker thread; None if there is nothing to predict."""

    windows: list[Window]
    data: list[WindowData]
    layers: Future[dict[str, np.ndarray]] | None


def _submit(pool: ThreadPoolExecutor, predictor: Predictor, batch: _Batch) -> Iterator[_Prediction]:
    """Start the predictions of a batch, split to the predictor's batch size, for windows with pixels to map."""
    pairs = list(zip(batch.windows, batch.data, strict=True))
    if empty := [pair for pair in pairs if not pair[1].valid.any()]:
        yield _Prediction([window for window, _ in empty], [data for _, data in empty], None)
    if not (pairs := [pair for pair in pairs if pair[1].valid.any()]):
        return
    height, width = pairs[0][0].shape
    size = max(1, predictor.batch_px // (height * width))
    for start in range(0, len(pairs), size):
        windows = [window for window, _ in pairs[start : start + size]]
        data = [data for _, data in pairs[start : start + size]]
        yield _Prediction(windows, data, pool.submit(_predict, predictor, data))


def _predict(predictor: Predictor, windows: list[WindowData]) -> dict[str, np.ndarray]:
    first, *others = (data.x for data in windows)
    days = np.stack([data.days for data in windows])
    return predictor(np.stack([first, *others]) if others else first[None], days)


def _blend(blender: WindowBlender, prediction: _Prediction) -> int:
    """Wait for a prediction, write the rows above it and blend it; return the number of windows."""
    layers = prediction.layers.result() if prediction.layers else {}
    for index, (window, data) in enumerate(zip(prediction.windows, prediction.data, strict=True)):
        blender.release(window.rows.start)
        values = {name: layer[index] for name, layer in layers.items()}
        blender.add(window, values, data)
    return len(prediction.windows)
