"""The Ray Tune trainable: one trial in its own folder, found by key, continued where it stopped."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from ray import tune

from data.names import name_error
from data.pack import load_pack
from tuning.evaluate import measure_test
from tuning.journal import Journal, Row
from tuning.stage import Job, fail, has_failed
from tuning.train import fit, pick_device, split_of
from tuning.training import BadTrialError

REPORTED = ("epoch", "best_val_pr_auc", "val_pr_auc", "val_loss", "train_loss", "seconds")


class _StoppedError(Exception):
    """The user asked the campaign to stop."""


@contextmanager
def _alone(journal: Journal) -> Iterator[None]:
    """Wait until no other process trains in the folder: a killed driver's worker outlives it by seconds."""
    with (journal.path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_trial(sample: dict[str, Any], job: Job) -> None:
    """Train one trial and, in the repeat stage, measure test with its best checkpoint.

    It ends early, to be continued, where the campaign's folder has the file ``stop``.

    Raises:
        BadTrialError: If the training cannot give a result; a retry fails again at once.
        MemoryError: If the machine or the GPU has too little memory for it; a retry with the same share
            fails again at once.
    """
    journal = job.journal(sample)
    with _alone(journal):
        ended = journal.read("end") or {}
        if ended.get("reason") == "error":
            raise BadTrialError(ended["message"])
        if has_failed(journal, "memory"):
            raise MemoryError(journal.read("failure")["message"])
        try:
            _train(sample, job, journal)
        except _StoppedError:
            return
        except BadTrialError as error:
            journal.end("error", message=str(error))
            raise
        except (MemoryError, RuntimeError) as error:
            if not _is_memory(error):
                raise
            message = _explain_memory(error)
            fail(journal, "memory", message)
            raise MemoryError(message) from error


def _train(sample: dict[str, Any], job: Job, journal: Journal) -> None:
    def report(row: Row) -> None:
        tune.report({name: row[name] for name in REPORTED})
        _check_stop(job.stop)

    _check_stop(job.stop)
    config, pack = job.config(sample), load_pack(Path(job.pack))
    fit(config, pack, journal.path, report)
    if job.stage == "repeat" and journal.read("test") is None:
        measure_test(journal, pack, split_of(config, pack), pick_device())


def _check_stop(stop: Path) -> None:
    if stop.exists():
        raise _StoppedError


def _is_memory(error: BaseException) -> bool:
    """Tell torch's and numpy's lack of memory from other errors; torch has no class for the machine's."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "DefaultCPUAllocator" in str(error)


def _explain_memory(error: BaseException) -> str:
    gpu = isinstance(error, torch.OutOfMemoryError)
    where, remedy = ("GPU", "--gpus-per-trial") if gpu else ("machine", "--cpus-per-trial")
    return (
        f"A trial must fit into the {where}'s memory, but this one did not: {name_error(error)} "
        f"Raise {remedy}, so that fewer trials share it."
    )
