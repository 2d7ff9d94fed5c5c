import os
import signal
from functools import partial

import pytest

from data.io.processes import ITEMS_PER_WORKER, WorkerDied, map_processes


def double(number: int) -> int:
    return 2 * number


def double_or_die(fatal: int, number: int) -> int:
    if number == fatal:
        os.kill(os.getpid(), signal.SIGKILL)  # like a segmentation fault in a C library
    return 2 * number


def refuse(number: int) -> int:
    raise ValueError(f"no {number}")


def test_results_are_in_the_order_of_the_items() -> None:
    assert list(map_processes(double, range(20), "doubling", workers=2)) == list(range(0, 40, 2))


def test_no_items_give_no_results() -> None:
    assert list(map_processes(double, [], "doubling")) == []


def test_dead_worker_loses_only_its_item() -> None:
    results = list(map_processes(partial(double_or_die, 5), range(8), "doubling", workers=2))
    assert results == [0, 2, 4, 6, 8, WorkerDied(), 12, 14]


def test_exceptions_of_the_work_are_raised() -> None:
    with pytest.raises(ValueError, match="no 3"):
        list(map_processes(refuse, [3], "refusing"))


def get_pid(number: int) -> int:
    return os.getpid()


def test_few_items_share_one_process() -> None:
    assert len(set(map_processes(get_pid, range(2 * ITEMS_PER_WORKER - 1), "counting"))) == 1
