"""What all trainings of one data set share on a device: the tiles of train and val, and their normalisation."""

from dataclasses import dataclass
from typing import Self

import torch

from data.pack import Pack
from data.pack.dataset import TileDataset
from data.pack.normalisation import Normalisation, make_normalisation
from data.splits import Split
from tuning.trial.folder import Config


@dataclass(frozen=True)
class TrainingData:
    """What trainings of one data set share: the tiles of train and val, and their normalisation."""

    norm: Normalisation
    train: TileDataset
    val: TileDataset

    @classmethod
    def make(
        cls,
        config: Config,
        pack: Pack,
        split: Split,
        device: torch.device,
        *,
        resident: bool | None = None,
    ) -> Self:
        """Make the parts of a config; on a GPU they live in its memory when *resident* is left out."""
        norm = make_normalisation(config["norm"], pack, split.train, config["channels"])
        train, val = (
            TileDataset(
                pack, ids, norm, config["timesteps"], device, config["steps"], resident=resident
            )
            for ids in (split.train, split.val)
        )
        return cls(norm, train, val)
