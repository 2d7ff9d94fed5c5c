"""One campaign from data to report: search each architecture, repeat the winners over seeds, compare."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from data.io.shared_storage import SharedStorage, check_shared_storage
from data.pack.node_cache import PackSource, publish_pack
from data.splits import Split
from tuning.baselines.baselines import (
    baseline_title,
    is_deterministic,
    make_baseline_config,
    run_baseline,
)
from tuning.campaign.finish import CampaignOutcome, conclude, cut_off
from tuning.campaign.start import OpenedCampaign
from tuning.cluster.gpu_memory import find_heaviest
from tuning.cluster.node_info import hash_code
from tuning.cluster.preflight import check_nodes, measure_gpu, spread, storage_of
from tuning.cluster.ray_session import start_ray, stop_ray
from tuning.cluster.resources import Resources
from tuning.search.optuna_asha import SEARCH_SEED
from tuning.search.run_stage import run_repeats, run_search
from tuning.settings.lock import lock_campaign
from tuning.settings.presets import SEEDS
from tuning.settings.settings import Settings, campaign_folder
from tuning.tracking.client import tracking_uri
from tuning.train.environment import describe_environment
from tuning.trial.disk import drop_checkpoints, format_bytes
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import compose, first_sample, make_key, make_space
from tuning.trial.stage import Stage, StageJob, TrialEntry, list_entries, read_entry, write_entry

logger = logging.getLogger(__name__)

CLIP = 1.0  # gradient norm, as in the data set's own training code


class Campaign(OpenedCampaign):
    """One campaign on its way: its stages, one after the other.

    Attributes:
        source: Where the nodes of a cluster get the pack; None on one machine.
    """

    source: PackSource | None = None

    def __init__(self, root: Path, settings: Settings) -> None:
        super().__init__(root, settings)
        self._gpus: dict[tuple[str, int], float] = {}  # measured, by architecture and seeds at once

    def spread_pack(self) -> None:
        """Give every node of the cluster its copy of the pack, before anything is trained.

        Raises:
            ValueError: If a node cannot have one.
        """
        storage = storage_of(self.root, self.settings)
        self.source = publish_pack(self.pack, storage)
        spread(self.source)

    def _job(self, stage: str, fixed: Mapping[str, Any]) -> StageJob:
        there = (str(self.pack.path), str(self.trials))
        if self.source is None:
            return StageJob(stage, dict(fixed), *there)
        return StageJob(stage, dict(fixed), *there, self.source, self.delivery.relay, hash_code())

    def _stage(self, name: str, job: StageJob, trials: int, epochs: int) -> Stage:
        return Stage(name, job, trials, epochs, 60 * self.settings.hang_after)

    def _fixed(self, model: str) -> Config:
        """Return the config values that are not searched."""
        return {
            "model": model,
            "channels": list(self.settings.channels),
            "timesteps": self.settings.timesteps,
            "steps": self.settings.steps,
            "norm": self.settings.norm,
            "batch_size": self.preset.batch_size,
            "clip": CLIP,
            "augment": dict(self.settings.augment),
            "epochs": self.preset.search_epochs,
            "patience": self.preset.patience,
            "seed": SEARCH_SEED,
            "split": self.splits[0].name,
            "data": self.pack.hash,
        }

    def measure_baselines(self) -> None:
        """Measure the baselines that were asked for, each once per seed and fold."""
        for key in self.settings.baselines:
            seeds = (0,) if is_deterministic(key) else SEEDS[: self.settings.seeds]
            for number, (split, seed) in enumerate(product(self.splits, seeds), 1):
                self._measure_baseline(key, split, seed, number)

    def _measure_baseline(self, key: str, split: Split, seed: int, number: int) -> None:
        config = make_baseline_config(key, split.name, self.pack.hash, seed, self.settings.channels)
        began = time.time()
        journal = TrialFolder(self.trials / make_key("repeat", config))
        name = f"{baseline_title(key)} · {split.name} · seed {seed}"
        if read_entry(journal) is None:
            ms = int(began * 1000)
            write_entry(
                journal,
                TrialEntry(f"baseline-{key}", "repeat", number, ms, name, config, {}, False),
            )
        journal.write("environment", describe_environment(torch.device("cpu")))
        run_baseline(config, self.pack, split, journal.path)
        self.delivery.submit(journal)
        logger.info("%s: %.1f s.", name, time.time() - began)

    def share(self, model: str, resources: Resources, seeds: int = 1) -> Resources:
        """Return what a process takes that trains seeds of an architecture: of a GPU, what its heaviest network needs."""
        if self.settings.gpus_per_trial is not None or not resources.gpus:
            return resources
        if (model, seeds) not in self._gpus:
            fixed, space = self._fixed(model), make_space(model, self.preset.narrow)
            arch = find_heaviest(model, space, len(fixed["channels"]), fixed["timesteps"])
            config = {**compose(first_sample(model, space), fixed), "arch": arch}
            share = measure_gpu(config, str(self.pack.path), self.source, seeds)
            self._gpus[model, seeds] = share
        return replace(resources, gpus=self._gpus[model, seeds])

    def search(self, model: str, resources: Resources) -> Config | None:
        """Search one architecture; return the config to repeat, None where every trial failed."""
        job = self._job("search", self._fixed(model))
        stage = self._stage(f"search-{model}", job, self.settings.trials, self.preset.search_epochs)
        best = _find_winner(stage)
        if best is None:  # once chosen it stays, since its repeats may have begun
            space = make_space(model, self.preset.narrow)
            share = self.share(model, resources)
            found = run_search(model, space, stage, self.delivery, self.folder / "ray", share)
            if not found:
                return None
            best = self.trials / make_key("search", found[0])
            write_entry(TrialFolder(best), replace(list_entries(stage)[best], model=True))
        return self._keep_winner(stage, best)

    def _keep_winner(self, stage: Stage, best: Path) -> Config:
        """Send the winner's model, and drop the checkpoints of which nothing is to be sent."""
        every = list_entries(stage)
        self.delivery.collect(TrialFolder(best))
        kept = {best} if self.delivery.settle([best]).lacking else set()
        dropped = sum(drop_checkpoints(TrialFolder(path)) for path in every if path not in kept)
        for path in every:
            self.delivery.forget(TrialFolder(path))
        if dropped:  # nothing when the campaign was continued after it
            logger.info("%s: dropped %s of checkpoints.", stage.name, format_bytes(dropped))
        return every[best].config

    def repeat(self, winners: list[Config], resources: Resources) -> list[Config]:
        """Retrain the winners at full length over seeds and folds; return the configs that ended."""
        seeds = SEEDS[: self.settings.seeds]
        # Seed by seed, so that an interrupted campaign has every architecture at the same seeds.
        configs = [
            {**winner, "epochs": self.preset.epochs, "seed": seed, "split": split.name}
            for seed, split, winner in product(seeds, self.splits, winners)
        ]
        asked = self.settings.stack_seeds
        most = len(seeds) if asked is None else min(asked, len(seeds))
        stage = self._stage("repeat", self._job("repeat", {}), len(configs), self.preset.epochs)
        stage = replace(stage, stack=most)
        shares = [self.share(winner["model"], resources, most) for winner in winners]
        largest = max(shares, key=lambda share: share.gpus)
        return run_repeats(configs, stage, self.delivery, self.folder / "ray", largest)


