"""One campaign from data to report: search each architecture, repeat the winners over seeds, compare."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from data.splits import Split
from tuning.baselines import (
    baseline_title,
    is_deterministic,
    make_baseline_config,
    run_baseline,
)
from tuning.environment import describe_environment
from tuning.journal import Config, Journal
from tuning.mirror import Mirror, Stage, list_trials, open_trial
from tuning.opening import OpenedCampaign
from tuning.presets import SEEDS
from tuning.report import write_report
from tuning.search import SEARCH_SEED, Resources, run_repeats, run_search, start_ray, stop_ray
from tuning.settings import Settings
from tuning.space import make_key, make_space
from tuning.storage import drop_checkpoints, format_bytes, measure_bytes
from tuning.trainable import Job

logger = logging.getLogger(__name__)

CLIP = 1.0  # gradient norm, as in the data set's own training code


@dataclass(frozen=True)
class Outcome:
    """The end of a campaign.

    Attributes:
        table: Content of ``benchmark_master.csv``.
        missing: What was asked for and not done, one sentence each.
    """

    table: pd.DataFrame
    missing: tuple[str, ...]


class Campaign(OpenedCampaign):
    """One campaign on its way: its stages, one after the other."""

    def _job(self, stage: str, fixed: Mapping[str, Any]) -> Job:
        return Job(stage, dict(fixed), str(self.pack.path), str(self.folder / "trials"))

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
            for split, seed in product(self.splits, seeds):
                self._measure_baseline(key, split, seed)
            self.tracker.close(self.studies[key], "FINISHED")

    def _measure_baseline(self, key: str, split: Split, seed: int) -> None:
        channels = self.settings.channels
        config = make_baseline_config(key, split.name, self.pack.hash, seed, channels)
        trial = make_key("repeat", config)
        tags = {"study": key, "stage": "repeat", "seed": str(seed), "fold": split.name}
        name = f"{baseline_title(key)} · {split.name} · seed {seed}"
        data = self.data.used_by("repeat", split.name)
        run_id = self.tracker.open_run("trial", trial, name, self.studies[key], tags, config, data)
        began = time.monotonic()
        journal = run_baseline(config, self.pack, split, self.folder / "trials" / trial)
        journal.write("environment", describe_environment(torch.device("cpu")))
        self.tracker.finish(run_id, journal, "last epoch")
        logger.info("%s: %.1f s.", name, time.monotonic() - began)

    def search(self, model: str, resources: Resources) -> Config | None:
        """Search one architecture; return the config to repeat, None where every trial failed."""
        job = self._job("search", self._fixed(model))
        trials, epochs = self.settings.trials, self.preset.search_epochs
        stage = Stage(f"search-{model}", job, trials, epochs, self.studies, self.data)
        mirror = Mirror(self.root, self.context, stage)
        space = make_space(model, self.preset.narrow)
        found = run_search(model, space, stage, mirror, self.folder / "ray", resources)
        if not found:
            return None
        self._keep_winner(stage, found[0])
        return found[0]

    def _keep_winner(self, stage: Stage, winner: Config) -> None:
        """Log the best trial's checkpoint as a model, and drop those of all trials of the search."""
        journal = Journal(Path(stage.job.trials) / make_key("search", winner))
        self.tracker.keep_model(open_trial(self.tracker, stage, winner, journal), journal)
        dropped = sum(drop_checkpoints(trial) for trial in list_trials(stage))
        if dropped:  # nothing when the campaign was continued after it
            logger.info("%s: dropped %s of checkpoints.", stage.name, format_bytes(dropped))
            study = self.studies[winner["model"]]
            self.tracker.log_scores(study, {"bytes/dropped": dropped})

    def say_storage(self) -> None:
        """Say what the campaign keeps: models and files in MLflow, and what lies in its own folder."""
        totals = self.tracker.add_up("bytes/")
        here = measure_bytes(self.folder)
        self.tracker.log_scores(self.run_id, {**totals, "bytes/folder": here})
        models, files = (totals.get(f"bytes/{name}", 0.0) for name in ("model", "files"))
        logger.info(
            "The campaign keeps %s of models and %s of trials' files in MLflow, and %s in %s.",
            *map(format_bytes, (models, files, here)),
            self.folder,
        )

    def repeat(self, winners: list[Config], resources: Resources) -> list[Config]:
        """Retrain the winners at full length over seeds and folds; return the configs that ended."""
        seeds = SEEDS[: self.settings.seeds]
        # Seed by seed, so that an interrupted campaign has every architecture at the same seeds.
        configs = [
            {**winner, "epochs": self.preset.epochs, "seed": seed, "split": split.name}
            for seed, split, winner in product(seeds, self.splits, winners)
        ]
        stage = Stage(
            "repeat",
            self._job("repeat", {}),
            len(configs),
            self.preset.epochs,
            self.studies,
            self.data,
        )
        mirror = Mirror(self.root, self.context, stage)
        return run_repeats(configs, stage, mirror, self.folder / "ray", resources)

    def list_missing(self, winners: Mapping[str, Config | None], done: list[Config]) -> list[str]:
        """Say what was asked for and not done; close the study runs."""
        missing = []
        for model, winner in winners.items():
            ended = sum(config["model"] == model for config in done)
            wanted = self.settings.seeds * len(self.splits)
            if winner is None:
                missing.append(f"Every search trial of {model} failed.")
            elif ended < wanted:
                missing.append(f"{wanted - ended} of {wanted} repeat trials of {model} failed.")
            complete = winner is not None and ended == wanted
            self.tracker.close(self.studies[model], "FINISHED" if complete else "FAILED")
        return missing


def run_campaign(root: Path, settings: Settings) -> Outcome:
    """Run a campaign from data to report, or continue it.

    Args:
        root: Output folder.
        settings: What was asked for.

    Returns:
        The ranking, and what was asked for and not done.

    Raises:
        ValueError: If the data cannot be used, or nothing at all was finished.
        KeyboardInterrupt: If the user interrupts; no run is left open, and the campaign can go on.
    """
    campaign = Campaign(root, settings)
    campaign.tracker.reopen(campaign.run_id)
    try:
        winners, done = _run_stages(campaign)
        missing = campaign.list_missing(winners, done)
        campaign.say_storage()
        table = write_report(root, settings.campaign, partial=bool(missing))
    except BaseException as error:
        killed = isinstance(error, KeyboardInterrupt)
        campaign.tracker.close_running("KILLED" if killed else "FAILED")
        raise
    campaign.tracker.close(campaign.run_id, "FAILED" if missing else "FINISHED")
    return Outcome(table, tuple(missing))


def _run_stages(campaign: Campaign) -> tuple[dict[str, Config | None], list[Config]]:
    """Run baseline, searches and repeats; return the winners by model and the repeats that ended."""
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
