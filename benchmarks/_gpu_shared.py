"""Several processes that share a GPU, each training whole epochs; a module of its own, which each imports anew."""

import time
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import torch
from _gpu import Network, Side, warm

SECONDS = 4.0


def _train(network: Network, seeds: int, ready: Barrier, found: "Queue[float | str]") -> None:
    """Train until the time is over; leave how many epochs of a seed a second there were."""
    try:
        torch.set_num_threads(2)
        side = Side(network, seeds, network.parts())
        warm(side.run_epoch)
        torch.cuda.synchronize()
        ready.wait(90)
        began, epochs = time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS:
            side.run_epoch()
            epochs += seeds
        torch.cuda.synchronize()
        found.put(epochs / (time.perf_counter() - began))
    except Exception as error:
        ready.abort()
        found.put(f"{type(error).__name__}: {error}")
        raise


def measure_processes(network: Network, processes: int, seeds: int = 1) -> float:
    """Return epochs of a seed a second, over all processes of *seeds* each.

    Raises:
        RuntimeError: If one of them fails.
    """
    context = get_context("spawn")
    ready, found = context.Barrier(processes), context.Queue()
    started = [
        context.Process(target=_train, args=(network, seeds, ready, found))
        for _ in range(processes)
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
