"""The stage that tunes and measures the baselines of a campaign on every fold, in the driver's process."""

import logging
import time

import torch

from tuning.baselines.baselines import baseline_title, is_deterministic
from tuning.baselines.measure import Bench, make_run
from tuning.baselines.tune import Tried
from tuning.campaign.start import CampaignSetup
from tuning.settings.presets import SEEDS
from tuning.settings.settings import list_variant
from tuning.train.environment import describe_environment
from tuning.trial.entry import TrialEntry, read_entry, write_entry
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import make_key

logger = logging.getLogger(__name__)

JOURNALS = "baselines"  # folder of the searches below a campaign's


def measure_baselines(setup: CampaignSetup) -> None:
    """Tune the requested baselines on each fold's train and val; measure each once, or once per seed if it learns."""
    settings = setup.settings
    trials = settings.trials if settings.baseline_trials is None else settings.baseline_trials
    for key in settings.baselines:
        seeds = (0,) if is_deterministic(key) else SEEDS[: settings.seeds]
        number = 0
        for split in setup.splits:
            reads = (settings.channels, settings.steps, settings.timesteps)
            bench = Bench(
                *(key, setup.pack, split, *reads),
                seeds=sorted({settings.search_seed, *seeds}),
                variant=list_variant(settings),
            )
            began = time.time()
            tried = bench.search(trials, settings.search_seed, setup.folder / JOURNALS)
            name, seconds = f"{baseline_title(key)} · {split.name}", time.time() - began
            logger.info("%s: %d samples tried on val, %.1f s.", name, len(tried), seconds)
            for seed in seeds:
                number += 1
                config = bench.config(seed, **make_run(tried))
                _measure_run(setup, bench, config, tried, number)


def _measure_run(
    setup: CampaignSetup, bench: Bench, config: Config, tried: list[Tried], number: int
) -> None:
    began = time.time()
    folder = TrialFolder(setup.trials / make_key("repeat", config))
    name = f"{baseline_title(bench.key)} · {config['split']} · seed {config['seed']}"
    if read_entry(folder) is None:
        stage, ms = f"baseline-{bench.key}", int(began * 1000)
        entry = TrialEntry(stage, "repeat", number, ms, name, config, {}, False)
        write_entry(folder, entry)
    if folder.read("end") is None:  # a measured run keeps its own
        folder.write("environment", describe_environment(torch.device("cpu")))
    bench.measure(config, tried, folder.path)
    setup.sender.submit(folder)
    logger.info("%s: %.1f s.", name, time.time() - began)
