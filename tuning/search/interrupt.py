"""Ctrl-C while trials run: the first ends each trial after its epoch, the second ends all at once."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tuning.trial.sync import StopMarker

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # the second is what clusters send before they end a job


@contextmanager
def stop_on_interrupt(flag: Path | StopMarker) -> Iterator[None]:
    """Turn the first signal into a file that trials look for, and the second into an interrupt.

    Args:
        flag: The file to make.

    Raises:
        KeyboardInterrupt: When the signal came a second time; or, at the end, when it came once.
    """
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        flag.touch()
        logger.warning("Stopping: each trial ends after its epoch. Once more ends all at once.")

    flag.unlink(missing_ok=True)
    if threading.current_thread() is not threading.main_thread():  # which alone receives signals
        yield
        return
    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt
