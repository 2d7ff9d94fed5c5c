"""The stages of a campaign: search each architecture, repeat the winners over seeds and folds."""

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.io.disk import format_bytes
from data.pack.node_cache import PackSource, publish_pack
from tuning.campaign.initial import list_files
from tuning.campaign.measure_baselines import measure_baselines
from tuning.campaign.start import CampaignSetup
from tuning.cluster.gpu_memory import find_heaviest
from tuning.cluster.preflight import copy_pack_to_nodes, get_storage, measure_gpu
from tuning.cluster.ray_session import start_ray, stop_ray
from tuning.cluster.resources import Resources
from tuning.search.run_stage import run_repeats, run_search
from tuning.settings.presets import SEEDS
from tuning.settings.settings import list_variant
from tuning.train.environment import hash_code
from tuning.trial.disk import drop_checkpoints
from tuning.trial.entry import list_entries, write_entry
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.networks import describe_outside, ship_networks
from tuning.trial.recipe import fix_recipe
from tuning.trial.search_space import compose, first_sample, make_key
from tuning.trial.stage import Stage, StageJob

logger = logging.getLogger(__name__)

CLIP = 1.0  # gradient norm, as in the data set's own training code


Winners = dict[tuple[str, str], Config | None]  # by architecture and fold; None: every trial failed


