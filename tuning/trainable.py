"""The Ray Tune trainable: one trial in its own folder, found by key, continued where it stopped."""

import errno
import fcntl
import platform
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from ray import tune

from data.copies import cache_folder, fetch_copy
from data.depot import DepotError
from data.names import name_error
from data.pack import load_pack
from tuning.evaluate import measure_test
from tuning.heap import keep_freed_memory
from tuning.journal import Journal, Row
from tuning.node import hash_code
from tuning.relay import StopMark, working_copy
from tuning.room import FULL_DISK
from tuning.stage import Job, fail
from tuning.train import fit, pick_device, split_of
from tuning.training import BadTrialError

REPORTED = ("epoch", "best_val_pr_auc", "val_pr_auc", "val_loss", "train_loss", "seconds")


_TOO_LARGE = (
    "A trial must fit into the {}'s memory, but this one did not: {} "
    "Raise {}, so that fewer trials share it."
)


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

    What goes wrong is left in the trial's folder, and is no error to Ray, which would try it again: that
    is for workers that die. It ends early, to be continued, where the campaign's folder has the file ``stop``.
    """
    keep_freed_memory()
    with _at_hand(sample, job) as journal, _alone(journal):
        try:
            _train(sample, job, journal)
        except _StoppedError:
            return
        except DepotError:  # what is left here would not be seen
            raise
        except BadTrialError as error:
            journal.end("error", message=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the trial's alone
            fail(journal, *_explain(error), traceback.format_exc())
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the next trial of this process may need it


@contextmanager
def _at_hand(sample: dict[str, Any], job: Job) -> Iterator[Journal]:
    """Give the trial's folder: the campaign's own, or one of this node that travels."""
    if job.relay is None:
        yield job.journal(sample)
        return
    with working_copy(job.relay, job.key(sample), cache_folder()) as folder:
        journal = Journal(folder)
        journal.drop("failure")  # of an earlier try
        yield journal


def _check_code(job: Job) -> None:
    """Refuse to train on a node that joined later, with other code."""
    if job.code and hash_code() != job.code:
        raise BadTrialError(
            f"Every node must have the driver's code ({job.code}), but got {hash_code()} on {platform.node()}. "
            "Put the same commit on it."
        )


def _train(sample: dict[str, Any], job: Job, journal: Journal) -> None:
    def report(row: Row) -> None:
        if job.relay:
            job.relay.push(job.key(sample), journal.path)
        tune.report({name: row[name] for name in REPORTED})
        _check_stop(job.stop)

    _check_stop(job.stop)
    _check_code(job)
    config, pack = job.config(sample), load_pack(_find_pack(job))
    fit(config, pack, journal.path, report)
    if job.stage == "repeat" and journal.read("test") is None:
        measure_test(journal, pack, split_of(config, pack), pick_device())


def _find_pack(job: Job) -> Path:
    return Path(job.pack) if job.source is None else fetch_copy(job.source)


def _check_stop(stop: Path | StopMark) -> None:
    if stop.exists():
        raise _StoppedError


def _explain(error: Exception) -> tuple[str, str]:
    """Return the kind of a failure, ``memory``, ``disk`` or ``error``, and its reason in a line."""
    text = name_error(error)
    if isinstance(error, torch.OutOfMemoryError):
        return "memory", _TOO_LARGE.format("GPU", text, "--gpus-per-trial")
    # torch has no class for too little memory of the machine, nor for a disk that it cannot write.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return "memory", _TOO_LARGE.format("machine", text, "--cpus-per-trial")
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or any(sign in str(error) for sign in FULL_DISK):
        return "disk", text
    return "error", f"{type(error).__name__}: {text}"
