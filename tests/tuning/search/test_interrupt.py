"""The first signal ends trials after their epoch, the second at once."""

import os
import signal
from pathlib import Path

import pytest

from tuning.search.interrupt import stop_on_interrupt


def test_first_signal_creates_the_marker_and_interrupts_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flag, reached = tmp_path / "stop", []
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        with stop_on_interrupt([flag]):
            os.kill(os.getpid(), signal.SIGTERM)
            reached.append(flag.exists())

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == [True]
    assert "each trial ends after its epoch. Once more ends all at once." in caplog.text
    assert signal.getsignal(signal.SIGINT) is before


def test_second_signal_interrupts_at_once(tmp_path: Path) -> None:
    reached = []

    def work() -> None:
        with stop_on_interrupt([tmp_path / "stop"]):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            reached.append("after")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == []


def test_marker_of_an_earlier_run_is_deleted(tmp_path: Path) -> None:
    flag = tmp_path / "stop"
    flag.touch()
    with stop_on_interrupt([flag]):
        assert not flag.exists()