class Stages:
    """The stages of one campaign: baselines, searches, repeats.

    Attributes:
        setup: The campaign's data, folders and sender.
        models: The architectures that are trained: those of the settings without the refused ones.
        source: Where the nodes of a cluster get the pack; None on one machine.
    """

    def __init__(self, setup: CampaignSetup) -> None:
        self.setup, self.settings, self.preset = setup, setup.settings, setup.preset
        self.models = tuple(name for name in self.settings.models if name not in setup.refused)
        self.source: PackSource | None = None
        self._gpus: dict[tuple[str, int], float] = {}  # measured, by architecture and seeds at once

    def copy_pack(self) -> None:
        """Copy the pack to every node of the cluster, before anything is trained.

        Raises:
            ValueError: If a copy fails.
        """
        root, settings = self.setup.root, self.settings
        beside = list_files(root, settings)
        self.source = publish_pack(self.setup.pack, get_storage(root, settings), beside)
        copy_pack_to_nodes(self.source)

    def _job(self, stage: str, fixed: Mapping[str, Any]) -> StageJob:
        folders = (str(self.setup.pack.path), str(self.setup.trials))
        job = StageJob(stage, dict(fixed), *folders, networks=ship_networks(self.models))
        if self.source is None:
            return job
        sync = self.setup.sender.sync
        return replace(job, source=self.source, sync=sync, code=hash_code())

    def _stage(self, name: str, job: StageJob, trials: int, epochs: int) -> Stage:
        return Stage(name, job, trials, epochs, 60 * self.settings.hang_after)

    def _fixed(self, model: str, fold: str) -> Config:
        """Return the config values that are not searched."""
        return {
            "model": model,
            **describe_outside(model),
            "channels": list(self.settings.channels),
            "timesteps": self.settings.timesteps,
            "steps": self.settings.steps,
            "norm": self.settings.norm,
            "batch_size": self.preset.batch_size,
            "clip": CLIP,
            "augment": dict(self.settings.augment),
            "epochs": self.preset.search_epochs,
            "patience": self.preset.patience,
            "seed": self.settings.search_seed,
            "split": fold,
            "data": self.setup.pack.hash,
            **fix_recipe(self.settings.recipe),
            **list_variant(self.settings),
        }

    def _trial_resources(self, model: str, resources: Resources, seeds: int = 1) -> Resources:
        """Return a trial's resources, with the GPU fraction that the heaviest network of the search space needs.

        Args:
            model: Name of the architecture.
            resources: Cores and GPUs of a trial, before anything is measured.
            seeds: Seeds that one process trains at once.
        """
        if self.settings.gpus_per_trial is not None or not resources.gpus:
            return resources
        if (model, seeds) not in self._gpus:
            fixed = self._fixed(model, self.setup.splits[0].name)
            space = self.setup.space(model)
            arch = find_heaviest(model, space, len(fixed["channels"]), fixed["timesteps"])
            config = {**compose(first_sample(model, space), fixed), "arch": arch}
            gpus = measure_gpu(config, str(self.setup.pack.path), self.source, seeds)
            self._gpus[model, seeds] = gpus
        return replace(resources, gpus=self._gpus[model, seeds])

    def search_all(self, resources: Resources) -> Winners:
        """Search every architecture, once or on each fold; return the winner of each architecture and fold."""
        scope, models = self.setup.scope, self.models
        logger.info(
            "Search: %d trials per network and searched fold. %s",
            self.settings.trials,
            scope.describe(),
        )
        found = {
            (model, fold): self.search(model, fold, resources)
            for model in models
            for fold in scope.searched
        }
        folds = [split.name for split in self.setup.splits]
        return {
            (model, fold): found.get((model, fold), found[model, scope.searched[0]])
            for fold in folds
            for model in models
        }

    def search(self, model: str, fold: str, resources: Resources) -> Config | None:
        """Search one architecture on one fold; return the best config, None if every trial failed."""
        job, trials = self._job("search", self._fixed(model, fold)), self.settings.trials
        name = name_search(model, None if self.setup.scope.once else fold, self.setup.scope.folds)
        stage = self._stage(name, job, trials, self.preset.search_epochs)
        best = _find_winner(stage)
        if best is None:  # a chosen winner stays: its repeats may have begun
            space = self.setup.space(model)
            chosen, ray_folder = self._trial_resources(model, resources), self.setup.folder / "ray"
            ranking = run_search(model, space, stage, self.setup.sender, ray_folder, chosen)
            if not ranking:
                return None
            best = self.setup.trials / make_key("search", ranking[0])
            write_entry(TrialFolder(best), replace(list_entries(stage)[best], model=True))
        return self._send_winner(stage, best)

    def _send_winner(self, stage: Stage, best: Path) -> Config:
        """Send the winner with its model, then delete the checkpoints; a winner without a model in MLflow keeps its own."""
        entries, sender = list_entries(stage), self.setup.sender
        sender.collect(TrialFolder(best))
        unsent = sender.send_all([best]).unsent or sender.tracker.lacks_model(TrialFolder(best))
        kept = {best} if unsent else set()
        dropped = sum(drop_checkpoints(TrialFolder(path)) for path in entries if path not in kept)
        for path in entries:
            sender.forget(TrialFolder(path))
        if dropped:  # zero after a resume
            logger.info("%s: dropped %s of checkpoints.", stage.name, format_bytes(dropped))
        return entries[best].config

    def repeat(self, winners: Winners, resources: Resources) -> list[Config]:
        """Retrain each fold's winners at full length over seeds; return the configs that ended."""
        seeds = SEEDS[: self.settings.seeds]
        # Seed by seed, so that an interrupted campaign has every architecture at the same seeds.
        configs = [
            {**winner, "epochs": self.preset.epochs, "seed": seed, "split": fold}
            for seed in seeds
            for (_, fold), winner in winners.items()
            if winner is not None
        ]
        if not configs:
            return []
        limit = self.settings.stack_seeds
        stack = len(seeds) if limit is None else min(limit, len(seeds))
        stage = self._stage("repeat", self._job("repeat", {}), len(configs), self.preset.epochs)
        stage = replace(stage, stack=stack)
        models = dict.fromkeys(config["model"] for config in configs)
        needs = [self._trial_resources(model, resources, stack) for model in models]
        largest = max(needs, key=lambda need: need.gpus)
        ray_folder = self.setup.folder / "ray"
        return run_repeats(configs, stage, self.setup.sender, ray_folder, largest)

    def run(self) -> tuple[Winners, list[Config]]:
        """Run all stages; return the winners, and the configs of the repeat trials that ended."""
        models = self.models
        if models and (self.settings.address or self.settings.storage):
            self.copy_pack()
        measure_baselines(self.setup)
        if not models:
            return {}, []
        resources = start_ray(self.settings)
        try:
            winners = self.search_all(resources)
            return winners, self.repeat(winners, resources)
        finally:
            stop_ray()


def name_search(model: str, fold: str | None, folds: int) -> str:
    """Return the name of a search's stage, which is also that of a folder: ``search-unet``, ``search-unet-blocks-5-1``.

    Args:
        model: Name of an architecture.
        fold: The searched fold; None for one search of all folds.
        folds: Number of the campaign's folds.
    """
    if fold is None or folds == 1:
        return f"search-{model}"
    return f"search-{model}-{re.sub('[:/]', '-', fold)}"


def _find_winner(stage: Stage) -> Path | None:
    """Return the folder of the trial that a search has chosen, None before the choice."""
    return next((path for path, entry in list_entries(stage).items() if entry.model), None)
