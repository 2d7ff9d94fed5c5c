"""The stage that measures the baselines of a campaign on every fold, in the driver's process."""

import logging
import time
from itertools import product

import torch

from data.splits import Split
from tuning.baselines.baselines import (
    baseline_title,
    is_deterministic,
    make_baseline_config,
    run_baseline,
)
from tuning.campaign.start import CampaignSetup
from tuning.settings.presets import SEEDS
from tuning.train.environment import describe_environment
from tuning.trial.entry import TrialEntry, read_entry, write_entry
from tuning.trial.folder import TrialFolder
from tuning.trial.search_space import make_key

logger = logging.getLogger(__name__)


def measure_baselines(setup: CampaignSetup) -> None:
    """Measure the requested baselines: once per fold, and once per seed if they draw random numbers."""
    for key in setup.settings.baselines:
        seeds = (0,) if is_deterministic(key) else SEEDS[: setup.settings.seeds]
        for number, (split, seed) in enumerate(product(setup.splits, seeds), 1):
            _measure_baseline(setup, key, split, seed, number)


def _measure_baseline(setup: CampaignSetup, key: str, split: Split, seed: int, number: int) -> None:
    config = make_baseline_config(key, split.name, setup.pack.hash, seed, setup.settings.channels)
    began = time.time()
    folder = TrialFolder(setup.trials / make_key("repeat", config))
    name = f"{baseline_title(key)} · {split.name} · seed {seed}"
    if read_entry(folder) is None:
        stage, ms = f"baseline-{key}", int(began * 1000)
        entry = TrialEntry(stage, "repeat", number, ms, name, config, {}, False)
        write_entry(folder, entry)
    folder.write("environment", describe_environment(torch.device("cpu")))
    run_baseline(config, setup.pack, split, folder.path)
    setup.sender.submit(folder)
    logger.info("%s: %.1f s.", name, time.time() - began)
