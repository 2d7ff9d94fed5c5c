"""A command that runs beside the test: forked by a server (`tests/support/forked_commands.py`), which knows when it ends."""

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any


class Started:
    """A command that a server has started, with those parts of ``subprocess.Popen`` that tests use.

    Attributes:
        pid: Its process id.
        returncode: As of ``subprocess.Popen``; None while it runs, or nobody has asked.
    """

    def __init__(self, ask: Callable[[dict[str, Any]], dict[str, Any]], pid: int) -> None:
        self._ask, self.pid = ask, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative after a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._ask({"poll": self.pid})["code"]
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the end; return the exit code.

        Raises:
            subprocess.TimeoutExpired: If it still runs after *timeout* seconds.
        """
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.1)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)
