"""A background thread that sends to the tracker, so that neither Ray's event loop nor a trial waits for it."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from data.io.errors import format_error

logger = logging.getLogger(__name__)

# After a failure: every later task would otherwise wait for the retries of a tracker that does not answer.
PAUSE_S = 30.0


class BackgroundSender:
    """Runs tasks one after the other in its own thread.

    A task must send everything that is on disk and be safe to run twice: a task that failed, or came during the
    pause after a failure, is not run again. The next task of that trial sends its data too.
    """

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self._pause_s, self._paused_until = pause_s, 0.0
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, name: str, task: Callable[[], None]) -> None:
        """Add a task, unless one of the same name is waiting."""
        with self._lock:
            if name in self._waiting:
                return
            self._waiting.add(name)
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="tracker")
            self._executor.submit(self._run, name, task)

    def drain(self) -> None:
        """Run all submitted tasks, then end the thread."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()

    def cancel(self) -> None:
        """Discard the tasks that have not started; to be followed by :meth:`drain`."""
        with self._lock:
            self._waiting.clear()
            if self._executor is not None:
                self._executor.shutdown(wait=False, cancel_futures=True)

    def _run(self, name: str, task: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.discard(name)
        if time.monotonic() < self._paused_until:
            return
        try:
            task()
        except Exception as error:  # noqa: BLE001 - a later task sends the data again
            self._paused_until = time.monotonic() + self._pause_s
            logger.warning(
                "Sending %s to the tracker failed (%s). The trials go on; it is sent later.",
                *(name, format_error(error)),
            )
