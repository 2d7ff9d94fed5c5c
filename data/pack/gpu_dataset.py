"""A preloaded dataset served on its device: the host sends an epoch's random draws at once and never synchronises."""

from dataclasses import dataclass

import torch
from torch import Tensor

from data.pack.augment.cuts import cut_series, forget_cut_days
from data.pack.augment.symmetries import flip_and_crop, make_symmetry_maps
from data.pack.augmentation import NO_AUGMENT, Augment, add_noise, units_per_db
from data.pack.dataset import Batch, Layers, TileDataset

_DRAWN = ("symmetries", "corners", "cuts")  # of `AugmentParams`, in the order of a plan's rows
PLAN_ROWS = 1 + len(_DRAWN)


@dataclass(frozen=True)
class EpochPlan:
    """The batches of an epoch, on the device.

    Attributes:
        batches: Positions, symmetries, crop corners and cuts of each batch's tiles, shape ``(PLAN_ROWS, B)``, int64.
        noise_seeds: Seed of each batch's noise; None for a batch without noise.
    """

    batches: tuple[Tensor, ...]
    noise_seeds: tuple[int | None, ...]


class GpuDataset:
    """Serves and augments a preloaded dataset on its device.

    Args:
        tiles: The dataset, made with ``preload=True``.
        augment: The augmentation.

    Attributes:
        noise: The device's generator of noise and dropped acquisitions; None if the augmentation has neither.

    Raises:
        ValueError: If the dataset is not preloaded.
    """

    def __init__(self, tiles: TileDataset, augment: Augment = NO_AUGMENT) -> None:
        if tiles.preloaded is None:
            raise ValueError(
                f"A GPU dataset needs its tiles in the device's memory, but got {len(tiles)} tiles that are read "
                "from the pack. Make the dataset with preload=True."
            )
        self._tiles, self._preloaded, self._augment = tiles, tiles.preloaded, augment
        device, side = tiles.device, tiles.preloaded.mask.shape[-1]
        self._maps = make_symmetry_maps(side, augment.crop or side).to(device)
        self._db = units_per_db(tiles.norm).to(device)
        self._first_after = tiles.first_after.to(device)
        self.noise = torch.Generator(device) if augment.changes_values else None

    def __len__(self) -> int:
        return len(self._tiles)

    @property
    def masks(self) -> Tensor:
        """All labels, shape ``(N, H, W)``."""
        return self._preloaded.mask

    def plan_shuffled(self, batch_size: int, generator: torch.Generator) -> EpochPlan:
        """Draw the same epoch as :meth:`TileDataset.shuffled` from a CPU generator, and send it to the device."""
        plans = self._tiles.plan_epoch(batch_size, generator, self._augment)
        batches = [
            torch.stack([plan.positions, *(getattr(plan.params, name) for name in _DRAWN)])
            for plan in plans
        ]
        return EpochPlan(self._send(batches), tuple(plan.params.noise_seed for plan in plans))

    def plan_in_order(self, batch_size: int) -> EpochPlan:
        """Plan an epoch in the order of the tiles, without augmentation."""
        table = torch.zeros(PLAN_ROWS, len(self), dtype=torch.int64)
        table[0] = torch.arange(len(self))
        batches = torch.split(table, batch_size, dim=1)
        return EpochPlan(self._send(list(batches)), (None,) * len(batches))

    def _send(self, batches: list[Tensor]) -> tuple[Tensor, ...]:
        """Copy all batches to the device in one transfer, from pinned memory so that the host does not wait."""
        table = torch.cat(batches, dim=1)
        if self._tiles.device.type == "cuda":
            table = table.pin_memory()
        table = table.to(self._tiles.device, non_blocking=True)
        return tuple(torch.split(table, [batch.shape[1] for batch in batches], dim=1))

    def seed_noise(self, seed: int | None) -> None:
        """Seed the noise of the next batch with a seed of the plan."""
        if self.noise is not None and seed is not None:
            self.noise.manual_seed(seed)

    def load_batch(self, planned: Tensor) -> Batch:
        """Return a batch for its plan's positions, symmetries, corners and cuts ``(PLAN_ROWS, B)``."""
        positions, symmetries, corners, cuts = planned.unbind()
        x = self._preloaded.x.index_select(0, positions)
        mask = self._preloaded.mask.index_select(0, positions)
        if self._augment.moves_pixels:
            x = flip_and_crop(x, self._maps, symmetries, corners)
            mask = flip_and_crop(mask[:, None], self._maps, symmetries, corners)[:, 0]
        x, days = x.float(), self._preloaded.days.index_select(0, positions)
        if self.noise is not None:
            days = add_noise(x, days, self._augment, self._db, self.noise)
        if self._augment.cut:
            first_after = self._first_after.index_select(0, positions)
            x = cut_series(x, first_after, cuts)
            days = forget_cut_days(days, first_after, cuts)
        return Layers(x, mask, days).finish()
