"""The locks of a campaign or matrix: one process runs it, and one campaign at a time prepares data below an output folder."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from data.io.lock import LockHeldError, is_locked, try_lock, wait_for_lock

LOCK = "lock"  # file of a campaign's folder
_SETUP = ".setup"  # file of the output folder


@contextmanager
def lock_campaign(folder: Path, kind: str = "campaign") -> Iterator[None]:
    """Hold the lock of a campaign or a matrix.

    Args:
        folder: Its folder.
        kind: What it is, for the message.

    Raises:
        ValueError: If another process runs it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(try_lock(folder / LOCK))
        except LockHeldError as error:
            raise ValueError(
                f"A {kind} is run by one process at a time, but {folder.name} is being run by {error.holder}. "
                "Wait for it, or stop it first."
            ) from error
        yield


def is_running(folder: Path) -> bool:
    """Return whether a process runs the campaign or matrix of a folder at this moment."""
    return is_locked(folder / LOCK)


@contextmanager
def lock_setup(root: Path) -> Iterator[None]:
    """Hold the lock on the preparation of tiles, pack and database; wait until no other campaign holds it."""
    root.mkdir(parents=True, exist_ok=True)
    message = f"Waiting: another campaign prepares its data below {root}."
    with wait_for_lock(root / _SETUP, message):
        yield
