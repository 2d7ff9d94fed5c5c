"""Disk space: sizes of files, deletion of checkpoints, and checks for free space."""

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


def drop_checkpoints(trial_folder: TrialFolder) -> int:
    """Delete the checkpoints of an ended trial that is not used any more; return their bytes.

    History, scores and config stay, so that a resumed campaign still has the trial's result.
    """
    if trial_folder.read("end") is None:
        return 0  # it may be resumed
    dropped = 0
    for file in (trial_folder.last, trial_folder.best):
        if file.is_file():
            dropped += file.stat().st_size
            file.unlink()
    return dropped


def format_bytes(count: float) -> str:
    """Format a number of bytes, such as ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


# Messages of errors on a full disk: the system's, and PyTorch's, which does not name the cause.
FULL_DISK = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    "PytorchStreamWriter failed writing",
)
FULL_BYTES = 5 << 20  # a checkpoint may need more
LEAST_BYTES = 200 << 20  # a smoke campaign writes a third of it


class FullDiskError(OSError):
    """The disk of the output folder is full or nearly full."""


def check_output_folder(root: Path) -> None:
    """Check before a campaign that its output folder is writable and has free space.

    Raises:
        FullDiskError: If the disk has less than ``LEAST_BYTES`` free.
        OSError: If the folder is not writable.
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
    """Return whether the disk of an output folder is full."""
    return shutil.disk_usage(root).free < FULL_BYTES


def describe_free_space(root: Path) -> str:
    """Return the error message for a full disk, with its free space and the remedy."""
    free = shutil.disk_usage(root).free
    return (
        f"The disk of {root} must have {format_bytes(LEAST_BYTES)} free, but has {format_bytes(free)}. "
        "Free space there, or choose another folder with --root."
    )
