"""Disk space: sizes of files, deletion of checkpoints, and the check of the output folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from data.io.disk import FullDiskError, check_free_space, describe_free_space, says_full

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


def check_output_folder(root: Path) -> None:
    """Check before a campaign that its output folder is writable and has free space.

    Raises:
        FullDiskError: If the disk has too little space, or room for too few files.
        OSError: If the folder is not writable.
    """
    probe = root / f".{os.getpid()}.probe"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        if says_full(error):
            raise FullDiskError(describe_free_space(root)) from error
        raise OSError(
            f"The output folder must be writable, but {root} is not: {error.strerror}. "
            "Give another one with --root."
        ) from error
    check_free_space(root)
