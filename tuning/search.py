"""Search and repeat on Ray Tune: searcher, scheduler, resources, and the mirror that feeds MLflow."""

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import ray
from ray import tune
from ray.tune.logger import JsonLoggerCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from data.machine import count_cpus
from tuning.journal import Config
from tuning.mirror import METRIC, Mirror, Stage, settle
from tuning.settings import Settings
from tuning.space import Domain, LogUniform, first_sample
from tuning.trainable import run_trial

logger = logging.getLogger(__name__)

SEARCH_SEED = 42
OBJECT_STORE_BYTES = 200 << 20  # trials pass files, not objects


@dataclass(frozen=True)
class Resources:
    """Share of the machine or cluster that one trial takes."""

    cpus: float
    gpus: float


def quiet_ray() -> None:
    """Set what Ray reads from the environment before it starts."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # relative paths mean what they say
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault(
        "TUNE_DISABLE_SIGINT_HANDLER", "1"
    )  # or Ctrl-C would start the next stage
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "5")  # what a killed driver may lose
    os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
    logging.getLogger("ray.tune").setLevel(
        logging.CRITICAL
    )  # the mirror says what failed, in a line
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def start_ray(settings: Settings) -> Resources:
    """Start or join Ray; return each trial's share of it."""
    quiet_ray()
    if settings.address:
        ray.init(settings.address, log_to_driver=False)
    else:
        ray.init(
            "local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            num_cpus=count_cpus(),
            object_store_memory=OBJECT_STORE_BYTES,
        )
    there = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return share_out(settings, there.get("CPU", 0), there.get("GPU", 0))


def share_out(settings: Settings, cpus: float, gpus: float) -> Resources:
    """Choose a trial's share: cores evenly over the trials of a stage, half a GPU where there is one.

    Raises:
        ValueError: If no trial would fit, since Ray would wait for ever.
    """
    even = max(1, int(cpus) // max(settings.trials, settings.seeds))
    half = 0.5 if gpus else 0.0
    share = Resources(
        even if settings.cpus_per_trial is None else settings.cpus_per_trial,
        half if settings.gpus_per_trial is None else settings.gpus_per_trial,
    )
    if share.cpus > cpus or share.gpus > gpus:
        raise ValueError(
            f"A trial must fit into the machine or cluster, but got {share.cpus} of {cpus:g} cores and "
            f"{share.gpus} of {gpus:g} GPUs. Lower --cpus-per-trial or --gpus-per-trial."
        )
    return share


def stop_ray() -> None:
    """Leave Ray; a local one ends."""
    ray.shutdown()


def _domain(domain: Domain) -> Any:
    if isinstance(domain, LogUniform):
        return tune.loguniform(domain.low, domain.high)
    return tune.choice(domain)


def run_search(
    model: str,
    space: Mapping[str, Domain],
    stage: Stage,
    mirror: Mirror,
    folder: Path,
    resources: Resources,
) -> list[Config]:
    """Search one architecture's hyperparameters: seeded TPE, known-good values first, ASHA.

    Args:
        model: Name of the architecture.
        space: Flat search space.
        stage: The stage.
        mirror: Feeds MLflow.
        folder: Ray's storage; a stage that it holds is continued.
        resources: Share of the machine per trial.

    Returns:
        Configs of all trials that trained at least one epoch, best first.
    """
    searcher = OptunaSearch(
        sampler=optuna.samplers.TPESampler(
            seed=SEARCH_SEED, n_startup_trials=max(3, stage.trials // 4)
        ),
        points_to_evaluate=[first_sample(model, space)],
        metric=METRIC,
        mode="max",
    )
    scheduler = ASHAScheduler(
        time_attr="epoch",
        metric=METRIC,
        mode="max",
        max_t=stage.epochs + 1,  # training itself ends at the last epoch
        grace_period=max(1, math.ceil(stage.epochs / 4)),
        reduction_factor=3,
    )
    tuning = tune.TuneConfig(
        num_samples=stage.trials,
        search_alg=searcher,
        scheduler=scheduler,
        reuse_actors=True,
        trial_dirname_creator=lambda trial: str(trial.trial_id),
    )
    samples = {name: _domain(domain) for name, domain in space.items()}
    return _run(samples, tuning, stage, mirror, folder, resources)


def run_repeats(
    configs: list[Config], stage: Stage, mirror: Mirror, folder: Path, resources: Resources
) -> list[Config]:
    """Train whole configs, each to its end: no scheduler, which would bias the seeds' mean.

    Returns:
        The configs whose training ended and whose test part was measured.
    """
    tuning = tune.TuneConfig(
        num_samples=1, reuse_actors=True, trial_dirname_creator=lambda trial: str(trial.trial_id)
    )
    done = _run({"config": tune.grid_search(configs)}, tuning, stage, mirror, folder, resources)
    return [config for config in done if stage.job.journal({"config": config}).read("test")]


def _run(
    samples: dict[str, Any],
    tuning: tune.TuneConfig,
    stage: Stage,
    mirror: Mirror,
    folder: Path,
    resources: Resources,
) -> list[Config]:
    """Run or continue one stage; return the configs that trained, best val average precision first."""
    share = tune.PlacementGroupFactory([{"CPU": resources.cpus, "GPU": resources.gpus}])
    trainable = tune.with_resources(tune.with_parameters(run_trial, job=stage.job), share)
    path = folder / stage.name
    if tune.Tuner.can_restore(str(path)):
        logger.info("Continuing %s.", stage.name)
        tuner = tune.Tuner.restore(str(path), trainable, resume_errored=False)
    else:
        tuner = tune.Tuner(
            trainable,
            param_space=samples,
            tune_config=tuning,
            run_config=tune.RunConfig(
                name=stage.name,
                storage_path=str(folder.resolve()),
                failure_config=tune.FailureConfig(max_failures=1),
                # Ray reads its results back from the second.
                callbacks=[mirror, JsonLoggerCallback()],  # type: ignore[no-untyped-call]
                verbose=0,
            ),
        )
    try:
        results = tuner.fit()
    finally:
        mirror.drain()
    ended = [(results[at].config, results[at].error) for at in range(len(results))]
    best: dict[str, tuple[float, Config]] = {}
    for sample, error in ended:
        if not sample:  # interrupted before it had a config
            continue
        config, key = stage.job.config(sample), stage.job.key(sample)
        journal = stage.job.journal(sample)
        settle(mirror.tracker, stage, config, journal, error)
        history = journal.history()
        if history and error is None:
            best[key] = (history[-1][METRIC], config)
    return [config for _, config in sorted(best.values(), key=lambda pair: -pair[0])]
