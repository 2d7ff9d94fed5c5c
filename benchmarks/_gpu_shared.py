"""Whole trainings, with validation, history and checkpoints: several seeds in a process, several processes on a GPU."""

import contextlib
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from _gpu import GPU, WARM_EPOCHS, Network

from tuning.train.multi_seed import SeedRun, fit_stacked
from tuning.trial.folder import Row

SECONDS = 4.0


class EnoughError(Exception):
    """Raised when the measurement's time is over."""


class Pace:
    """Counts epochs after every seed has finished its first ones, and stops the training after some time."""

    def __init__(self, seeds: int, ready: Callable[[], object]) -> None:
        self._cold, self._ready = seeds, ready
        self._epochs, self._began, self.rate = 0, 0.0, 0.0

    def __call__(self, row: Row) -> None:
        """Count an epoch."""
        if self._cold:
            self._cold -= row["epoch"] == WARM_EPOCHS
            if not self._cold:
                self._ready()
                self._began = time.perf_counter()
            return
        self._epochs += 1
        passed = time.perf_counter() - self._began
        if passed > SECONDS:
            self.rate = self._epochs / passed
            raise EnoughError


def measure_fit(network: Network, seeds: int, ready: Callable[[], object] = lambda: None) -> float:
    """Return the epochs per second of all seeds."""
    pace = Pace(seeds, ready)
    with TemporaryDirectory() as folder, contextlib.suppress(EnoughError):
        stack = [SeedRun(network.config(n), Path(folder) / str(n), pace) for n in range(seeds)]
        fit_stacked(stack, network.load(), device=GPU)
    return pace.rate


def _run(network: Network, seeds: int, ready: Barrier, found: "Queue[float | str]") -> None:
    try:
        torch.set_num_threads(2)
        found.put(measure_fit(network, seeds, lambda: ready.wait(90)))
    except Exception as error:
        ready.abort()
        found.put(f"{type(error).__name__}: {error}")
        raise


def measure_processes(network: Network, processes: int, seeds: int = 1) -> float:
    """Return the epochs per second of all processes with *seeds* each.

    Raises:
        RuntimeError: If one of them fails.
    """
    context = get_context("spawn")
    ready, found = context.Barrier(processes), context.Queue()
    started = [
        context.Process(target=_run, args=(network, seeds, ready, found)) for _ in range(processes)
    ]
    for process in started:
        process.start()
    try:
        rates = [found.get(timeout=120) for _ in started]
    finally:
        for process in started:
            process.join(10)
            process.kill()
    if failed := [rate for rate in rates if isinstance(rate, str)]:
        raise RuntimeError(failed[0])
    return float(sum(rates))
