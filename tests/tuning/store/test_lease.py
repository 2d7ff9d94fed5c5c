"""The lease of a server, on an experiment of a few lines whose tags several threads write at once."""

import json
import os
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from tuning.store import lease
from tuning.store.database import SQLITE
from tuning.store.lease import LEASE, hold_lease, lock_registry


class Tracker:
    """An MLflow client with one experiment; each call takes a moment, so that others come between."""

    def __init__(self, uri: str = "http://tracker") -> None:
        self.tracking_uri, self.tags = uri, dict[str, str]()

    def get_experiment(self, _: str) -> Any:
        time.sleep(0.002)
        return SimpleNamespace(tags=dict(self.tags))

    def set_experiment_tag(self, _: str, key: str, value: str) -> None:
        time.sleep(0.002)
        self.tags[key] = value

    def delete_experiment_tag(self, _: str, key: str) -> None:
        if key not in self.tags:
            raise MlflowException("no such tag")
        del self.tags[key]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "WAITS_S", (0.002, 0.02))


def hold_in_turn(tracker: Any, count: int) -> list[int]:
    """Let some threads register at once; return how many were at it at each moment."""
    inside, seen = [0], list[int]()

    def register() -> None:
        with lock_registry(tracker, "1"):
            inside[0] += 1
            seen.append(inside[0])
            time.sleep(0.01)
            inside[0] -= 1

    threads = [threading.Thread(target=register) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


@pytest.mark.parametrize("place", ["server", "sqlite"])
def test_one_registers_at_a_time(place: str, tmp_path: Path) -> None:
    tracker = Tracker(*([f"{SQLITE}{tmp_path / 'mlflow.db'}"] if place == "sqlite" else []))
    assert hold_in_turn(tracker, 5) == [1] * 5
    assert tracker.tags == {}
    assert (tmp_path / "mlflow.db.lock").exists() == (place == "sqlite")


def note(**changes: object) -> str:
    own = {"host": socket.gethostname(), "pid": os.getpid(), "until": time.time() + 60}
    return json.dumps({**own, **changes})


@pytest.mark.parametrize(
    "dead",
    [{"until": 1.0}, {"pid": 2**22 + 1}, {"host": "x", "until": 0}, "no JSON", "[]", '{"until": "soon"}'],
)  # fmt: skip
def test_lease_of_a_dead_process_does_not_hold(dead: dict[str, object] | str) -> None:
    dead = dead if isinstance(dead, str) else note(**dead)
    tracker: Any = Tracker()
    tracker.tags[f"{LEASE}.registry.dead"] = dead
    with hold_lease(tracker, "1", "registry"):
        assert len(tracker.tags) == 2


def test_lease_is_waited_for_and_renewed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lease, "RENEWED_S", 0.01)
    tracker: Any = Tracker()
    tracker.tags[f"{LEASE}.registry.other"] = note(host="elsewhere", until=time.time() + 0.2)
    caplog.set_level("INFO")
    with hold_lease(tracker, "1", "registry", "Waiting: another command registers."):
        (key,) = [key for key in tracker.tags if not key.endswith("other")]
        before = tracker.tags[key]
        time.sleep(0.1)
        assert json.loads(tracker.tags[key])["until"] > json.loads(before)["until"]
    assert caplog.messages == ["Waiting: another command registers."]
    assert list(tracker.tags) == [f"{LEASE}.registry.other"]
    with hold_lease(tracker, "1", "other work"):  # of another name
        tracker.tags.clear()  # its own tag is gone, too: no error
