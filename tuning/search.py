"""Search and repeat on Ray Tune: what of a stage is still to be run, its share of the machine, its result."""

import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray import tune

from data.machine import count_cpus
from tuning.delivery import Delivery
from tuning.journal import Config, Journal
from tuning.mirror import Mirror
from tuning.settings import Settings
from tuning.space import Domain, first_sample
from tuning.stage import Stage, divide, has_failed, is_over, list_entries, read_score
from tuning.stopping import stopping_softly
from tuning.suggest import make_scheduler, make_searcher, quiet_optuna
from tuning.trainable import run_trial

logger = logging.getLogger(__name__)

RETRIES = 3  # of a trial whose worker died; nodes may vanish
OBJECT_STORE_BYTES = 200 << 20  # trials pass files, not objects


@dataclass(frozen=True)
class Resources:
    """Share of the machine or cluster that one trial takes."""

    cpus: float
    gpus: float

    def enlarge(self, cpus: float, gpus: float) -> "Resources | None":
        """Return a larger share, for a trial that ran out of memory; None where there is none.

        Args:
            cpus: Cores of the largest node.
            gpus: GPUs of the node that has most.
        """
        if self.gpus:
            return replace(self, gpus=1.0) if self.gpus < 1 <= gpus else None
        more = min(2 * self.cpus, cpus)
        return replace(self, cpus=more) if more > self.cpus else None


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
    os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")  # a stopped trial has none
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "3600")  # the trials' folders are the journal
    os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
    logging.getLogger("ray.tune").setLevel(
        logging.CRITICAL
    )  # the mirror says what failed, in a line
    quiet_optuna()


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


def run_search(
    model: str,
    space: Mapping[str, Domain],
    stage: Stage,
    delivery: Delivery,
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
        over, rest = divide(stage)
        searcher = make_searcher(space, first_sample(model, space), stage, over, rest)
        return {}, {
            "num_samples": stage.trials - len(over),
            "search_alg": searcher,
            "scheduler": make_scheduler(stage, list(over)),
        }

    _run(prepare, stage, delivery, folder, resources)
    every = list_entries(stage)
    scores = {path: read_score(Journal(path)) for path in every}
    ranked = [(score, path) for path, score in scores.items() if score is not None]
    ranked.sort(key=lambda pair: (-pair[0], every[pair[1]].number))
    return [every[path].config for _, path in ranked]


def run_repeats(
    configs: Sequence[Config], stage: Stage, delivery: Delivery, folder: Path, resources: Resources
) -> list[Config]:
    """Train whole configs, each to its end: no scheduler, which would bias the seeds' mean.

    Returns:
        The configs whose training ended and whose test part was measured.
    """

    def folder_of(config: Config) -> Journal:
        return stage.job.journal({"config": config})

    def prepare() -> tuple[dict[str, Any], dict[str, Any]]:
        rest = [config for config in configs if not is_over(folder_of(config), stage.job.stage)]
        return {"config": tune.grid_search(rest)}, {"num_samples": 1 if rest else 0}

    _run(prepare, stage, delivery, folder, resources)
    return [config for config in configs if folder_of(config).read("test")]


def _run(
    prepare: Callable[[], tuple[dict[str, Any], dict[str, Any]]],
    stage: Stage,
    delivery: Delivery,
    folder: Path,
    resources: Resources,
) -> None:
    """Run what is not over of a stage; once more, with a larger share, what ran out of memory."""
    short = _run_once(prepare, stage, delivery, folder, resources)
    larger = resources.enlarge(*_largest_node()) if short else None
    if larger is not None:
        logger.warning("%s: %d out of memory; once more with %s.", stage.name, short, larger)
        _run_once(prepare, stage, delivery, folder, larger)


def _run_once(
    prepare: Callable[[], tuple[dict[str, Any], dict[str, Any]]],
    stage: Stage,
    delivery: Delivery,
    folder: Path,
    resources: Resources,
) -> int:
    """Run what is not over of a stage; return how many trials ran out of memory."""
    _, rest = divide(stage)
    for path in rest:
        for name in ("failure", "sent"):
            Journal(path).drop(name)
    samples, tuning = prepare()
    if tuning["num_samples"]:
        _fit(samples, tuning, stage, Mirror(delivery, stage), folder, resources)
    _, rest = divide(stage)
    return sum(has_failed(Journal(path), "memory") for path in rest)


def _fit(
    samples: dict[str, Any],
    tuning: dict[str, Any],
    stage: Stage,
    mirror: Mirror,
    folder: Path,
    resources: Resources,
) -> None:
    """Let Ray run trials; all that counts of them lies in their folders."""
    share = tune.PlacementGroupFactory([{"CPU": resources.cpus, "GPU": resources.gpus}])
    trainable = tune.with_resources(tune.with_parameters(run_trial, job=stage.job), share)
    shutil.rmtree(folder / stage.name, ignore_errors=True)
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
            storage_path=str(folder.resolve()),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            callbacks=[mirror],
            verbose=0,
        ),
    )
    try:
        with stopping_softly(stage.job.stop):
            try:
                tuner.fit()
            except BaseException:
                mirror.delivery.abandon()
                raise
    finally:
        mirror.delivery.drain()


def _largest_node() -> tuple[float, float]:
    """Return the most cores and the most GPUs that one node has."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    most = [max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("CPU", "GPU")]
    return most[0], most[1]
