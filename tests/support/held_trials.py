"""Trials that wait, so that those of another node of a cluster begin first."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def hold_trials(parent: int, seconds: float = 240) -> Iterator[None]:
    """Stop each process that trains below a process for some seconds, at most until the end of the body."""
    stopped: dict[psutil.Process, float] = {}
    done = threading.Event()

    def hold() -> None:
        while not done.wait(0.25):
            for one in list_training(parent):
                if one not in stopped:
                    one.suspend()
                    stopped[one] = time.monotonic()
            resume(one for one, since in stopped.items() if time.monotonic() > since + seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        resume(stopped)


def list_training(parent: int) -> list[psutil.Process]:
    """List the processes of Ray below a process that run a trial."""
    found = []
    for one in psutil.Process(parent).children(recursive=True):
        try:
            found += [one] if one.cmdline()[:1] == ["ray::ImplicitFunc.train"] else []
        except psutil.NoSuchProcess:
            continue
    return found


def resume(processes: Iterable[psutil.Process]) -> None:
    for one in processes:
        if one.is_running():
            one.resume()