def _find_winner(stage: Stage) -> Path | None:
    """Find the folder of the trial that a search has chosen."""
    chosen = [path for path, entry in list_entries(stage).items() if entry.model]
    return chosen[0] if chosen else None


def run_campaign(root: Path, settings: Settings) -> CampaignOutcome:
    """Run a campaign from data to report, or continue it.

    Args:
        root: Output folder.
        settings: What was asked for.

    Returns:
        The ranking, and what was asked for and not done.

    Raises:
        ValueError: If the data cannot be used, nothing at all was finished, or another process runs it.
        OSError: If the output folder cannot be used, or the tracker does not answer.
        KeyboardInterrupt: If the user interrupts; no run is left open, and the campaign can go on.
    """
    with lock_campaign(campaign_folder(root, settings.campaign)):
        try:
            _join_cluster(root, settings)
            campaign = Campaign(root, settings)
            try:
                return conclude(campaign, *_run_stages(campaign))
            except BaseException as error:
                cut_off(campaign, error)
                raise
        finally:
            stop_ray()


def _join_cluster(root: Path, settings: Settings) -> None:
    """Join the cluster where there is one, and check its nodes, before any data is made."""
    if settings.storage:
        check_shared_storage(SharedStorage(settings.storage))
    if settings.address and settings.models:
        start_ray(settings)
        check_nodes(storage_of(root, settings), tracking_uri(root))


def _run_stages(campaign: Campaign) -> tuple[dict[str, Config | None], list[Config]]:
    """Run baseline, searches and repeats; return the winners by model and the repeats that ended."""
    if campaign.settings.models and (campaign.settings.address or campaign.settings.storage):
        campaign.spread_pack()
    campaign.measure_baselines()
    if not campaign.settings.models:
        return {}, []
    resources = start_ray(campaign.settings)
    try:
        winners = {model: campaign.search(model, resources) for model in campaign.settings.models}
        chosen = [winner for winner in winners.values() if winner is not None]
        return winners, campaign.repeat(chosen, resources) if chosen else []
    finally:
        stop_ray()
