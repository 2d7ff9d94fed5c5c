"""Disk space: what a campaign keeps, what it deletes, and whether there is space for it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the module must load without numpy, for tuning.doctor
    from tuning.trial.folder import TrialFolder


def measure_bytes(path: Path) -> int:
    """Add up the bytes of a file, or of all files below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def drop_checkpoints(journal: TrialFolder) -> int:
    """Remove the checkpoints of a trial that ended and will not be used; return their bytes.

    History, scores and config stay, so that a resumed campaign still finds the trial's result.
    """
    if journal.read("end") is None:
        return 0  # it may be continued
    dropped = 0
    for file in (journal.last, journal.best):
        if file.is_file():
            dropped += file.stat().st_size
            file.unlink()
    return dropped


def format_bytes(count: float) -> str:
    """Format bytes as people read them, such as ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


# What an error says on a full disk: the system's words, and torch's, which does not tell why it could not write.
FULL_DISK = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    "PytorchStreamWriter failed writing",
)
FULL_BYTES = 5 << 20  # a checkpoint may not fit into less
LEAST_BYTES = 200 << 20  # a smoke campaign writes a third of it


class FullDiskError(OSError):
    """The disk of the output folder is full, or nearly so; the message says how full."""


def check_output_folder(root: Path) -> None:
    """Refuse an output folder that cannot be written, or has no room, before anything is made.

    Raises:
        OSError: If so.
    """
    probe = root / f".{os.getpid()}.probe"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FullDiskError(describe_free_space(root)) from error
        raise OSError(
            f"The output folder must be writable, but {root} is not: {error.strerror}. "
            "Give another one with --root."
        ) from error
    if shutil.disk_usage(root).free < LEAST_BYTES:
        raise FullDiskError(describe_free_space(root))


def is_full(root: Path) -> bool:
    """Tell whether next to nothing fits on the disk of an output folder any more."""
    return shutil.disk_usage(root).free < FULL_BYTES


def describe_free_space(root: Path) -> str:
    """Say that the disk of an output folder is full, or nearly so."""
    free = shutil.disk_usage(root).free
    return (
        f"The disk of {root} must have {format_bytes(LEAST_BYTES)} free, but has {format_bytes(free)}. "
        "Make room, or give another folder with --root."
    )
