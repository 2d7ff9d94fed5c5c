"""Calls a function in a process of its own, for tests of limits: a process of many tests holds freed memory, which no limit counts."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor


def run_apart(function: Callable[..., None], *args: object) -> None:
    """Call a function of a module in a new process; what it raises is raised here."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(function, *args).result()
