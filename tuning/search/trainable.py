"""The Ray Tune trainable: trains one trial, or several seeds of one config, each in its own folder."""

import gc
import platform
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ray import tune

from data.io.disk import describe_free_space, says_full
from data.io.errors import format_error
from data.io.lock import wait_for_lock
from data.io.malloc import keep_freed_memory
from data.io.shared_storage import SharedStorageError
from data.pack import load_pack
from data.pack.node_cache import cache_folder, fetch_pack
from tuning.train.environment import hash_code
from tuning.train.evaluate import measure_test
from tuning.train.fit import choose_device, make_config_split
from tuning.train.multi_seed import SeedRun, fit_stacked
from tuning.train.training import BadTrialError
from tuning.trial.folder import VAL_AP, Row, TrialFolder
from tuning.trial.networks import receive_networks
from tuning.trial.stage import QUEUED_STAGE, SAMPLE_INDEX, StageJob
from tuning.trial.status import is_finished, is_measured, mark_failed
from tuning.trial.sync import StopMarker, working_copy

REPORTED = ("epoch", VAL_AP, "val_pr_auc", "val_loss", "train_loss", "seconds")
_OUT_OF_MEMORY = (
    "A trial must fit into the {}'s memory, but this one did not: {} "
    "Raise {}, so that fewer trials share it."
)


class _StoppedError(Exception):
    """The user stopped the campaign."""


def run_queued(sample: dict[str, Any], jobs: Mapping[str, StageJob]) -> None:
    """Train a trial of the stage that its sample names; see :func:`run_trial`."""
    run_trial(sample, jobs[sample[QUEUED_STAGE]])


def run_trial(sample: dict[str, Any], job: StageJob) -> None:
    """Train one trial, or several seeds at once; in the repeat stage, measure test with each best checkpoint.

    Errors are written to the trial's folder and not raised, because Ray would retry the trial; its retries are for
    workers that die. The function returns early if the campaign's stop marker exists; the trial can be resumed.
    """
    keep_freed_memory()
    with ExitStack() as stack:
        # All workers lock in the stage's order, so that two never wait for each other's folders.
        trials = [
            RunningTrial(index, member, stack.enter_context(_lock_folder(member, job)))
            for index, member in enumerate(job.list_samples(sample))
        ]
        try:
            with _record_errors(trials, job):
                _train(trials, job)
        except _StoppedError:
            return
    gc.collect()  # the same process trains the next trial, and cycles hold tiles, weights and GPU memory
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # for the other processes on this GPU


@dataclass(frozen=True)
class RunningTrial:
    """A trial in a worker.

    Attributes:
        index: Its index among the members of the Ray trial.
        sample: Its sample.
        folder: Its folder on this node.
    """

    index: int
    sample: Mapping[str, Any]
    folder: TrialFolder


@contextmanager
def _lock_folder(sample: Mapping[str, Any], job: StageJob) -> Iterator[TrialFolder]:
    """Lock the trial's folder: the worker of a killed driver may still train there for a few seconds."""
    with _local_folder(sample, job) as folder, wait_for_lock(folder.path / ".lock"):
        yield folder


@contextmanager
def _local_folder(sample: Mapping[str, Any], job: StageJob) -> Iterator[TrialFolder]:
    """Yield the trial's folder: the campaign's own, or this node's copy of it from shared storage."""
    if job.sync is None:
        yield job.folder(sample)
        return
    with working_copy(job.sync, job.key(sample), cache_folder()) as path:
        folder = TrialFolder(path)
        folder.drop("failure")  # of an earlier attempt
        yield folder


@contextmanager
def _record_errors(trials: Sequence[RunningTrial], job: StageJob) -> Iterator[None]:
    """Write an error to the folders of the unfinished trials among *trials*."""
    try:
        yield
    except (_StoppedError, SharedStorageError):  # the driver would not see a file written here
        raise
    except Exception as error:  # noqa: BLE001 - any error concerns these trials only
        for trial in trials:
            if is_finished(trial.folder, job.stage):
                continue
            if isinstance(error, BadTrialError):
                trial.folder.end("error", message=str(error))
            else:
                _write_failure(trial.folder, error)


def _write_failure(folder: TrialFolder, error: Exception) -> None:
    """Write ``failure.json``; on a disk without room for it say so, and the trial counts as interrupted."""
    try:
        mark_failed(folder, *_explain(error), traceback.format_exc())
    except OSError as unwritten:
        if not says_full(unwritten):
            raise
        print(f"{_explain(error)[1]} {describe_free_space(folder.path)}", file=sys.stderr)


def _check_code(job: StageJob) -> None:
    """Refuse to train on a node that joined later with other code."""
    if job.code and hash_code() != job.code:
        raise BadTrialError(
            f"Every node must have the driver's code ({job.code}), but got {hash_code()} on {platform.node()}. "
            "Put the same commit on it."
        )


def _train(trials: Sequence[RunningTrial], job: StageJob) -> None:
    _check_stop(job.stop)
    _check_code(job)
    receive_networks(job.networks)
    unfinished = [trial for trial in trials if not is_finished(trial.folder, job.stage)]
    path = Path(job.pack) if job.source is None else fetch_pack(job.source)
    pack = load_pack(path, check=False)  # checked by the driver, or as this node's copy
    results = fit_stacked(_list_seeds(unfinished, job), pack)
    for trial, result in zip(unfinished, results, strict=True):
        with _record_errors([trial], job):
            if not isinstance(result, str):
                raise result
            if job.stage == "repeat" and not is_measured(trial.folder):
                split = make_config_split(job.config(trial.sample), pack)
                measure_test(trial.folder, pack, split, choose_device())


def _list_seeds(trials: Sequence[RunningTrial], job: StageJob) -> list[SeedRun]:
    def report(trial: RunningTrial, row: Row) -> None:
        if job.sync:
            job.sync.push(job.key(trial.sample), trial.folder.path)
        tune.report({SAMPLE_INDEX: trial.index, **{name: row[name] for name in REPORTED}})
        _check_stop(job.stop)

    return [
        SeedRun(job.config(trial.sample), trial.folder.path, partial(report, trial))
        for trial in trials
    ]


def _check_stop(marker: Path | StopMarker) -> None:
    if marker.exists():
        raise _StoppedError


def _explain(error: Exception) -> tuple[str, str]:
    """Return the kind of a failure, ``memory``, ``disk`` or ``error``, and its reason in one line."""
    text = format_error(error)
    if isinstance(error, torch.OutOfMemoryError):
        return "memory", _OUT_OF_MEMORY.format("GPU", text, "--gpus-per-trial")
    # torch has no exception class for a lack of main memory, nor for a full disk.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return "memory", _OUT_OF_MEMORY.format("machine", text, "--cpus-per-trial")
    if says_full(error):
        return "disk", text
    return "error", f"{type(error).__name__}: {text}"
