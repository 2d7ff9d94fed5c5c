"""A lock has one holder at a time, across real processes, and is free when its process ends."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.io.lock import LockHeldError, is_locked, try_lock, wait_for_lock

HOLD = """
import sys
from pathlib import Path
from data.io.lock import try_lock, wait_for_lock
with {call}(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start(path: Path, call: str) -> "subprocess.Popen[str]":
    program = HOLD.format(call=call)
    command = [sys.executable, "-c", program, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def hold(path: Path) -> "subprocess.Popen[str]":
    holder = start(path, "try_lock")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lock"
    assert not is_locked(tmp_path / "lock")


def test_a_lock_excludes_other_processes_until_its_holder_is_killed(file: Path) -> None:
    assert not is_locked(file)
    holder = hold(file)
    try:
        assert is_locked(file)
        note = rf"process {holder.pid} on {socket.gethostname()} since \d{{4}}-"
        with pytest.raises(LockHeldError, match=rf"lock is held by {note}") as caught:
            try_lock(file).__enter__()
        assert caught.value.holder.startswith(f"process {holder.pid} on ")
    finally:
        holder.kill()
        holder.communicate()
    assert not is_locked(file)
    with try_lock(file):
        assert is_locked(file)
        assert file.read_text().startswith(f"process {os.getpid()} on ")


def test_a_folder_can_be_locked_and_stays_empty(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    with pytest.raises(LockHeldError, match="is held by another process"), try_lock(tmp_path):
        pass
    holder.communicate("")
    with try_lock(tmp_path):
        assert not list(tmp_path.iterdir())


def test_waiting_ends_when_the_holder_ends(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    holder = hold(file)
    waiting = start(file, "wait_for_lock")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(timeout=1.5)
    holder.communicate("")
    assert waiting.communicate("", timeout=60)[0] == "held\n"
    with wait_for_lock(file, "Waiting for a test."):
        assert not caplog.messages


def test_a_process_that_must_wait_logs_why(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    holder = hold(file)
    program = (
        "import logging, sys; from pathlib import Path; from data.io.lock import wait_for_lock\n"
        "logging.basicConfig(level='INFO')\n"
        "with wait_for_lock(Path(sys.argv[1]), 'Waiting 100 % for a test.'): pass"
    )
    command = [sys.executable, "-c", program, str(file)]
    waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert waiting.stderr is not None
    assert waiting.stderr.readline().endswith("Waiting 100 % for a test.\n")
    holder.communicate("")
    assert waiting.wait(timeout=60) == 0
    waiting.stderr.close()


def test_a_lock_is_released_when_its_block_raises(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), try_lock(file):
        raise ZeroDivisionError
    assert not is_locked(file)
