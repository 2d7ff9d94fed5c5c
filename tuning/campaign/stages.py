"""The trials of a campaign: the search of each architecture, and the repeats of the winners over seeds and folds."""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from data.pack.node_cache import PackSource, publish_pack
from data.tiles import TILE_PX
from models import count_gmac
from tuning.campaign.initial import list_files
from tuning.campaign.start import CampaignSetup
from tuning.campaign.winners import WinnerBook, Winners
from tuning.cluster.gpu_memory import find_heaviest
from tuning.cluster.preflight import copy_pack_to_nodes, get_storage, measure_gpu
from tuning.cluster.resources import Resources
from tuning.search.work import SearchWork, Work
from tuning.settings.presets import SEEDS
from tuning.settings.settings import list_variant
from tuning.train.environment import hash_code
from tuning.trial.folder import Config
from tuning.trial.networks import describe_outside, ship_networks
from tuning.trial.recipe import fix_recipe
from tuning.trial.search_space import adapt_sample, compose, first_sample
from tuning.trial.stage import Stage, StageJob
from tuning.trial.status import is_finished

logger = logging.getLogger(__name__)

CLIP = 1.0  # gradient norm, as in the data set's own training code


class Stages:
    """The trials of one campaign.

    Attributes:
        setup: The campaign's data, folders and sender.
        models: The architectures that are trained: those of the settings without the refused ones.
        source: Where the nodes of a cluster get the pack; None on one machine.
        winners: What its searches have chosen.
        searched_in: The campaign whose searches choose the hyperparameters of this one, which has none then.
    """

    def __init__(self, setup: CampaignSetup, searched_in: "Stages | None" = None) -> None:
        self.setup, self.settings, self.preset = setup, setup.settings, setup.preset
        self.models = tuple(name for name in self.settings.models if name not in setup.refused)
        self.source: PackSource | None = None
        self.searched_in, self.winners = searched_in, WinnerBook(setup)
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

    def open(self, resources: Resources) -> Work:
        """Return what is to run: the searches that have not chosen, and the repeats.

        Args:
            resources: Cores and GPUs of a trial, before anything is measured.
        """
        seeds = SEEDS[: self.settings.seeds]
        limit = self.settings.stack_seeds
        stack = len(seeds) if limit is None else min(limit, len(seeds))
        count = len(seeds) * len(self.models) * len(self.setup.splits)
        stage = self._stage("repeat", self._job("repeat", {}), count, self.preset.epochs)
        return Work(
            self.settings.campaign,
            self.setup.sender,
            self._open_searches(resources),
            replace(stage, stack=stack),
            self.list_repeats,
            {model: self._trial_resources(model, resources, stack) for model in self.models},
            self._measure_costs(),
        )

    def _open_searches(self, resources: Resources) -> list[SearchWork]:
        if self.searched_in is not None or not self.models:
            return []
        scope = self.setup.scope
        logger.info(
            "Search: %d trials per network and searched fold. %s",
            self.settings.trials,
            scope.describe(),
        )
        searches = []
        for model in self.models:
            for fold in scope.searched:
                stage = self._search_stage(model, fold)
                if self.winners.knows(model, fold, stage):
                    continue
                space, needs = self.setup.space(model), self._trial_resources(model, resources)
                choose = partial(self.winners.choose, model, fold)
                searches.append(SearchWork(model, stage, space, needs, choose))
        return searches

    def _search_stage(self, model: str, fold: str) -> Stage:
        job, trials = self._job("search", self._fixed(model, fold)), self.settings.trials
        name = name_search(model, None if self.setup.scope.once else fold, self.setup.scope.folds)
        return self._stage(name, job, trials, self.preset.search_epochs)

    def is_done(self) -> bool:
        """Return whether no trial is left: every search has chosen, and every repeat has its result."""
        searched = () if self.searched_in is not None else self.setup.scope.searched
        pairs = [(model, fold) for model in self.models for fold in searched]
        if not all(self.winners.knows(*pair, self._search_stage(*pair)) for pair in pairs):
            return False
        if None in self.list_winners().values():
            return False
        job = self._job("repeat", {})
        return all(
            is_finished(job.folder({"config": one}), job.stage) for one in self.list_repeats()
        )

    def _measure_costs(self) -> dict[str, float]:
        """Return the multiply-accumulates of a tile for each architecture, as a first estimate of an epoch's cost."""
        costs = {}
        for model in self.models:
            arch = compose(first_sample(model, self.setup.space(model)), {})["arch"]
            channels, timesteps = len(self.settings.channels), self.settings.timesteps
            cost = count_gmac(model, channels, timesteps, TILE_PX, **arch)
            if math.isfinite(cost):
                costs[model] = cost
        return costs

    def list_winners(self) -> Winners:
        """Return the winner of each architecture and fold; None where none is known, such as before the choice."""
        return {
            (model, split.name): self._find_winner(model, split.name)
            for split in self.setup.splits
            for model in self.models
        }

    def _find_winner(self, model: str, fold: str) -> Config | None:
        source = self.searched_in or self
        entry = source.winners.find(model, fold)
        if entry is None or source is self:
            return None if entry is None else entry.config
        sample = adapt_sample(entry.sample, model, self.setup.space(model))
        return compose(sample, self._fixed(model, fold))

    def list_repeats(self) -> list[Config]:
        """Return the configs of the repeats of all winners that are known, at full length, seed by seed.

        An interrupted campaign then has every architecture at the same seeds.
        """
        winners = self.list_winners()
        return [
            {**winner, "epochs": self.preset.epochs, "seed": seed, "split": fold}
            for seed in SEEDS[: self.settings.seeds]
            for (_, fold), winner in winners.items()
            if winner is not None
        ]

    def list_ended(self) -> list[Config]:
        """Return the configs of the repeats that were trained and measured on test."""
        job = self._job("repeat", {})
        return [
            config
            for config in self.list_repeats()
            if job.folder({"config": config}).read("test") is not None
        ]


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
