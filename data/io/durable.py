"""Files and folders that are whole after a power cut: written aside, forced onto the disk, then named."""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def sync_file(path: Path) -> None:
    """Force a file's content, or a folder's list of names, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside *path*, then rename it: readers see the old or the new file, even after a power cut."""
    aside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(aside)
        sync_file(aside)
        os.replace(aside, path)
    except BaseException:  # do not leave partial files on a full disk
        aside.unlink(missing_ok=True)
        raise
    sync_file(path.parent)


_LEFTOVER = re.compile(r"\..+\.\d+(\.old)?")  # with the id of the process that made it


@contextmanager
def building_folder(folder: Path) -> Iterator[Path]:
    """Create a hidden folder beside *folder* to build its content in; delete it at the end unless it was renamed.

    Folders of the same kind, such as ``.pack-…``, that killed processes left are deleted: a living one holds a lock on its
    own.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f".{folder.name.partition('-')[0]}*.*"):
        if _LEFTOVER.fullmatch(leftover.name):
            _remove_unlocked(leftover)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    temporary.mkdir()
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(descriptor)


def remove_leftovers(parent: Path) -> None:
    """Delete the folders that killed processes were building in a folder, whatever they were to become."""
    for leftover in parent.glob(".*"):
        if _LEFTOVER.fullmatch(leftover.name):
            _remove_unlocked(leftover)


def _remove_unlocked(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return  # its process has just renamed or deleted it
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # its process lives, or the file system has no locks
    finally:
        os.close(descriptor)


def publish_folder(temporary: Path, folder: Path, *, replace: bool = False) -> None:
    """Force a folder's files onto the disk, then give it its name.

    Args:
        temporary: The finished folder, of files alone.
        folder: Its name, beside it.
        replace: Whether an existing folder of that name is deleted; processes that map its files keep them.

    Raises:
        OSError: If a folder of that name exists and is not replaced.
    """
    for path in (*temporary.iterdir(), temporary):
        sync_file(path)
    old = temporary.with_name(f"{temporary.name}.old")
    if replace and folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    sync_file(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
