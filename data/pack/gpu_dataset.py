"""A part that lives on a device, served there: the host draws an epoch, sends it once, and waits for nothing."""

from dataclasses import dataclass

import torch
from torch import Tensor

from data.pack.augmentation import (
    NO_AUGMENT,
    Augment,
    add_noise,
    flip_and_crop,
    is_noisy,
    make_symmetry_maps,
    units_per_db,
)
from data.pack.dataset import Batch, TileDataset


@dataclass(frozen=True)
class EpochPlan:
    """The batches of an epoch, on the device.

    Attributes:
        batches: Positions, symmetries and corners of each batch's tiles, shape ``(3, B)``, int64.
        seeds: Of each batch's noise; None where there is none.
    """

    batches: tuple[Tensor, ...]
    seeds: tuple[int | None, ...]


class GpuDataset:
    """Serves the tiles of a part that lives on its device, changed there.

    Args:
        tiles: The part.
        augment: How its tiles change.

    Attributes:
        noise: The device's generator of noise and lost acquisitions; None where there are none.

    Raises:
        ValueError: If the part does not live on its device.
    """

    def __init__(self, tiles: TileDataset, augment: Augment = NO_AUGMENT) -> None:
        if tiles.resident is None:
            raise ValueError(
                f"A part is served on the device that it lives on, but this one of {len(tiles)} tiles is read "
                "from its pack. Make it with resident=True."
            )
        self._tiles, self._there, self._augment = tiles, tiles.resident, augment
        device, side = tiles.device, tiles.resident.mask.shape[-1]
        self._moves = bool(augment.turn or augment.crop)
        self._symmetries = make_symmetry_maps(side, augment.crop or side).to(device)
        self._db = units_per_db(tiles.norm).to(device)
        self.noise = torch.Generator(device) if is_noisy(augment) else None

    def __len__(self) -> int:
        return len(self._tiles)

    @property
    def mask(self) -> Tensor:
        """All labels, shape ``(N, H, W)``."""
        return self._there.mask

    def draw(self, size: int, generator: torch.Generator) -> EpochPlan:
        """Draw an epoch from a generator of the CPU, and send it; the same as :meth:`TileDataset.shuffled` draws."""
        parts = self._tiles.plan(size, generator, self._augment)
        rows = [torch.stack([part.index, part.drawn.turns, part.drawn.corners]) for part in parts]
        sizes = [len(part.index) for part in parts]
        return EpochPlan(self._send(rows, sizes), tuple(part.drawn.seed for part in parts))

    def in_order(self, size: int) -> EpochPlan:
        """Plan to serve every tile once, in order and unchanged."""
        order = torch.arange(len(self))
        rows = torch.stack([order, torch.zeros_like(order), torch.zeros_like(order)])
        parts = torch.split(rows, size, dim=1)
        return EpochPlan(
            self._send(list(parts), [part.shape[1] for part in parts]), (None,) * len(parts)
        )

    def _send(self, rows: list[Tensor], sizes: list[int]) -> tuple[Tensor, ...]:
        """Copy all batches to the device at once; from pinned memory, so that nothing waits."""
        table = torch.cat(rows, dim=1)
        if self._tiles.device.type == "cuda":
            table = table.pin_memory()
        there = table.to(self._tiles.device, non_blocking=True)
        return tuple(torch.split(there, sizes, dim=1))

    def seed(self, seed: int | None) -> None:
        """Let the next batch's noise begin at a seed of a plan."""
        if self.noise is not None and seed is not None:
            self.noise.manual_seed(seed)

    def gather(self, now: Tensor) -> Batch:
        """Serve a batch, by its plan's positions, symmetries and corners ``(3, B)``."""
        at, turns, corners = now.unbind()
        x, mask = self._there.x.index_select(0, at), self._there.mask.index_select(0, at)
        if self._moves:
            x = flip_and_crop(x, self._symmetries, turns, corners)
            mask = flip_and_crop(mask[:, None], self._symmetries, turns, corners)[:, 0]
        x = x.float()
        if self.noise is not None:
            add_noise(x, self._augment, self._db, self.noise)
        return Batch(x, mask)
