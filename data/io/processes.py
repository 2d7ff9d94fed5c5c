"""A process pool that survives the death of a worker."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

from tqdm import tqdm

QUEUED_PER_WORKER = 4  # results that may wait for their turn; more would fill the memory
ITEMS_PER_WORKER = 8  # fewer items do not repay the start of a process

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class WorkerDied:
    """The result for an item whose worker process died, for example in a C library that read a damaged file."""


def count_cpus() -> int:
    """Return the number of cores this process may use; on Linux its affinity may be less than all cores."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    title: str,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Iterator[Result | WorkerDied]:
    """Call *work* on each item in worker processes, and yield the results in the order of the items.

    Args:
        work: Function at the top level of a module, or a partial of one. Its exceptions are raised here.
        items: Its arguments.
        title: Title of the progress bar.
        workers: Number of processes; by default one per core, but at least ``ITEMS_PER_WORKER`` items for each.
        progress: Whether to show the bar on stderr.

    Yields:
        One result per item, :class:`WorkerDied` if its process died.
    """
    count = max(1, min(workers or min(count_cpus(), len(items) // ITEMS_PER_WORKER), len(items)))
    with tqdm(total=len(items), desc=title, unit="tile", disable=not progress) as bar:
        done = 0
        while done < len(items):
            for result in _map_until_death(work, items[done:], count):
                yield result
                bar.update()
                done += 1
            if done < len(
                items
            ):  # a worker died: run the next item alone to see if it is the cause
                yield next(_map_until_death(work, items[done : done + 1], 1), WorkerDied())
                bar.update()
                done += 1


def _map_until_death(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield results in order until a worker dies."""
    # Spawn, not fork: forking a process with threads may deadlock.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        queue: deque[Future[Result]] = deque()
        rest = iter(items)
        try:
            while True:
                while len(queue) < QUEUED_PER_WORKER * workers and (
                    (item := next(rest, None)) is not None
                ):
                    queue.append(pool.submit(work, item))
                if not queue:
                    return
                yield queue.popleft().result()
        except BrokenProcessPool:
            return
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
