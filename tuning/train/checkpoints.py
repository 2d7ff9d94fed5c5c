"""A training's checkpoint files, kept so that a kill at any point leaves all of one epoch.

The better checkpoint and its histogram are written aside, then ``last.pt``, which decides whether they count.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from data.io.safe_checkpoint import checkpoint_error, load_tensors
from data.io.safe_json import RefusedError
from tuning.trial.folder import TrialFolder, write_atomically

_NEXT = "next"
_REMEDY = "Or remove it: the trial is then trained from its start."


def keep_next(journal: TrialFolder, content: dict[str, Any], counts: np.ndarray) -> None:
    """Write a better checkpoint, whose epoch ``last.pt`` does not know yet.

    Args:
        journal: The trial's folder.
        content: The checkpoint; its ``epoch`` counts from 1.
        counts: Histogram of val, shape ``(2, BINS)``.
    """
    write_atomically(journal.path / f"{_NEXT}.pt", lambda aside: torch.save(content, aside))
    journal.write_counts(_NEXT, counts)


def settle_best(journal: TrialFolder, epoch: int) -> None:
    """Let the better checkpoint take its place if ``last.pt`` knows its epoch, else drop it.

    Args:
        journal: The trial's folder.
        epoch: The epoch of ``last.pt``, 0 where there is none.
    """
    better = journal.path / f"{_NEXT}.pt"
    if not better.is_file():
        return
    if load_tensors(better)["epoch"] == epoch:
        take_next(journal)
    for aside in (f"{_NEXT}_counts.npy", better.name):
        (journal.path / aside).unlink(missing_ok=True)


def take_next(journal: TrialFolder) -> None:
    """Let the better checkpoint take its place, once ``last.pt`` knows its epoch."""
    for aside, name in ((f"{_NEXT}_counts.npy", "val_counts.npy"), (f"{_NEXT}.pt", "best.pt")):
        file = journal.path / aside
        if file.is_file():  # the first may have been moved before a kill
            os.replace(file, journal.path / name)


@contextmanager
def naming_last(journal: TrialFolder) -> Iterator[None]:
    """Name ``last.pt`` in whatever goes wrong when it is loaded, and say what to do.

    Raises:
        ValueError: If the file is damaged, or does not belong to the trial.
    """
    try:
        yield
    except RefusedError as error:
        raise ValueError(f"{error} {_REMEDY}") from error
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{checkpoint_error(error, journal.last)} {_REMEDY}") from error
