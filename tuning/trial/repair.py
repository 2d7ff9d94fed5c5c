"""Damaged or incomplete results of trials: found before a campaign goes on, set aside, and made again.

A bad disk changes a bit, a power cut loses the end of a file. Such a trial is named and trained again; it is never ranked.
"""

import logging
import zipfile
from dataclasses import replace
from pathlib import Path

from tuning.trial.entry import list_trials, read_entry, write_entry
from tuning.trial.folder import TrialFolder

logger = logging.getLogger(__name__)

_KEPT = frozenset({"trial.json", "config.json", ".lock"})
_RESUMED = ("last.pt", "best.pt", "val_counts.npy")  # an unfinished trial goes on from these
_PARTS = ("val", "test")
_RECORDS = ("end", "test", "expected", "cost", "placebo", "search", "failure", "environment")


def find_damage(folder: TrialFolder) -> str:
    """Return what is the matter with the results of a trial, in a sentence; empty if nothing is."""
    try:
        epochs = [row.get("epoch") for row in folder.history()]
        records = {name: folder.read(name) for name in _RECORDS}
        for part in _PARTS:
            folder.counts(part)
    except (ValueError, OSError) as error:
        return str(error)
    for file in (*folder.path.glob("*.npz"), *folder.path.glob("*.pt")):
        if not _is_sound_archive(file):
            return f"An archive must be as it was written, but {file} is damaged. Check the disk."
    needed = (records["end"] or {}).get("epoch", 0)
    if epochs != list(range(1, len(epochs) + 1)) or len(epochs) < needed:
        return f"A history must have every epoch, but got {len(epochs)} of {max(needed, *epochs, 0)} in {folder.path}."
    return ""


def repair_trials(trials: Path) -> list[Path]:
    """Set the results of damaged trials aside, so that they are made again; return their folders.

    An unfinished trial keeps its last checkpoint, which holds its history. A search that has chosen a winner chooses anew
    when one of its trials is made again.

    Args:
        trials: Folder with one folder per trial.
    """
    _set_entries_aside(trials)
    entries, repaired = list_trials(trials), []
    for path, entry in entries.items():
        folder = TrialFolder(path)
        if damage := find_damage(folder):
            logger.warning("%s is trained again from its last sound state. %s", entry.name, damage)
            _set_aside(folder)
            repaired.append(path)
    stages = {entries[path].stage for path in repaired if entries[path].kind == "search"}
    for path, entry in entries.items():
        if entry.stage in stages and (entry.model or path in repaired):
            write_entry(TrialFolder(path), replace(entry, model=False))
    return repaired


def _set_entries_aside(trials: Path) -> None:
    """Move the folder of each trial whose ``trial.json`` is damaged out of the way: it is a new trial then."""
    for file in sorted(trials.glob("*/trial.json")):
        try:
            read_entry(TrialFolder(file.parent))
        except ValueError as error:
            aside = trials.with_name("damaged-trials")
            aside.mkdir(exist_ok=True)
            number = len(list(aside.glob(f"{file.parent.name}-*"))) + 1
            file.parent.rename(aside / f"{file.parent.name}-{number}")
            logger.warning("The trial %s is trained again. %s", file.parent.name, error)


def _set_aside(folder: TrialFolder) -> None:
    """Move what a trial has written into a subfolder; an unfinished one keeps what it resumes from."""
    kept = {*_KEPT, *_RESUMED} if _can_resume(folder) else _KEPT
    number = len(list(folder.path.glob("damaged-*"))) + 1
    aside = folder.path / f"damaged-{number}"
    aside.mkdir()
    for file in folder.path.iterdir():
        if file.is_file() and file.name not in kept:
            file.rename(aside / file.name)


def _can_resume(folder: TrialFolder) -> bool:
    """Return whether a trial is unfinished and what it resumes from is sound."""
    if (folder.path / "end.json").exists() or not folder.last.is_file():
        return False
    try:
        folder.counts("val")
    except (ValueError, OSError):
        return False
    return all(map(_is_sound_archive, folder.path.glob("*.pt")))


def _is_sound_archive(file: Path) -> bool:
    """Return whether each member of a zip file, as checkpoints and ``.npz`` are, has its checksum."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
