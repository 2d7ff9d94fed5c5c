"""The stage that tunes and measures the baselines of a campaign on every fold: in this process, or beside the trials on Ray."""

from tuning.baselines.baselines import is_deterministic
from tuning.baselines.work import BaselineWork
from tuning.campaign.start import CampaignSetup
from tuning.settings.presets import SEEDS
from tuning.settings.settings import list_variant


def list_baseline_work(setup: CampaignSetup) -> list[BaselineWork]:
    """List the baselines of a campaign on each fold; one that learns has a run for each seed."""
    settings = setup.settings
    trials = settings.trials if settings.baseline_trials is None else settings.baseline_trials
    works = []
    for key in settings.baselines:
        seeds = (0,) if is_deterministic(key) else SEEDS[: settings.seeds]
        for fold, split in enumerate(setup.splits):
            works.append(
                BaselineWork(
                    key,
                    split,
                    (settings.channels, settings.steps, settings.timesteps),
                    trials,
                    settings.search_seed,
                    tuple(seeds),
                    list_variant(settings),
                    setup.folder,
                    1 + fold * len(seeds),
                )
            )
    return works


def send_measured(setup: CampaignSetup) -> list[BaselineWork]:
    """Send the runs of the baselines that an earlier process has measured; return the others."""
    left = []
    for work in list_baseline_work(setup):
        if not (measured := work.find_measured(setup.pack)):
            left.append(work)
        for folder in measured:
            setup.sender.submit(folder)
    return left


def measure_baselines(setup: CampaignSetup) -> None:
    """Tune and measure the requested baselines in this process."""
    for work in list_baseline_work(setup):
        for folder in work.measure(setup.pack):
            setup.sender.submit(folder)
