"""The Ray Tune trainable: one trial, or seeds of one config, each in its own folder, found by key, continued there."""

import errno
import platform
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ray import tune

from data.io.errors import format_error
from data.io.lock import wait_for_lock
from data.io.shared_storage import SharedStorageError
from data.pack import load_pack
from data.pack.node_cache import cache_folder, fetch_pack
from tuning.cluster.node_info import hash_code
from tuning.train.evaluate import measure_test
from tuning.train.fit import choose_device, make_config_split
from tuning.train.malloc import keep_freed_memory
from tuning.train.multi_seed import SeedRun, fit_stacked
from tuning.train.training import BadTrialError
from tuning.trial.disk import FULL_DISK
from tuning.trial.folder import Row, TrialFolder
from tuning.trial.stage import MEMBER, StageJob, is_finished, mark_failed
from tuning.trial.sync import StopMarker, working_copy

REPORTED = ("epoch", "best_val_pr_auc", "val_pr_auc", "val_loss", "train_loss", "seconds")


_TOO_LARGE = (
    "A trial must fit into the {}'s memory, but this one did not: {} "
    "Raise {}, so that fewer trials share it."
)


class _StoppedError(Exception):
    """The user asked the campaign to stop."""


def run_trial(sample: dict[str, Any], job: StageJob) -> None:
    """Train one trial, or several seeds at once, and in the repeat stage measure test with each best checkpoint.

    What goes wrong is left in the trial's folder, and is no error to Ray, which would try it again: that
    is for workers that die. It ends early, to be continued, where the campaign's folder has the file ``stop``.
    """
    keep_freed_memory()
    with ExitStack() as held:
        # In the stage's own order, so that two workers never wait for each other's folders.
        trials = [
            RunningTrial(at, one, held.enter_context(_hold(one, job)))
            for at, one in enumerate(job.members(sample))
        ]
        try:
            with _blaming(trials, job):
                _train(trials, job)
        except _StoppedError:
            return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the next trial of this process may need it


@dataclass(frozen=True)
class RunningTrial:
    """A trial of a worker: its place among those of Ray's trial, its sample and its folder."""

    place: int
    sample: Mapping[str, Any]
    journal: TrialFolder


@contextmanager
def _hold(sample: Mapping[str, Any], job: StageJob) -> Iterator[TrialFolder]:
    """Wait until no other process trains in the folder: a killed driver's worker outlives it by seconds."""
    with _at_hand(sample, job) as journal, wait_for_lock(journal.path / ".lock"):
        yield journal


@contextmanager
def _at_hand(sample: Mapping[str, Any], job: StageJob) -> Iterator[TrialFolder]:
    """Give the trial's folder: the campaign's own, or one of this node that travels."""
    if job.relay is None:
        yield job.journal(sample)
        return
    with working_copy(job.relay, job.key(sample), cache_folder()) as folder:
        journal = TrialFolder(folder)
        journal.drop("failure")  # of an earlier try
        yield journal


@contextmanager
def _blaming(trials: Sequence[RunningTrial], job: StageJob) -> Iterator[None]:
    """Leave what goes wrong in the folders of those trials that have no result."""
    try:
        yield
    except (_StoppedError, SharedStorageError):  # what is left here would not be seen
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is these trials' alone
        for trial in trials:
            if is_finished(trial.journal, job.stage):
                continue
            if isinstance(error, BadTrialError):
                trial.journal.end("error", message=str(error))
            else:
                mark_failed(trial.journal, *_explain(error), traceback.format_exc())


def _check_code(job: StageJob) -> None:
    """Refuse to train on a node that joined later, with other code."""
    if job.code and hash_code() != job.code:
        raise BadTrialError(
            f"Every node must have the driver's code ({job.code}), but got {hash_code()} on {platform.node()}. "
            "Put the same commit on it."
        )


def _train(trials: Sequence[RunningTrial], job: StageJob) -> None:
    _check_stop(job.stop)
    _check_code(job)
    rest = [trial for trial in trials if not is_finished(trial.journal, job.stage)]
    pack = load_pack(_find_pack(job))
    for trial, outcome in zip(rest, fit_stacked(_list_seeds(rest, job), pack), strict=True):
        with _blaming([trial], job):
            if not isinstance(outcome, str):
                raise outcome
            if job.stage == "repeat" and trial.journal.read("test") is None:
                split = make_config_split(job.config(trial.sample), pack)
                measure_test(trial.journal, pack, split, choose_device())


def _list_seeds(trials: Sequence[RunningTrial], job: StageJob) -> list[SeedRun]:
    def report(trial: RunningTrial, row: Row) -> None:
        if job.relay:
            job.relay.push(job.key(trial.sample), trial.journal.path)
        tune.report({MEMBER: trial.place, **{name: row[name] for name in REPORTED}})
        _check_stop(job.stop)

    return [
        SeedRun(job.config(trial.sample), trial.journal.path, partial(report, trial))
        for trial in trials
    ]


def _find_pack(job: StageJob) -> Path:
    return Path(job.pack) if job.source is None else fetch_pack(job.source)


def _check_stop(stop: Path | StopMarker) -> None:
    if stop.exists():
        raise _StoppedError


def _explain(error: Exception) -> tuple[str, str]:
    """Return the kind of a failure, ``memory``, ``disk`` or ``error``, and its reason in a line."""
    text = format_error(error)
    if isinstance(error, torch.OutOfMemoryError):
        return "memory", _TOO_LARGE.format("GPU", text, "--gpus-per-trial")
    # torch has no class for too little memory of the machine, nor for a disk that it cannot write.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return "memory", _TOO_LARGE.format("machine", text, "--cpus-per-trial")
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or any(sign in str(error) for sign in FULL_DISK):
        return "disk", text
    return "error", f"{type(error).__name__}: {text}"
