"""A training's checkpoint files, kept so that a kill at any point leaves all of one epoch.

The better checkpoint and its histogram are written aside, then ``last.pt``, which decides whether they count.
"""

import os
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from data.names import name_error
from tuning.journal import Journal, write_aside

_NEXT = "next"


def keep_next(journal: Journal, content: dict[str, Any], counts: np.ndarray) -> None:
    """Write a better checkpoint, whose epoch ``last.pt`` does not know yet.

    Args:
        journal: The trial's folder.
        content: The checkpoint; its ``epoch`` counts from 1.
        counts: Histogram of val, shape ``(2, BINS)``.
    """
    write_aside(journal.path / f"{_NEXT}.pt", lambda aside: torch.save(content, aside))
    journal.write_counts(_NEXT, counts)


def settle_best(journal: Journal, epoch: int) -> None:
    """Let the better checkpoint take its place if ``last.pt`` knows its epoch, else drop it.

    Args:
        journal: The trial's folder.
        epoch: The epoch of ``last.pt``, 0 where there is none.
    """
    better = journal.path / f"{_NEXT}.pt"
    if not better.is_file():
        return
    known = torch.load(better, "cpu", weights_only=True)["epoch"] == epoch
    for aside, name in ((f"{_NEXT}_counts.npy", "val_counts.npy"), (better.name, "best.pt")):
        file = journal.path / aside
        if known and file.is_file():  # the first may have been moved before a kill
            os.replace(file, journal.path / name)
        file.unlink(missing_ok=True)


def load_last(journal: Journal) -> dict[str, Any]:
    """Load the checkpoint of the last epoch; tensors and plain values alone, nothing of it is run.

    Raises:
        ValueError: If the file is damaged or holds anything else.
    """
    try:
        saved: dict[str, Any] = torch.load(journal.last, "cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise ValueError(
            f"A checkpoint must be whole and hold tensors alone, but {journal.last} is not: "
            f"{name_error(error)} Remove it, and the trial is trained from its start."
        ) from error
    return saved
