"""File locks that the operating system releases when their process ends, killed or not."""

import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

_MOST_NOTE_BYTES = 1000


class LockHeldError(RuntimeError):
    """Another process holds the lock.

    Attributes:
        holder: Process, host and time of the lock, such as ``process 12 on node1 since 2026-01-31 12:00:00``;
            ``another process`` if the lock is on a folder.
    """

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"A lock has one holder at a time, but {path} is held by {holder}.")
        self.holder = holder


@contextmanager
def try_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file or a folder, without waiting for it.

    A lock file is created if it is missing, and receives a note that names this process. It is never deleted: a
    process that waits for a deleted file would not exclude one that creates it anew.

    Args:
        path: The lock file, or an existing folder.

    Raises:
        LockHeldError: If another process holds the lock.
        OSError: If the file cannot be opened, or its file system has no locks.
    """
    with _open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            note = b"" if path.is_dir() else os.pread(file, _MOST_NOTE_BYTES, 0)
            holder = note.decode(errors="replace").strip() or "another process"
            raise LockHeldError(path, holder) from error
        if not path.is_dir():
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            note = f"process {os.getpid()} on {socket.gethostname()} since {now}".encode()
            os.ftruncate(file, 0)
            os.pwrite(file, note, 0)
        yield


@contextmanager
def wait_for_lock(path: Path, message: str = "") -> Iterator[None]:
    """Hold an exclusive lock on a file; wait as long as another process holds it.

    Args:
        path: The lock file; created if it is missing, never deleted.
        message: Logged if the lock is not free at once.

    Raises:
        OSError: If the file cannot be opened, or its file system has no locks.
    """
    with _open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if message:
                logger.info("%s", message)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock on a file; False if there is no such file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def find_other_holder(path: Path) -> str:
    """Return the note of another process that holds the lock on a file; empty if none does, or this process does."""
    if not is_locked(path):
        return ""
    note = path.read_bytes()[:_MOST_NOTE_BYTES].decode(errors="replace").strip()
    own = note.startswith(f"process {os.getpid()} on {socket.gethostname()} ")
    return "" if own else note or "another process"


@contextmanager
def _open(path: Path) -> Iterator[int]:
    """Open a file descriptor without truncating the file; closing it releases the lock."""
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    file = os.open(path, flags, 0o666)
    try:
        yield file
    finally:
        os.close(file)
