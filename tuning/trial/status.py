"""The status of a trial, read from its folder: finished, failed, or still to be run."""

import time
from pathlib import Path

from tuning.metrics.curve import is_constant
from tuning.trial.entry import TrialEntry, list_entries, list_trials
from tuning.trial.folder import VAL_AP, TrialFolder
from tuning.trial.stage import Stage
from tuning.trial.variants import REPLAY


def is_finished(folder: TrialFolder, kind: str) -> bool:
    """Return whether a trial has its result, or failed for good: it is not run again.

    Args:
        folder: The trial's folder.
        kind: ``search`` or ``repeat``; a repeat trial also needs its test scores, and its replay if its config asks for one.
    """
    end = folder.read("end")
    if end is None:
        return False
    return kind == "search" or end["reason"] == "error" or is_measured(folder)


def is_measured(folder: TrialFolder) -> bool:
    """Return whether a trial has everything that is measured on test."""
    replayed = (folder.read("config") or {}).get(REPLAY, False)
    has_replay = (folder.path / f"{REPLAY}.npz").is_file()
    return folder.read("test") is not None and (has_replay or not replayed)


def split_finished(stage: Stage) -> tuple[dict[Path, TrialEntry], dict[Path, TrialEntry]]:
    """Split a stage's trials into the finished ones and the others, each in the order of their numbers."""
    finished: dict[Path, TrialEntry] = {}
    unfinished: dict[Path, TrialEntry] = {}
    for path, entry in list_entries(stage).items():
        (finished if is_finished(TrialFolder(path), entry.kind) else unfinished)[path] = entry
    return finished, unfinished


def read_end(folder: TrialFolder, kind: str) -> tuple[str, str, int | None] | None:
    """Return how a trial ended: from its ``end.json``, else from the driver's ``failure.json``.

    Args:
        folder: The trial's folder.
        kind: ``search`` or ``repeat``; a repeat trial has not ended before test is measured.

    Returns:
        Reason, message and time in milliseconds since 1970; None if the trial has not ended.
    """
    if is_finished(folder, kind):
        end = folder.read("end")
        return end["reason"], end.get("message", ""), end.get("time_ms")
    if failure := folder.read("failure"):
        return "error", failure["message"], failure["time_ms"]
    return None


def mark_failed(folder: TrialFolder, kind: str, message: str, details: str = "") -> None:
    """Write ``failure.json``; a resumed campaign tries the trial again.

    Args:
        folder: The trial's folder.
        kind: ``memory``, ``disk``, ``hang``, ``worker`` or ``error``.
        message: The cause, in one line.
        details: The traceback, if there is one.
    """
    content = {"kind": kind, "message": message, "time_ms": int(time.time() * 1000)}
    folder.write("failure", content | {"details": details})


def has_failed(folder: TrialFolder, kind: str) -> bool:
    """Return whether a trial's ``failure.json`` is of this kind."""
    failure = folder.read("failure")
    return failure is not None and failure["kind"] == kind


def read_score(folder: TrialFolder) -> float | None:
    """Read the score by which search trials are ranked.

    Returns:
        The best val average precision; None if the trial failed, has no epoch, or predicts one probability everywhere.
    """
    end = read_end(folder, "search")
    rows, counts = folder.history(), folder.counts("val")
    if end is None or end[0] == "error" or not rows or counts is None or is_constant(counts):
        return None
    return float(rows[-1][VAL_AP])


def count_finished(trials: Path) -> tuple[int, int]:
    """Count the finished trials of a campaign's ``trials`` folder, and all of them."""
    entries = list_trials(trials)
    finished = sum(is_finished(TrialFolder(path), entry.kind) for path, entry in entries.items())
    return finished, len(entries)
