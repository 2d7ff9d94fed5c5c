"""The background thread that sends to the tracker."""

import threading
import time

import pytest

from tuning.store.background import BackgroundSender


def test_drain_runs_all_tasks_in_order() -> None:
    done: list[int] = []
    sender = BackgroundSender()
    for number in range(20):
        sender.submit(f"task {number}", lambda number=number: done.append(number))  # type: ignore[misc]
    sender.drain()
    assert done == list(range(20))


def test_submit_returns_while_a_task_runs() -> None:
    gate, sender = threading.Event(), BackgroundSender()
    sender.submit("slow", lambda: print(gate.wait(60)))
    began = time.monotonic()
    sender.submit("next", lambda: None)
    assert time.monotonic() - began < 5
    assert not gate.is_set()
    gate.set()
    sender.drain()


def test_waiting_task_is_not_submitted_twice() -> None:
    gate, started = threading.Event(), threading.Event()
    done: list[int] = []
    sender = BackgroundSender()

    def wait() -> None:
        started.set()
        gate.wait(60)

    sender.submit("first", wait)
    assert started.wait(60)
    for _ in range(5):
        sender.submit("epochs", lambda: done.append(1))
    gate.set()
    sender.drain()
    assert done == [1]
    sender.submit("epochs", lambda: done.append(2))  # a drained writer starts anew
    sender.drain()
    assert done == [1, 2]


def test_failed_task_is_logged_and_pauses_the_next_ones(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ConnectionError("no route\nand more")

    sender = BackgroundSender(pause_s=0.3)
    sender.submit("the epochs of #07", fail)
    sender.submit("while it rests", lambda: done.append(1))
    sender.drain()
    assert r"Sending the epochs of #07 to the tracker failed (no route). The trials" in caplog.text
    assert done == []
    time.sleep(0.4)
    sender.submit("after the rest", lambda: done.append(2))
    sender.drain()
    assert done == [2]


def test_cancel_discards_the_waiting_tasks() -> None:
    gate, started = threading.Event(), threading.Event()
    done: list[str] = []
    sender = BackgroundSender()

    def wait() -> None:
        started.set()
        gate.wait(60)
        done.append("running")

    sender.submit("running", wait)
    assert started.wait(60)
    sender.submit("waiting", lambda: done.append("waiting"))
    sender.cancel()
    gate.set()
    sender.drain()
    assert done == ["running"]
    sender.submit("waiting", lambda: done.append("later"))
    sender.drain()
    assert done == ["running", "later"]
