"""A search of many trials without training: folders like those that training writes, and stubs of Ray's trials."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from data.pack.channels import SAR_CHANNELS
from tuning.metrics.histogram import BINS
from tuning.search.callback import TrackingCallback, name_part
from tuning.search.progress import Progress
from tuning.tracking.payloads import EPOCH_METRICS, CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.train.environment import describe_environment
from tuning.trial.folder import TrialFolder
from tuning.trial.search_space import first_sample, make_space
from tuning.trial.stage import Stage, StageJob

MODEL, PIXELS = "unet", 27 * 128 * 128  # of the val part of the split blocks
SYSTEM = (
    "cpu_utilization_percentage",
    "process_memory_megabytes",
    "system_memory_usage_percentage",
)


@dataclass(frozen=True)
class Campaign:
    """Trials of one search, and the callback that follows them.

    Attributes:
        mirror: The callback that Ray would call.
        trials: What stands for Ray's trials.
        epochs: Length of a trial.
    """

    mirror: TrackingCallback
    trials: Sequence[Any]
    epochs: int

    def journals(self) -> Iterator[TrialFolder]:
        """Yield the trials' folders."""
        for trial in self.trials:
            yield self.mirror.stage.job.folder(trial.config)


def make_campaign(
    root: Path, name: str, trials: int, epochs: int, kind: type[MLflowSender] = MLflowSender
) -> Campaign:
    """Make a search of a network's whole space with random samples."""
    context = CampaignContext(
        name, "paper", "blocks", "s", "d", "synthetic", "s1", "15 even", "c" * 40
    )
    data = DataRecord("hokkaido-twin", "d", "twin:1", {"channels": list(SAR_CHANNELS)}, {})
    fixed = {"model": MODEL, "channels": list(SAR_CHANNELS), "timesteps": 15, "steps": "even"}
    fixed |= {"norm": "train", "batch_size": 16, "clip": 1.0, "augment": {"turn": 1}}
    fixed |= {"epochs": epochs, "patience": epochs, "seed": 42, "split": "blocks", "data": "d"}
    folder = root / "campaigns" / name / "trials"
    folder.mkdir(parents=True)
    stage = Stage(f"search-{MODEL}", StageJob("search", fixed, "p", str(folder)), trials, epochs)
    first, rng = first_sample(MODEL, make_space(MODEL)), random.Random(name)  # noqa: S311 - samples
    samples = [first | {"lr": 10 ** rng.uniform(-4, -2)} for _ in range(trials)]
    progress = Progress()
    progress.plan(name_part("", stage.name, MODEL), trials, epochs)
    mirror = TrackingCallback(kind(root, context, data), stage, progress)
    return Campaign(mirror, [SimpleNamespace(config=sample) for sample in samples], epochs)


def make_row(epoch: int) -> dict[str, Any]:
    """Make an epoch's row, as training writes it."""
    values = dict.fromkeys(EPOCH_METRICS, 0.5 + 0.001 * epoch)
    row = {**values, "epoch": epoch, "stale": 0, "seconds": 60.0}
    row |= {"time_ms": 1_700_000_000_000 + 60_000 * epoch}
    return row | {"system": dict.fromkeys(SYSTEM, 50.0 + epoch)}


def write_epoch(campaign: Campaign, epoch: int) -> None:
    """Add an epoch to every trial's folder."""
    row = make_row(epoch)
    for trial_folder in campaign.journals():
        trial_folder.append(row)


def write_ends(campaign: Campaign, ends: int) -> None:
    """Write the final files of the first trials."""
    environment = describe_environment(torch.device("cpu"))
    rng = np.random.default_rng(0)
    probs = rng.beta(1, 12, PIXELS), rng.beta(3, 4, PIXELS // 20)  # without landslide, with one
    counts = np.stack([np.bincount((one * BINS).astype(int), minlength=BINS) for one in probs])
    for trial_folder in islice(campaign.journals(), ends):
        entry = trial_folder.read("trial")
        trial_folder.write("config", entry["config"])
        trial_folder.write("environment", environment)
        np.save(trial_folder.path / "val_counts.npy", counts)
        trial_folder.write("cost", {"parameters": 1e6, "cpu_hours": 1.0, "gpu_hours": 1.0})
        trial_folder.end("last epoch", epoch=campaign.epochs)
