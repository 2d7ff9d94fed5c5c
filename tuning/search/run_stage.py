"""Search and repeat on Ray Tune: what of a stage is still to be run, its share of the machine, its result."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune

from data.io.shared_storage import SharedStorage
from tuning.cluster.ray_session import list_node_resources, request
from tuning.cluster.resources import Resources
from tuning.search.callback import TrackingCallback
from tuning.search.interrupt import stop_on_interrupt
from tuning.search.optuna_asha import make_scheduler, make_searcher
from tuning.search.trainable import run_trial
from tuning.tracking.sender import MLflowSender
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import Domain, first_sample
from tuning.trial.stage import (
    Stage,
    has_failed,
    is_finished,
    list_entries,
    read_score,
    split_finished,
)

logger = logging.getLogger(__name__)

RETRIES, CLUSTER_RETRIES = 3, 8  # of a trial whose worker died; spot machines vanish


def run_search(
    model: str,
    space: Mapping[str, Domain],
    stage: Stage,
    delivery: MLflowSender,
    folder: Path,
    resources: Resources,
) -> list[Config]:
    """Search one architecture's hyperparameters: seeded TPE, known-good values first, ASHA.

    Args:
        model: Name of the architecture.
        space: Flat search space.
        stage: The stage; what its trials' folders hold is continued.
        delivery: Feeds MLflow.
        folder: Ray's own storage, which nothing is read from again.
        resources: Share of the machine per trial.

    Returns:
        Configs of all trials that gave a result, best first.

    Raises:
        KeyboardInterrupt: If the user interrupts.
    """

    def prepare() -> tuple[dict[str, Any], dict[str, Any]]:
        over, rest = split_finished(stage)
        searcher = make_searcher(space, first_sample(model, space), stage, over, rest)
        return {}, {
            "num_samples": stage.trials - len(over),
            "search_alg": searcher,
            "scheduler": make_scheduler(stage, list(over)),
        }

    _run(prepare, stage, delivery, folder, resources)
    every = list_entries(stage)
    scores = {path: read_score(TrialFolder(path)) for path in every}
    ranked = [(score, path) for path, score in scores.items() if score is not None]
    ranked.sort(key=lambda pair: (-pair[0], every[pair[1]].number))
    return [every[path].config for _, path in ranked]


def run_repeats(
    configs: Sequence[Config],
    stage: Stage,
    delivery: MLflowSender,
    folder: Path,
    resources: Resources,
) -> list[Config]:
    """Train whole configs, each to its end: no scheduler, which would bias the seeds' mean.

    One of Ray's trials stands for as many seeds of a config as the stage's ``stack`` says; each is a trial of its own.

    Returns:
        The configs whose training ended and whose test part was measured.
    """

    def folder_of(config: Config) -> TrialFolder:
        return stage.job.journal({"config": config})

    def prepare() -> tuple[dict[str, Any], dict[str, Any]]:
        rest = [config for config in configs if not is_finished(folder_of(config), stage.job.stage)]
        stacks = _stack(rest, stage.stack)
        return {"configs": tune.grid_search(stacks)}, {"num_samples": 1 if rest else 0}

    _run(prepare, stage, delivery, folder, resources)
    return [config for config in configs if folder_of(config).read("test")]


def _stack(configs: Sequence[Config], most: int) -> list[list[Config]]:
    """Put seeds of one config together, at most some, in their order and in that of each first one."""
    alike: dict[str, list[Config]] = {}
    for config in configs:
        rest = {name: value for name, value in config.items() if name != "seed"}
        alike.setdefault(json.dumps(rest, sort_keys=True), []).append(config)
    stacks = [same[at : at + most] for same in alike.values() for at in range(0, len(same), most)]
    return sorted(stacks, key=lambda stack: configs.index(stack[0]))


def _run(
    prepare: Callable[[], tuple[dict[str, Any], dict[str, Any]]],
    stage: Stage,
    delivery: MLflowSender,
    folder: Path,
    resources: Resources,
) -> None:
    """Run what is not over of a stage; once more, with a larger share, what ran out of memory."""
    short = _run_once(prepare, stage, delivery, folder, resources)
    larger = resources.enlarge(list_node_resources()) if short else None
    if larger is not None:
        logger.warning("%s: %d out of memory; once more with %s.", stage.name, short, larger)
        _run_once(prepare, stage, delivery, folder, larger)


def _run_once(
    prepare: Callable[[], tuple[dict[str, Any], dict[str, Any]]],
    stage: Stage,
    delivery: MLflowSender,
    folder: Path,
    resources: Resources,
) -> int:
    """Run what is not over of a stage; return how many trials ran out of memory."""
    _, rest = split_finished(stage)
    for journal in map(TrialFolder, rest):
        delivery.collect(journal)  # a killed driver may have missed something
        for name in ("failure", "sent"):
            journal.drop(name)
    samples, tuning = prepare()
    if tuning["num_samples"]:
        _fit(samples, tuning, stage, TrackingCallback(delivery, stage), folder, resources)
    _, rest = split_finished(stage)
    return sum(has_failed(TrialFolder(path), "memory") for path in rest)


def _fit(
    samples: dict[str, Any],
    tuning: dict[str, Any],
    stage: Stage,
    mirror: TrackingCallback,
    folder: Path,
    resources: Resources,
) -> None:
    """Let Ray run trials; all that counts of them lies in their folders."""
    placed = request(resources)
    trainable = tune.with_resources(tune.with_parameters(run_trial, job=stage.job), placed)
    system, place = _make_room(stage, folder)
    retries = CLUSTER_RETRIES if stage.job.source else RETRIES
    tuner = tune.Tuner(
        trainable,
        param_space=samples,
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
            **tuning,
        ),
        run_config=tune.RunConfig(
            name=stage.name,
            storage_path=place,
            storage_filesystem=system,
            failure_config=tune.FailureConfig(max_failures=retries),
            callbacks=[mirror],
            verbose=0,
        ),
    )
    try:
        with stop_on_interrupt(stage.job.stop):
            try:
                tuner.fit()
            except BaseException:
                mirror.delivery.abandon()
                raise
    finally:
        mirror.delivery.drain()


def _make_room(stage: Stage, folder: Path) -> tuple[Any, str]:
    """Empty Ray's own storage of a stage, which every node must reach; return its file system and its place."""
    relay = stage.job.relay
    depot = relay.depot.subfolder("ray") if relay else SharedStorage(str(folder.resolve()))
    depot.subfolder(stage.name).delete_all()
    return depot.open()
