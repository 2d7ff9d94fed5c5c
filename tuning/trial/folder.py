"""A trial's folder: training writes it and tracking reads it, so that nothing depends on a running process.

``trial.json`` (name and tags, see `tuning.trial.entry`), ``config.json``, ``history.jsonl`` (one line per epoch), ``last.pt``,
``best.pt``, ``val_counts.npy`` (of the best epoch), ``cost.json``, ``end.json`` (why training ended) or ``failure.json`` (why
it failed) and, for a repeat trial, ``test.json``, ``test_counts.npy``, ``test_probs.npz`` (probability bins of every
test tile), ``expected.json`` (precision and recall over thresholds), ``examples.npz``, and of event-free series of the test tiles ``placebo.json`` and ``placebo.npz`` (counts per
tile).

Lines of the history, counts and results have checksums; what `tuning.trial.repair` finds damaged is moved into ``damaged-N/``.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from data.io import safe_json
from data.io.durable import write_atomically
from data.io.safe_arrays import ArraySpec, add_checksum, read_array
from data.io.seals import seal, unseal

# Val average precision of the best epoch so far, by which trials are ranked: in histories, in Ray and in MLflow.
VAL_AP = "best/val_pr_auc"
_FORMER_NAMES = {"best_val_pr_auc": VAL_AP}  # in histories of earlier versions
RESULTS = frozenset({"trial", "end", "test", "expected", "placebo", "cost", "failure"})
_REMEDY = "Resume the campaign: the trial is trained again."
MOST_HISTORY_BYTES = 2**25  # ten thousand epochs take less than 10 MB

Config = dict[str, Any]
Row = dict[str, Any]


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    write_atomically(
        path, lambda aside: aside.write_text(json.dumps(content, indent=1, sort_keys=True))
    )


def read_optional_json(path: Path) -> Any:
    """Read a JSON file; return None if it does not exist."""
    return safe_json.read_json(path) if path.is_file() else None


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array with its checksum atomically; the file keeps its name's suffix ``.npy``."""

    def save(aside: Path) -> None:
        np.save(aside, array)
        add_checksum(aside)

    write_atomically(path, save)


class TrialFolder:
    """The files of one trial.

    Attributes:
        path: The trial's folder, created if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @property
    def last(self) -> Path:
        """Checkpoint of the last epoch, for resuming."""
        return self.path / "last.pt"

    @property
    def best(self) -> Path:
        """Checkpoint of the epoch with the best val average precision."""
        return self.path / "best.pt"

    def history(self) -> list[Row]:
        """Read one row per epoch, ascending, with the present names; skip a last line that a kill truncated.

        Raises:
            RefusedError: If a line is not as it was written; the message names it.
        """
        file = self.path / "history.jsonl"
        lines = (
            safe_json.read_text(file, MOST_HISTORY_BYTES).splitlines(keepends=True)
            if file.is_file()
            else []
        )
        rows = []
        for number, line in enumerate(lines, start=1):
            if line.endswith("\n"):
                place = f"line {number} of {file}"
                row = unseal(safe_json.parse_object(line, place), place, _REMEDY)
                rows.append({_FORMER_NAMES.get(name, name): value for name, value in row.items()})
        return rows

    def rewrite_history(self, rows: list[Row]) -> None:
        """Replace the history, atomically."""
        text = "".join(json.dumps(seal(row)) + "\n" for row in rows)
        write_atomically(self.path / "history.jsonl", lambda aside: aside.write_text(text))

    def append(self, row: Row) -> None:
        """Add an epoch to the history, and force it onto the disk: its checkpoint must not outlive it."""
        with (self.path / "history.jsonl").open("a") as file:
            file.write(json.dumps(seal(row)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self, name: str) -> Any:
        """Read ``<name>.json``; None if it is missing.

        Raises:
            RefusedError: If it is damaged, or not as it was written.
        """
        file = self.path / f"{name}.json"
        content = read_optional_json(file)
        return content if content is None else unseal(content, file, _REMEDY)

    def write(self, name: str, content: Any) -> None:
        """Write ``<name>.json`` atomically; results have their checksum in it."""
        write_json(self.path / f"{name}.json", seal(content) if name in RESULTS else content)

    def end(self, reason: str, **more: Any) -> None:
        """Write ``end.json`` with reason and time: the trial is not trained again."""
        self.write("end", {"reason": reason, "time_ms": int(time.time() * 1000), **more})

    def drop(self, name: str) -> None:
        """Delete ``<name>.json`` if it exists."""
        (self.path / f"{name}.json").unlink(missing_ok=True)

    def write_arrays(self, name: str, **arrays: np.ndarray) -> None:
        """Write ``<name>.npz`` atomically, compressed."""
        named: dict[str, Any] = dict(arrays)

        def save(aside: Path) -> None:
            with aside.open("wb") as file:
                np.savez_compressed(file, **named)

        write_atomically(self.path / f"{name}.npz", save)

    def counts(self, part: str) -> np.ndarray | None:
        """Read the histogram ``(2, BINS)`` of *part* (``val`` or ``test``), None if it is missing."""
        file = self.path / f"{part}_counts.npy"
        return read_array(file, ArraySpec("int64", (2, None))) if file.is_file() else None

    def write_counts(self, part: str, counts: np.ndarray) -> None:
        """Write the histogram of *part*."""
        write_array(self.path / f"{part}_counts.npy", counts)
