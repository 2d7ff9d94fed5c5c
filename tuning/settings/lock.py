"""Files that one process at a time may hold; the system frees them when the process ends, killed or not."""

import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

LOCK = "lock"  # file of a campaign's folder
_SETUP = ".setup"  # file of the output folder


@contextmanager
def lock_campaign(folder: Path) -> Iterator[None]:
    """Be the one process that runs a campaign.

    Args:
        folder: The campaign's folder.

    Raises:
        ValueError: If another process runs it.
    """
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise ValueError(
                f"A campaign is run by one process at a time, but {folder.name} is being run by "
                f"{lock.read().strip() or 'another one'}. Wait for it, or stop it first."
            ) from error
        lock.truncate(0)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        lock.write(f"process {os.getpid()} on {socket.gethostname()} since {now}")
        lock.flush()
        yield


def is_running(folder: Path) -> bool:
    """Tell whether a process runs a campaign at this moment."""
    try:
        with (folder / LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def lock_setup(root: Path) -> Iterator[None]:
    """Wait until no other campaign makes tiles, pack or database below the same output folder."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / _SETUP).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("Waiting: another campaign makes its data below %s.", root)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
