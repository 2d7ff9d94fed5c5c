"""One campaign from data to report: search each architecture, repeat the winners over seeds, compare."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from data.dataset import Tiles, check_contract
from data.inputs import list_modalities
from data.norm import keep_norm, make_norm
from data.pack import Pack, make_pack
from data.source import describe, read_source
from data.splits import PARTS, Split, make_split
from data.tiles import list_tiles
from data.twin import make_twin
from tuning.baseline import BASELINE, make_baseline_config, run_baseline
from tuning.journal import Config
from tuning.mirror import Mirror, Stage
from tuning.presets import SEEDS, Preset, get_preset, pick_tiles
from tuning.report import EXCLUDED, SUSPICIOUS, write_report
from tuning.search import SEARCH_SEED, Resources, run_repeats, run_search, start_ray, stop_ray
from tuning.settings import PACKS, TWIN, Settings, campaign_folder
from tuning.space import make_key, make_space
from tuning.store import read_commit
from tuning.tracking import Context, Tracker
from tuning.trainable import Job

logger = logging.getLogger(__name__)

NAMED = 10  # suspicious tiles that the log names
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


def _find_tiles(root: Path, settings: Settings, preset: Preset) -> tuple[Path, list[str] | None]:
    """Make or find the tiles; return their folder and the ids to use, None for all."""
    per_part, store = preset.tiles_per_part, root / PACKS
    if settings.data == TWIN:
        logger.info("Data: %s tiles, made below %s.", describe(synthetic=True), root / "data")
        chosen = pick_tiles(settings.split, per_part, None, store)
        return make_twin(root / "data", tile_ids=chosen), chosen
    tiles = Path(settings.data)
    logger.info("%s", read_source(tiles, settings.units))
    there = list_tiles(tiles, list_modalities(settings.channels))
    return tiles, pick_tiles(settings.split, per_part, there, store)


def prepare_data(root: Path, settings: Settings, preset: Preset) -> tuple[Pack, Split]:
    """Make or find the tiles, pack them, split them, and check what a network would see.

    Raises:
        ValueError: If no tile can be used, a part is empty, or a channel is constant.
    """
    tiles, chosen = _find_tiles(root, settings, preset)
    modalities = list_modalities(settings.channels)
    pack = make_pack(
        tiles, root / PACKS, units=settings.units, modalities=modalities, tile_ids=chosen
    )
    _name_tiles(pack)
    split = make_split(settings.split, pack.tile_ids, root / PACKS)
    if chosen is None and split.missing:
        logger.warning("The split's tiles that the data lacks: %s.", ", ".join(split.missing))
    if split.buffer:
        logger.info("Set aside between test and train: %s.", ", ".join(split.buffer))
    if split.unused:
        logger.info("Tiles that split %s leaves out: %d.", split.name, len(split.unused))
    norm = make_norm(settings.norm, pack, split.train, settings.channels)
    cpu = torch.device("cpu")
    check_contract(Tiles(pack, split.train, norm, settings.timesteps, cpu, settings.steps))
    keep_norm(pack, split, norm)
    sizes = ", ".join(f"{len(split.part(part))} {part}" for part in PARTS)
    logger.info("Split %s (%s): %s tiles.", split.name, split.hash, sizes)
    return pack, split


def _name_tiles(pack: Pack) -> None:
    """Name every tile that is left out, and the first of those that look odd."""
    for tile, reason in pack.excluded.items():
        logger.warning("Excluded %s: %s", tile, reason)
    for tile, findings in list(pack.suspicious.items())[:NAMED]:
        logger.warning("Suspicious, but used: %s: %s", tile, " ".join(findings))
    if (more := len(pack.suspicious) - NAMED) > 0:
        logger.warning("%d more suspicious tiles are in %s.", more, pack.path / "manifest.json")


class Campaign:
    """One campaign on its way: settings, data, tracker, and the runs opened so far."""

    def __init__(self, root: Path, settings: Settings) -> None:
        torch.set_num_threads(1)  # the driver leaves the cores to the trials
        self.root, self.settings = root.resolve(), settings
        self.preset = get_preset(settings.preset)
        self.folder = campaign_folder(root, settings.campaign)
        self.pack, self.split = prepare_data(self.root, settings, self.preset)
        self.context = Context(
            campaign=settings.campaign,
            preset=settings.preset,
            split=self.split.name,
            split_hash=self.split.hash,
            data_hash=self.pack.hash,
            data="synthetic" if self.pack.synthetic else "real",
            channels=" ".join(settings.channels),
            acquisitions=f"{settings.timesteps} {settings.steps}",
            git_commit=read_commit(Path(__file__).parent),
        )
        self.tracker = Tracker(self.root, self.context)
        self.run_id = self._open_campaign()
        self.studies = {model: self._open_study(model) for model in (*settings.models, BASELINE)}

    def _open_campaign(self) -> str:
        tags = {
            "excluded_tiles": str(len(self.pack.excluded)),
            "suspicious_tiles": str(len(self.pack.suspicious)),
        }
        name, params = self.settings.campaign, asdict(self.settings)
        run_id = self.tracker.open_run("campaign", "campaign", name, tags=tags, params=params)
        self.tracker.client.log_dict(run_id, self.pack.excluded, EXCLUDED)
        self.tracker.client.log_dict(run_id, self.pack.suspicious, SUSPICIOUS)
        return run_id

    def _open_study(self, model: str) -> str:
        return self.tracker.open_run(
            "study", f"study/{model}", model, self.run_id, {"study": model}
        )

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
            "split": self.split.name,
            "data": self.pack.hash,
        }

    def measure_baseline(self) -> None:
        """Measure the baseline without learning, once."""
        config = make_baseline_config(self.split.name, self.pack.hash)
        key = make_key("repeat", config)
        tags = {"study": BASELINE, "stage": "repeat", "seed": "0"}
        name = f"{BASELINE} · no learning"
        run_id = self.tracker.open_run("trial", key, name, self.studies[BASELINE], tags, config)
        journal = run_baseline(config, self.pack, self.split, self.folder / "trials" / key)
        self.tracker.finish(run_id, journal, "last epoch")
        self.tracker.close(self.studies[BASELINE], "FINISHED")

    def search(self, model: str, resources: Resources) -> Config | None:
        """Search one architecture; return the config to repeat, None where every trial failed."""
        job = self._job("search", self._fixed(model))
        trials, epochs = self.settings.trials, self.preset.search_epochs
        stage = Stage(f"search-{model}", job, trials, epochs, self.studies)
        mirror = Mirror(self.root, self.context, stage)
        space = make_space(model, self.preset.narrow)
        found = run_search(model, space, stage, mirror, self.folder / "ray", resources)
        return found[0] if found else None

    def repeat(self, winners: list[Config], resources: Resources) -> list[Config]:
        """Retrain the winners at full length over the fixed seeds; return the configs that ended."""
        seeds = SEEDS[: self.settings.seeds]
        # Seed by seed, so that an interrupted campaign has every architecture at the same seeds.
        configs = [
            {**winner, "epochs": self.preset.epochs, "seed": seed}
            for seed in seeds
            for winner in winners
        ]
        stage = Stage(
            "repeat", self._job("repeat", {}), len(configs), self.preset.epochs, self.studies
        )
        mirror = Mirror(self.root, self.context, stage)
        return run_repeats(configs, stage, mirror, self.folder / "ray", resources)

    def list_missing(self, winners: Mapping[str, Config | None], done: list[Config]) -> list[str]:
        """Say what was asked for and not done; close the study runs."""
        missing = []
        for model, winner in winners.items():
            ended = sum(config["model"] == model for config in done)
            if winner is None:
                missing.append(f"Every search trial of {model} failed.")
            elif ended < self.settings.seeds:
                failed = self.settings.seeds - ended
                missing.append(
                    f"{failed} of {self.settings.seeds} repeat trials of {model} failed."
                )
            complete = winner is not None and ended == self.settings.seeds
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
        table = write_report(root, settings.campaign)
    except BaseException as error:
        killed = isinstance(error, KeyboardInterrupt)
        campaign.tracker.close_running("KILLED" if killed else "FAILED")
        raise
    campaign.tracker.close(campaign.run_id, "FAILED" if missing else "FINISHED")
    return Outcome(table, tuple(missing))


def _run_stages(campaign: Campaign) -> tuple[dict[str, Config | None], list[Config]]:
    """Run baseline, searches and repeats; return the winners by model and the repeats that ended."""
    campaign.measure_baseline()
    resources = start_ray(campaign.settings)
    try:
        winners = {model: campaign.search(model, resources) for model in campaign.settings.models}
        chosen = [winner for winner in winners.values() if winner is not None]
        return winners, campaign.repeat(chosen, resources) if chosen else []
    finally:
        stop_ray()
