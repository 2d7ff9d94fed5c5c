"""One process at a time, real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tuning.settings.lock import is_running, lock_campaign, lock_setup

HOLD = """
import sys
from pathlib import Path
from tuning.settings.lock import hold_campaign, set_up_alone
with {call}(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def start(folder: Path, call: str) -> "subprocess.Popen[str]":
    program = HOLD.format(call=call)
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_campaign_is_run_by_one_process_until_it_ends_or_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    assert not is_running(folder)
    holder = start(folder, "hold_campaign")
    try:
        assert is_running(folder)
        told = rf"mine is being run by process {holder.pid} on \S+ since .*Wait for it, or stop it"
        with pytest.raises(ValueError, match=told), lock_campaign(folder):
            pass
    finally:
        holder.kill()
        holder.communicate()
    assert not is_running(folder)
    with lock_campaign(folder):
        assert is_running(folder)
    assert not is_running(folder)


def test_set_up_waits_for_another_one_s(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    holder = start(tmp_path, "set_up_alone")
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(call="set_up_alone"), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(timeout=1.5)
    holder.communicate("")
    assert waiting.communicate("", timeout=60)[0] == "held\n"
    with lock_setup(tmp_path):  # free again
        assert "Waiting" not in caplog.text
