"""A campaign is run by one process at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from tuning.settings.lock import is_running, lock_campaign, lock_setup

HOLD = """
import logging
import sys
from pathlib import Path
from tuning.settings.lock import {call}
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
with {call}(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start(folder: Path, call: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD.format(call=call), str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def read_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_campaign_is_run_by_one_process_until_it_ends_or_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    assert not is_running(folder)
    holder = start(folder, "lock_campaign")
    assert read_line(holder) == "held\n"
    try:
        assert is_running(folder)
        message = (
            rf"mine is being run by process {holder.pid} on \S+ since .*Wait for it, or stop it"
        )
        with pytest.raises(ValueError, match=message), lock_campaign(folder):
            pass
    finally:
        holder.kill()
        holder.communicate()
    assert not is_running(folder)
    with lock_campaign(folder):
        assert is_running(folder)
    assert not is_running(folder)


def test_setup_waits_for_that_of_another_campaign(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    holder = start(tmp_path, "lock_setup")
    assert read_line(holder) == "held\n"
    waiting = start(tmp_path, "lock_setup")
    assert read_line(waiting).startswith("Waiting: another campaign prepares its data below")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(timeout=1.5)
    holder.communicate("")
    assert waiting.communicate("", timeout=60)[0] == "held\n"
    with lock_setup(tmp_path):  # free again
        assert "Waiting" not in caplog.text
