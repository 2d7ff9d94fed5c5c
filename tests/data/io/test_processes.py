import os
import signal
from functools import partial

import pytest

from data.io.processes import ITEMS_PER_WORKER, WorkerDied, map_processes


def double(number: int) -> int:
    return 2 * number


def double_or_die(fatal: int, number: int) -> int:
    if number == fatal:
        os.kill(os.getpid(), signal.SIGKILL)  # as a library's segmentation fault would
    return 2 * number


def refuse(number: int) -> int:
    raise ValueError(f"no {number}")


def test_results_come_in_the_items_order() -> None:
    assert list(map_processes(double, range(20), "doubling", workers=2)) == list(range(0, 40, 2))


def test_nothing_to_do_gives_nothing() -> None:
    assert list(map_processes(double, [], "doubling")) == []


def test_a_process_that_dies_costs_its_own_item_alone() -> None:
    results = list(map_processes(partial(double_or_die, 5), range(8), "doubling", workers=2))
    assert results == [0, 2, 4, 6, 8, WorkerDied(), 12, 14]


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="no 3"):
        list(map_processes(refuse, [3], "refusing"))


def where(number: int) -> int:
    return os.getpid()


def test_few_items_are_one_process_s_work() -> None:
    assert len(set(map_processes(where, range(2 * ITEMS_PER_WORKER - 1), "counting"))) == 1
