"""One thread that sends to the tracker, so that neither Ray's loop nor a trial ever waits for it."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from data.io.errors import format_error

logger = logging.getLogger(__name__)

# After a failure: a tracker that is away would hold up every later task by its retries.
REST_S = 30.0


class BackgroundSender:
    """Runs tasks one after the other in a thread of its own.

    A task must catch up from what is on disk and be harmless when it runs twice: one that failed, or
    that came while the tracker rests after a failure, is not run again by the writer itself.
    """

    def __init__(self, rest_s: float = REST_S) -> None:
        self._rest_s, self._rests_until = rest_s, 0.0
        self._tasks: SimpleQueue[tuple[str, Callable[[], None]] | None] = SimpleQueue()
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, name: str, task: Callable[[], None]) -> None:
        """Add a task; one of the same name that still waits serves for both."""
        with self._lock:
            if name in self._waiting:
                return
            self._waiting.add(name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)
                self._thread.start()
        self._tasks.put((name, task))

    def drain(self) -> None:
        """Wait until every task so far was run; the thread ends."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._tasks.put(None)
            thread.join()

    def abandon(self) -> None:
        """Forget the tasks that were not begun."""
        with self._lock:
            self._waiting.clear()
        with suppress(Empty):
            while True:
                self._tasks.get_nowait()

    def _work(self) -> None:
        while (item := self._tasks.get()) is not None:
            name, task = item
            with self._lock:
                self._waiting.discard(name)
            if time.monotonic() >= self._rests_until:
                self._run(name, task)

    def _run(self, name: str, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as error:  # noqa: BLE001 - the next task, or the end, sends it again
            self._rests_until = time.monotonic() + self._rest_s
            logger.warning(
                "Sending %s to the tracker failed (%s). The trials go on; what is lacking is sent "
                "later.",
                name,
                format_error(error),
            )
