"""Disks that are full: of bytes, of files (inodes), or by a user's quota."""

import errno
import os
import shutil
from pathlib import Path

FULL_BYTES = 5 << 20  # a checkpoint may need more
LEAST_BYTES = 200 << 20  # a smoke campaign writes a third of it
FULL_FILES, LEAST_FILES = 50, 2_000  # a smoke campaign makes a third of them
# Messages of errors on a full disk: the system's, SQLite's, and PyTorch's, which does not name the cause.
FULL_DISK = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    "database or disk is full",
    "PytorchStreamWriter failed writing",
)
OPTION = "--root"  # names the folder of most commands


class FullDiskError(OSError):
    """The disk of a folder is full or nearly full."""


def format_bytes(count: float) -> str:
    """Format a number of bytes, such as ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def nearest_folder(path: Path) -> Path:
    """Return *path*, or its nearest parent that is a folder."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def count_free_files(folder: Path) -> int | None:
    """Return how many files can still be made on a folder's disk; None if it does not count them."""
    state = os.statvfs(folder)
    return state.f_favail if state.f_files else None


def is_full(folder: Path, least_bytes: int = FULL_BYTES, least_files: int = FULL_FILES) -> bool:
    """Return whether the disk of a folder has less space, or room for fewer files, than needed."""
    folder = nearest_folder(folder)
    files = count_free_files(folder)
    return shutil.disk_usage(folder).free < least_bytes or (
        files is not None and files < least_files
    )


def describe_free_space(folder: Path, option: str = OPTION) -> str:
    """Return the error message for a full disk, with what is short and the remedy.

    Args:
        folder: A folder on the disk, which need not exist.
        option: The command's option that names the folder.
    """
    other = f"or choose another folder with {option}"
    at = nearest_folder(folder)
    free, files = shutil.disk_usage(at).free, count_free_files(at)
    if free < LEAST_BYTES:
        return (
            f"The disk of {folder} must have {format_bytes(LEAST_BYTES)} free, but has {format_bytes(free)}. "
            f"Free space there, {other}."
        )
    if files is not None and files < LEAST_FILES:
        return (
            f"The disk of {folder} must have room for {LEAST_FILES:,} more files, but has room for {files:,} (inodes, see "
            f"`df -i`; {format_bytes(free)} are free). Delete files there, {other}."
        )
    return (
        f"The disk of {folder} must have space, but refused more although it has {format_bytes(free)} free: a quota or "
        f"a limit of this user is used up. Delete files there, {other}."
    )


def check_free_space(folder: Path) -> None:
    """Raise if a folder's disk has too little space, or room for too few files, for a campaign.

    Raises:
        FullDiskError: If it has.
    """
    if is_full(folder, LEAST_BYTES, LEAST_FILES):
        raise FullDiskError(describe_free_space(folder))


def says_full(error: BaseException) -> bool:
    """Return whether an error, of whatever library, comes from a full disk."""
    if isinstance(error, FullDiskError):
        return True
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    text = str(error)
    return any(sign in text for sign in FULL_DISK) or FullDiskError.__name__ in text
