"""A process pool that survives the death of a worker, and tells a killed worker from one that crashed.

Workers are forked from a server process, which imports once what readers of tiles need; never from this process, whose
threads may hold locks. Where the system cannot do that, each is a new Python.
"""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import forkserver, get_all_start_methods, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess
from typing import Any, Generic, TypeVar, cast

from tqdm import tqdm

QUEUED_PER_WORKER = 4  # results that may wait for their turn; more would fill the memory
ITEMS_PER_WORKER = 8  # fewer items do not repay the start of a process
KILL_WAITS_S = (0.0, 1.0, 3.0, 6.0)  # before each try of an item whose process was killed
CRASH_TRIES = 2  # of an item whose process crashed: a damaged file crashes it each time
IMPORTED = ("xarray", "netCDF4")  # by the server
_SERVER_DIED = 255  # exit code that multiprocessing reports if the server was killed
_KILLED = (-signal.SIGKILL, -signal.SIGTERM, _SERVER_DIED)
_SAFE_PATH = "PYTHONSAFEPATH"

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Answer(Generic[Result]):
    """What a process sends back: the result of *work*, or the exception that it raised."""

    result: Result
    error: Exception | None = None


@dataclass(frozen=True)
class WorkerDied:
    """The result for an item whose worker process died each time.

    Attributes:
        killed: Whether it was killed from outside, as for want of memory, which says nothing about the item; else it
            crashed, for example in a C library that read a damaged file.
    """

    killed: bool = field(default=False, compare=False)


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

    After the death of a worker the next item is tried alone, again after some seconds if it was killed; then there are
    half as many workers, which need less memory.

    Args:
        work: Function at the top level of a module, or a partial of one. Its exceptions are raised here.
        items: Its arguments.
        title: Title of the progress bar.
        workers: Number of processes; by default one per core, but at least ``ITEMS_PER_WORKER`` items for each.
        progress: Whether to show the bar on stderr.

    Yields:
        One result per item, :class:`WorkerDied` if its process died at every try.
    """
    count = max(1, min(workers or min(count_cpus(), len(items) // ITEMS_PER_WORKER), len(items)))
    with tqdm(total=len(items), desc=title, unit="tile", disable=not progress) as bar:
        done = 0
        while done < len(items):
            for result in _map_until_death(work, items[done:], count):
                yield result
                bar.update()
                done += 1
            if done < len(items):  # a worker died: see whether the next item is the cause
                alone = _try_alone(work, items[done])
                yield alone
                bar.update()
                done += 1
                if not isinstance(alone, WorkerDied) or alone.killed:
                    count = max(1, count // 2)


def _choose_context() -> ForkServerContext | SpawnContext:
    """Return how worker processes start; the server runs from then on until this process ends."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"  # the server must not import a namesake from the working folder
    try:
        forkserver.ensure_running()
    finally:
        del os.environ[_SAFE_PATH]
        if before is not None:
            os.environ[_SAFE_PATH] = before
    return context


def _map_until_death(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Yield results in order until a worker dies."""
    context = _choose_context()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
        queue: deque[Future[Result]] = deque()
        rest = iter(items)
        try:
            while True:
                while len(queue) < QUEUED_PER_WORKER * workers and (
                    (item := next(rest, None)) is not None
                ):
                    try:
                        queue.append(pool.submit(work, item))
                    except ConnectionError:  # the server has just been killed
                        for begun in (pool._processes or {}).values():
                            begun.terminate()  # none of them will get an item
                        return
                if not queue:
                    return
                yield queue.popleft().result()
        except BrokenProcessPool:
            return
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _try_alone(work: Callable[[Item], Result], item: Item) -> Result | WorkerDied:
    """Call *work* in a process of its own, again if it dies."""
    crashes, waits_s = 0, iter(KILL_WAITS_S)
    while True:
        answer, exit_code = _run_alone(work, item)
        if answer:
            if answer.error is not None:
                raise answer.error
            return answer.result
        if exit_code in _KILLED:
            if (wait_s := next(waits_s, None)) is None:
                return WorkerDied(killed=True)
            time.sleep(wait_s)
        elif (crashes := crashes + 1) == CRASH_TRIES:
            return WorkerDied()


def _run_alone(
    work: Callable[[Item], Result], item: Item
) -> tuple[_Answer[Result] | None, int | None]:
    """Return the answer of a process of its own, None if it died; and its exit code."""
    context = _choose_context()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, work, item))
    try:
        process.start()
    except ConnectionError:  # the server has just been killed
        receiver.close()
        sender.close()
        return None, _SERVER_DIED
    sender.close()  # so that the death of the process ends the wait
    try:
        answer = cast("_Answer[Result]", receiver.recv())
    except EOFError:
        return None, _join(process)
    finally:
        receiver.close()
    return answer, _join(process)


def _join(process: ForkServerProcess | SpawnProcess) -> int | None:
    process.join()
    return process.exitcode


def end_with_parent() -> None:
    """End this worker process when its parent is gone: a parent that was killed cannot tell its workers."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _answer(sender: Connection, work: Callable[[Item], Any], item: Item) -> None:
    end_with_parent()
    try:
        answer = _Answer(work(item))
    except Exception as error:  # noqa: BLE001 - raised in the other process
        answer = _Answer(None, error)
    sender.send(answer)
