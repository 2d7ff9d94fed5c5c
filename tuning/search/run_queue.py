"""Runs the queue of all trials as one experiment of Ray Tune."""

import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import TrialScheduler

from data.io.shared_storage import SharedStorage
from tuning.cluster.ray_session import count_slots, list_node_resources, make_placement
from tuning.search.callback import TrackingCallback
from tuning.search.interrupt import stop_on_interrupt
from tuning.search.optuna_asha import make_scheduler
from tuning.search.queue import TrialQueue
from tuning.search.ray_queue import QueueCallback, QueueScheduler, QueueSearcher, Watch
from tuning.search.trainable import run_queued
from tuning.search.work import Work
from tuning.trial.stage import QUEUED_STAGE
from tuning.trial.status import split_finished

logger = logging.getLogger(__name__)

# Attempts after the first, for a trial whose worker died; the machines of a cluster may vanish.
RETRIES, CLUSTER_RETRIES = 3, 8
AHEAD = 8  # trials at least that a cluster is asked for beyond its slots, so that it adds nodes
EXPERIMENT = "trials"  # Ray's name for all of them
_MAX_PENDING = "TUNE_MAX_PENDING_TRIALS_PG"


def run_queue(works: Sequence[Work], ray_folder: Path, watch: Watch | None = None) -> None:
    """Run the unfinished trials of some campaigns; those that were out of memory once more with more resources.

    Args:
        works: What is to run, one for each campaign; results are in the trials' folders.
        ray_folder: Ray's own storage; nothing is read from it later.
        watch: Called between steps of the event loop; its error ends the queue.

    Raises:
        KeyboardInterrupt: If the user interrupts.
        FullDiskError: If the disk is full.
    """
    nodes = list_node_resources()
    needs = {one for work in works for _, one in work.list_needs().values()}
    can_enlarge = any(one.enlarge(nodes) is not None for one in needs)
    _run_once(works, ray_folder, watch, last=not can_enlarge)
    failed = {key: count for work in works for key, count in work.count_memory_failures().items()}
    if failed and can_enlarge:
        larger = [work.enlarge(lambda one: one.enlarge(nodes)) for work in works]
        given = {key: one for work in larger for key, (_, one) in work.list_needs().items()}
        for key, count in failed.items():
            logger.warning("%s: %d out of memory; once more with %s.", key, count, given[key])
        _run_once(larger, ray_folder, watch, last=True)


def _run_once(works: Sequence[Work], ray_folder: Path, watch: Watch | None, *, last: bool) -> None:
    for work in works:
        work.prepare()
    queue, senders = TrialQueue(works, last=last), [work.sender for work in works]
    if queue.is_empty:
        return
    try:
        with stop_on_interrupt([work.repeat.job.stop for work in works]):
            try:
                _make_tuner(queue, works, ray_folder, watch).fit()
            except BaseException:
                for sender in senders:
                    sender.cancel()
                raise
    finally:
        for sender in senders:
            sender.drain()


def _make_tuner(
    queue: TrialQueue, works: Sequence[Work], ray_folder: Path, watch: Watch | None
) -> tune.Tuner:
    needs = {key: pair for work in works for key, pair in work.list_needs().items()}
    placements = {key: make_placement(one) for key, (_, one) in needs.items()}
    trainable = tune.with_parameters(
        run_queued, jobs={key: stage.job for key, (stage, _) in needs.items()}
    )
    slots = partial(count_slots, [one for _, one in needs.values()])
    on_cluster = works[0].repeat.job.source is not None
    ahead = max(AHEAD, slots()) if on_cluster else 1
    os.environ[_MAX_PENDING] = str(slots() + ahead)  # the searcher itself knows when to wait
    filesystem, path = _open_ray_storage(works[0], ray_folder)
    markers = [work.repeat.job.stop for work in works]
    return tune.Tuner(
        tune.with_resources(trainable, lambda sample: placements[sample[QUEUED_STAGE]]),
        tune_config=tune.TuneConfig(
            num_samples=-1,  # until the searcher ends
            search_alg=QueueSearcher(queue, markers, slots, ahead),
            scheduler=QueueScheduler(_make_schedulers(works)),
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=EXPERIMENT,
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=tune.FailureConfig(
                max_failures=CLUSTER_RETRIES if on_cluster else RETRIES
            ),
            callbacks=[QueueCallback(_make_callbacks(queue, works), watch)],
            verbose=0,
        ),
    )


def _make_schedulers(works: Sequence[Work]) -> dict[str, TrialScheduler]:
    return {
        work.key_search(one): make_scheduler(one.stage, list(split_finished(one.stage)[0]))
        for work in works
        for one in work.searches
    }


def _make_callbacks(queue: TrialQueue, works: Sequence[Work]) -> dict[str, TrackingCallback]:
    """Make one callback for each search, and one for all repeats of a campaign, which numbers them."""
    callbacks: dict[str, TrackingCallback] = {}
    for work in works:
        make = partial(
            TrackingCallback,
            work.sender,
            progress=queue.progress,
            campaign=work.name,
            named=len(works) > 1,
        )
        callbacks |= {work.key_search(one): make(one.stage) for one in work.searches}
        repeats = make(work.repeat)
        callbacks |= {work.key_repeats(model): repeats for model in work.resources}
    return callbacks


def _open_ray_storage(work: Work, ray_folder: Path) -> tuple[Any, str]:
    """Empty Ray's own storage, which every node must reach; return its file system and path."""
    sync = work.repeat.job.sync
    storage = sync.storage.subfolder("ray") if sync else SharedStorage(str(ray_folder.resolve()))
    storage.subfolder(EXPERIMENT).delete_all()
    return storage.open()
