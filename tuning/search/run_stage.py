"""Runs the search and repeat stages on Ray Tune: unfinished trials only, with the resources of a trial."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune

from data.io.shared_storage import SharedStorage
from tuning.cluster.ray_session import list_node_resources, make_placement
from tuning.cluster.resources import Resources
from tuning.search.callback import TrackingCallback
from tuning.search.interrupt import stop_on_interrupt
from tuning.search.optuna_asha import make_scheduler, make_searcher
from tuning.search.trainable import run_trial
from tuning.tracking.sender import MLflowSender
from tuning.trial.entry import list_entries
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import Domain, first_sample
from tuning.trial.stage import Stage
from tuning.trial.status import has_failed, is_finished, read_score, split_finished

logger = logging.getLogger(__name__)

# Attempts after the first, for a trial whose worker died; the machines of a cluster may vanish.
RETRIES, CLUSTER_RETRIES = 3, 8

# Returns Ray's parameter space, and further arguments of its TuneConfig.
Prepare = Callable[[], tuple[dict[str, Any], dict[str, Any]]]


def run_search(
    model: str,
    space: Mapping[str, Domain],
    stage: Stage,
    sender: MLflowSender,
    ray_folder: Path,
    resources: Resources,
) -> list[Config]:
    """Search one architecture's hyperparameters: known-good values first, seeded TPE, ASHA.

    Args:
        model: Name of the architecture.
        space: Flat search space.
        stage: The stage; trials in its folder are continued.
        sender: Sends the trials to MLflow.
        ray_folder: Ray's own storage; nothing is read from it later.
        resources: Cores and GPUs of a trial.

    Returns:
        Configs of all trials with a score, best first.

    Raises:
        KeyboardInterrupt: If the user interrupts.
    """

    def prepare() -> tuple[dict[str, Any], dict[str, Any]]:
        finished, unfinished = split_finished(stage)
        first = first_sample(model, space)
        return {}, {
            "num_samples": stage.trials - len(finished),
            "search_alg": make_searcher(space, first, stage, finished, unfinished),
            "scheduler": make_scheduler(stage, list(finished)),
        }

    _run(prepare, stage, sender, ray_folder, resources)
    entries = list_entries(stage)
    scores = {path: read_score(TrialFolder(path)) for path in entries}
    ranked = [(score, path) for path, score in scores.items() if score is not None]
    ranked.sort(key=lambda pair: (-pair[0], entries[pair[1]].number))
    return [entries[path].config for _, path in ranked]


def run_repeats(
    configs: Sequence[Config],
    stage: Stage,
    sender: MLflowSender,
    ray_folder: Path,
    resources: Resources,
) -> list[Config]:
    """Train full configs to their end, without a scheduler, which would bias the mean over seeds.

    A Ray trial trains up to ``stage.stack`` seeds of a config; each seed is a trial of the project.

    Returns:
        The configs that were trained and measured on test.
    """

    def folder_of(config: Config) -> TrialFolder:
        return stage.job.folder({"config": config})

    def prepare() -> tuple[dict[str, Any], dict[str, Any]]:
        rest = [config for config in configs if not is_finished(folder_of(config), stage.job.stage)]
        stacks = _stack(rest, stage.stack)
        return {"configs": tune.grid_search(stacks)}, {"num_samples": 1 if rest else 0}

    _run(prepare, stage, sender, ray_folder, resources)
    return [config for config in configs if folder_of(config).read("test")]


def _stack(configs: Sequence[Config], size: int) -> list[list[Config]]:
    """Group configs that differ only in the seed, at most *size* each, in the order of their first config."""
    groups: dict[str, list[Config]] = {}
    for config in configs:
        rest = {name: value for name, value in config.items() if name != "seed"}
        groups.setdefault(json.dumps(rest, sort_keys=True), []).append(config)
    stacks = [seeds[i : i + size] for seeds in groups.values() for i in range(0, len(seeds), size)]
    return sorted(stacks, key=lambda stack: configs.index(stack[0]))


def _run(
    prepare: Prepare, stage: Stage, sender: MLflowSender, ray_folder: Path, resources: Resources
) -> None:
    """Run a stage's unfinished trials; run those that were out of memory once more with more resources."""
    failed = _run_once(prepare, stage, sender, ray_folder, resources)
    larger = resources.enlarge(list_node_resources()) if failed else None
    if larger is not None:
        logger.warning("%s: %d out of memory; once more with %s.", stage.name, failed, larger)
        _run_once(prepare, stage, sender, ray_folder, larger)


def _run_once(
    prepare: Prepare, stage: Stage, sender: MLflowSender, ray_folder: Path, resources: Resources
) -> int:
    """Run a stage's unfinished trials; return how many ran out of memory."""
    _, unfinished = split_finished(stage)
    for folder in map(TrialFolder, unfinished):
        sender.collect(folder)  # a killed driver may have missed files
        folder.drop("failure")
    space, options = prepare()
    if options["num_samples"]:
        _fit(space, options, stage, TrackingCallback(sender, stage), ray_folder, resources)
    _, unfinished = split_finished(stage)
    return sum(has_failed(TrialFolder(path), "memory") for path in unfinished)


def _fit(
    space: dict[str, Any],
    options: dict[str, Any],
    stage: Stage,
    callback: TrackingCallback,
    ray_folder: Path,
    resources: Resources,
) -> None:
    """Run trials with Ray Tune; their results are in their folders."""
    trainable = tune.with_parameters(run_trial, job=stage.job)
    filesystem, path = _open_ray_storage(stage, ray_folder)
    retries = CLUSTER_RETRIES if stage.job.source else RETRIES
    tuner = tune.Tuner(
        tune.with_resources(trainable, make_placement(resources)),
        param_space=space,
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
            **options,
        ),
        run_config=tune.RunConfig(
            name=stage.name,
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=tune.FailureConfig(max_failures=retries),
            callbacks=[callback],
            verbose=0,
        ),
    )
    try:
        with stop_on_interrupt(stage.job.stop):
            try:
                tuner.fit()
            except BaseException:
                callback.sender.cancel()
                raise
    finally:
        callback.sender.drain()


def _open_ray_storage(stage: Stage, ray_folder: Path) -> tuple[Any, str]:
    """Empty Ray's own storage of a stage, which every node must reach; return its file system and path."""
    sync = stage.job.sync
    storage = sync.storage.subfolder("ray") if sync else SharedStorage(str(ray_folder.resolve()))
    storage.subfolder(stage.name).delete_all()
    return storage.open()
