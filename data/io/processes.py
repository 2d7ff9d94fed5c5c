"""A process pool that survives a dead worker."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

from tqdm import tqdm


def count_cpus() -> int:
    """Count the cores that this process may use, which on Linux may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


AHEAD = 4  # results per process that may wait for their turn; more would fill the memory
REPAID = 8  # items that repay a process's start

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class WorkerDied:
    """The answer for an item whose process died, as a damaged file can make a C library do."""


def map_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    title: str,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Iterator[Result | WorkerDied]:
    """Call *work* on every item in processes of their own; yield the results in the items' order.

    Args:
        work: Function of a module's top level, or a partial of one. What it raises is raised here.
        items: What to work on.
        title: What the progress bar says.
        workers: Processes; when left out, the cores at hand, or fewer where a process would get less than
            ``REPAID`` items.
        progress: Whether to show the bar on stderr.

    Yields:
        One result per item, :class:`WorkerDied` where its process died.
    """
    wanted = workers or min(count_cpus(), len(items) // REPAID)
    count = max(1, min(wanted, len(items)))
    with tqdm(total=len(items), desc=title, unit="tile", disable=not progress) as bar:
        done = 0
        while done < len(items):
            for result in _until_broken(work, items[done:], count):
                yield result
                bar.update()
                done += 1
            if done < len(items):  # some process died: the next one dies alone if it is the cause
                yield next(_until_broken(work, items[done : done + 1], 1), WorkerDied())
                bar.update()
                done += 1


def _until_broken(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield results in order until one's process dies."""
    # Spawned, not forked: a fork of a process with threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Result]] = deque()
        left = iter(items)
        try:
            while True:
                while len(waiting) < AHEAD * workers and (item := next(left, None)) is not None:
                    waiting.append(pool.submit(work, item))
                if not waiting:
                    return
                yield waiting.popleft().result()
        except BrokenProcessPool:
            return
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
