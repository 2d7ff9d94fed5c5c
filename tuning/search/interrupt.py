"""Ctrl-C while trials run: the first ends each trial after its epoch, the second ends all of them at once."""

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tuning.trial.sync import StopMarker

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # clusters send SIGTERM before they kill a job


@contextmanager
def stop_on_interrupt(markers: Sequence[Path | StopMarker]) -> Iterator[None]:
    """Create the stop markers at the first signal, and raise at the second.

    Args:
        markers: The files that trials check after each epoch; deleted at the start.

    Raises:
        KeyboardInterrupt: At the second signal, or at the end if there was one signal.
    """
    stopping = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            raise KeyboardInterrupt
        stopping = True
        for marker in markers:
            marker.touch()
        logger.warning("Stopping: each trial ends after its epoch. Once more ends all at once.")

    for marker in markers:
        marker.unlink(missing_ok=True)
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # only the main thread gets signals
        yield
        return
    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopping:
        raise KeyboardInterrupt
