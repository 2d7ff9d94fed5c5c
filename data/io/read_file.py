"""Reads whole files patiently: an error of the moment is tried again, and never taken for a fact about the file."""

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from data.io.safe_json import refused_error

T = TypeVar("T")

WAITS_S = (0.1, 0.4, 1.0, 2.5)  # before each further try
# What stays true of a path until somebody changes it; any other error may be gone a moment later.
_FACTS = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENXIO,
    }
)
_FEW_WORKERS = "Free memory, or use fewer workers, such as with `taskset -c 0` before the command"
_REMEDIES = {
    errno.EAGAIN: "End the program that locks it; for locks of HDF5 set HDF5_USE_FILE_LOCKING=FALSE",
    errno.ENOLCK: "Its file system has no locks: set HDF5_USE_FILE_LOCKING=FALSE",
    errno.EMFILE: "Raise the limit of open files with `ulimit -n 4096`",
    errno.ENFILE: "End programs that hold many files open",
    errno.ENOMEM: _FEW_WORKERS,
}
_REMEDIES[errno.EDEADLK] = _REMEDIES[errno.EAGAIN]
_ANOTHER = "Check the disk or the mounted folder, and the system's log (`dmesg`)"


class TransientError(OSError):
    """An error of the moment, such as of a lock, a disk, a network folder or too little memory.

    Nothing may be concluded about the content of the file, or remembered with it.
    """


def is_transient(error: BaseException) -> bool:
    """Return whether an error may be gone when the same is tried again: memory, locks, input and output."""
    if isinstance(error, OSError):
        return isinstance(error, TransientError) or error.errno not in _FACTS
    return isinstance(error, MemoryError)


def transient_error(what: str, error: BaseException) -> TransientError:
    """Return the error for something that an error of the moment prevented, with the remedy.

    Args:
        what: What was read, with its path.
        error: The last error.
    """
    if isinstance(error, TransientError):
        return error
    number = errno.ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None)
    got = os.strerror(number) if number else f"{type(error).__name__}: {error}"
    return TransientError(
        f"{what} must be readable, but got {got!r} at each of {len(WAITS_S) + 1} tries. "
        f"{_REMEDIES.get(number or 0, _ANOTHER)}. Then give the same command again; nothing was remembered."
    )


def killed_error(what: str) -> TransientError:
    """Return the error for something whose reading process was killed again and again, as for want of memory."""
    return TransientError(
        f"{what} must be read by a process that lives, but each try was killed, as for want of memory. "
        f"{_FEW_WORKERS}. Then give the same command again; nothing was remembered."
    )


def read_file(path: Path, max_bytes: int) -> bytes:
    """Read a regular file; try again for some seconds after an error of the moment.

    Args:
        path: The file.
        max_bytes: The most that it may have.

    Raises:
        TransientError: If an error of the moment stays.
        RefusedError: If the file is larger.
        OSError: If there is no such file, it may not be read, or it is a folder or another special file.
    """
    return try_patiently(lambda: _read(path, max_bytes), str(path))


def try_patiently(work: Callable[[], T], what: str) -> T:
    """Call a function; call it again for some seconds after an error of the moment.

    Args:
        work: The function.
        what: What it reads, for the message.

    Raises:
        TransientError: If an error of the moment stays.
    """
    for wait_s in (*WAITS_S, None):
        try:
            return work()
        except (OSError, MemoryError) as error:
            if not is_transient(error):
                raise
            if wait_s is None:
                raise transient_error(what, error) from error
            time.sleep(wait_s)
    raise AssertionError  # the last try returns or raises


def _read(path: Path, max_bytes: int) -> bytes:
    # Without waiting: to open a pipe that is named like a file would never end.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            number = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.ENXIO
            raise OSError(number, os.strerror(number), str(path))
        if found.st_size > max_bytes:
            rule = f"The file must have at most {max_bytes:,} bytes"
            raise refused_error(rule, f"{found.st_size:,}", path)
        return file.read(max_bytes + 1)
