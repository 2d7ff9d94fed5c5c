"""The data that all trainings of one data set share on a device: train and val tiles, and their normalisation."""

from dataclasses import dataclass, replace
from typing import Self

import torch

from data.pack import Pack
from data.pack.dataset import TileDataset
from data.pack.normalisation import Normalisation, make_normalisation
from data.pack.profile import TrainingProfile, measure_profile
from data.splits import Split
from tuning.objects.label_noise import label_train
from tuning.trial.folder import Config


@dataclass(frozen=True)
class TrainingData:
    """Train and val tiles, the normalisation measured on train, and what train is like."""

    norm: Normalisation
    train: TileDataset
    val: TileDataset
    profile: TrainingProfile

    @classmethod
    def make(
        cls,
        config: Config,
        pack: Pack,
        split: Split,
        device: torch.device,
        *,
        preload: bool | None = None,
    ) -> Self:
        """Make the data of a config; by default it is preloaded into the device's memory only on a GPU.

        Raises:
            ValueError: If a channel is constant over train, or label noise leaves no landslide.
        """
        norm = make_normalisation(config["norm"], pack, split.train, config["channels"])
        labels = label_train(pack, split.train, config.get("label_noise", {}))
        train, val = (
            TileDataset(
                source, ids, norm, config["timesteps"], device, config["steps"], preload=preload
            )
            for source, ids in ((replace(pack, mask=labels), split.train), (pack, split.val))
        )
        profile = measure_profile(
            *(pack, split.train, config["channels"], config["steps"], config["timesteps"]),
            cut=bool(config["augment"].get("cut")),
        )
        return cls(norm, train, val, profile)
