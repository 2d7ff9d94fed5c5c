"""How long a training takes: measured steps of each network on this machine, or the epochs of earlier trials below the same root."""

import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data.io.safe_json import read_json
from data.pack.dataset import Batch
from data.tiles import TILE_PX
from models import create_model
from tuning.settings.presets import get_preset
from tuning.settings.settings import Settings
from tuning.train.fit import choose_device
from tuning.train.training_step import TrainingStep
from tuning.trial.entry import list_trials
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import compose, first_sample, make_space
from tuning.trial.variants import make_variant

STEPS = 3  # that are measured, after one that is not
_ONE_TRIAL = {"patience": 1, "clip": 1.0, "epochs": 1}


@dataclass(frozen=True)
class Pace:
    """Seconds that a network needs on one core, or on the GPU.

    Attributes:
        train: Of one train tile in one epoch.
        val: Of one val or test tile, without training.
        source: ``measured`` or ``earlier``.
    """

    train: float
    val: float
    source: str


def measure_pace(model: str, settings: Settings) -> Pace:
    """Measure some training steps of a network at its input, with random values in the place of tiles."""
    preset, device = get_preset(settings.preset), choose_device()
    space = make_space(model, preset.narrow, settings.recipe, loss=settings.loss)
    fixed = {
        **_ONE_TRIAL,
        "model": model,
        "batch_size": preset.batch_size,
        **make_variant(settings.loss),
    }
    config = compose(first_sample(model, space), fixed)
    threads = torch.get_num_threads()
    torch.set_num_threads(
        1 if settings.cpus_per_trial is None else int(settings.cpus_per_trial) or 1
    )
    try:
        return _measure(config, settings, device)
    finally:
        torch.set_num_threads(threads)


def _measure(config: Config, settings: Settings, device: torch.device) -> Pace:
    channels, timesteps, size = len(settings.channels), settings.timesteps, config["batch_size"]
    network = create_model(config["model"], channels, timesteps, **config["arch"]).to(device)
    step = TrainingStep(config, network, 100, device)
    shape = (size, timesteps, channels, TILE_PX, TILE_PX)
    generator = torch.Generator().manual_seed(0)
    batch = Batch(
        torch.randn(shape, generator=generator).to(device),
        (torch.rand((size, TILE_PX, TILE_PX), generator=generator) < 0.05).to(device, torch.uint8),
        torch.linspace(-30, 30, timesteps).expand(size, timesteps).to(device),
    )
    network.train()
    train = _time(lambda: step.train_batch(batch), device)
    network.eval()
    return Pace(train / size, _time(lambda: step.validate_batch(batch), device) / size, "measured")


def _time(work: Any, device: torch.device) -> float:
    cuda, seconds = device.type == "cuda", []
    clock = time.perf_counter if cuda else time.process_time  # other programs take turns on a core
    for _ in range(STEPS + 1):
        began = clock()
        work()
        if cuda:
            torch.cuda.synchronize(device)
        seconds.append(clock() - began)
    return statistics.median(seconds[1:])


Likeness = tuple[Any, ...]  # what two trainings must share to take as long


def describe_likeness(model: str, channels: int, timesteps: int, batch_size: int) -> Likeness:
    """Return what trainings must share to take as long per tile."""
    return model, channels, timesteps, batch_size


def find_earlier(root: Path) -> tuple[dict[Likeness, float], dict[str, float]]:
    """Find what earlier trials below an output folder took.

    Returns:
        Seconds of one train tile in one epoch, val included, by :func:`describe_likeness`; and seconds of one run by baseline.
    """
    epochs: dict[Likeness, list[float]] = defaultdict(list)
    baselines: dict[str, list[float]] = defaultdict(list)
    for folder in sorted((root / "campaigns").glob("*")):
        splits = _read_splits(folder)
        for path, entry in list_trials(folder / "trials").items():
            trial, config = TrialFolder(path), entry.config
            if "baseline" in entry.stage:
                if (end := trial.read("end")) is not None:
                    baselines[config["model"]].append((end["time_ms"] - entry.began_ms) / 1000)
                continue
            tiles = len(splits.get(config["split"], {}).get("train", ()))
            if not tiles or "batch_size" not in config:
                continue
            like = describe_likeness(
                config["model"],
                len(config["channels"]),
                config["timesteps"],
                config["batch_size"],
            )
            epochs[like] += [row["seconds"] / tiles for row in trial.history()]
    return (
        {like: statistics.median(seconds) for like, seconds in epochs.items() if seconds},
        {key: statistics.median(seconds) for key, seconds in baselines.items()},
    )


def _read_splits(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    file = folder / "inputs.json"
    return dict(read_json(file).get("splits", {})) if file.is_file() else {}
