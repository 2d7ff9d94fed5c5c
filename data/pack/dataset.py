"""Packed tiles as batches on the training device: read, normalised, augmented."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.pack.augmentation import NO_AUGMENT, Augment, AugmentParams, apply_augment, draw_params
from data.pack.normalisation import Normalisation
from data.pack.pack import Pack
from data.pack.reader import After, PackReader

MIN_SPREAD = 0.05  # smallest standard deviation of a channel after normalisation


@dataclass(frozen=True)
class Batch:
    """B tiles, ready for a network.

    Attributes:
        x: Normalised input, shape ``(B, T, C, H, W)``, float32; no data is 0, the mean.
        mask: 1 = landslide, shape ``(B, H, W)``, uint8.
        days: Days from the event to each acquisition, the mean over the channels of Sentinel-1, shape ``(B, T)``, float32; NaN
            where there is no acquisition: it is dropped, has no pixel with data, or repeats the one before it.
    """

    x: Tensor
    mask: Tensor
    days: Tensor


@dataclass(frozen=True)
class Layers:
    """Tiles before augmentation.

    Attributes:
        x: As in `Batch`.
        mask: As in `Batch`.
        days: Days from the event by acquisition and channel, shape ``(B, T, C)``, float32, NaN as in `Batch`, and for all
            channels but Sentinel-1's.
    """

    x: Tensor
    mask: Tensor
    days: Tensor

    def finish(self) -> Batch:
        """Return the tiles as they are."""
        return Batch(self.x, self.mask, self.days.nanmean(dim=2))


@dataclass(frozen=True)
class BatchPlan:
    """Tiles of a batch and the random parameters of their augmentation.

    Attributes:
        positions: Positions of the B tiles in the dataset, shape ``(B,)``, int64, on the CPU.
        params: Parameters of the augmentation.
    """

    positions: Tensor
    params: AugmentParams


class TileDataset:
    """The tiles of train, val or test, served in batches.

    On a GPU all tiles are preloaded into its memory, normalised. On a CPU they stay in the memory-mapped pack,
    which all processes of a machine share.

    Args:
        pack: The packed tiles.
        tile_ids: Ids of the N tiles.
        norm: Normalisation, which names the channels.
        timesteps: Number of acquisitions.
        device: Device of the batches.
        steps: How acquisitions are selected, one of ``data.pack.channels.STEPS``.
        preload: Whether to load all tiles into the device's memory; by default only on a GPU.
        after: Most acquisitions after the event, of which the last one is repeated, of every series or by row of the pack.

    Attributes:
        first_after: Place of the first acquisition after the event by tile and channel, shape ``(N, C)``, on the CPU.
        preloaded: All tiles on the device, input normalised, float16; None if they are not preloaded.
    """

    def __init__(
        self,
        pack: Pack,
        tile_ids: Sequence[str],
        norm: Normalisation,
        timesteps: int,
        device: torch.device,
        steps: str = "even",
        *,
        preload: bool | None = None,
        after: After = None,
    ) -> None:
        self.tile_ids, self.norm, self.device = tuple(tile_ids), norm, device
        self._mask, self._rows = pack.mask, pack.rows(tile_ids)
        self._reader = PackReader(pack, norm.channels, timesteps, steps, after)
        self.first_after = torch.from_numpy(self._reader.first_after[self._rows])
        std = torch.tensor(norm.std, dtype=torch.float64)
        self._scale = (1 / std).float()[:, None, None]
        self._shift = (-torch.tensor(norm.mean, dtype=torch.float64) / std).float()[:, None, None]
        self._buffer = torch.empty(0)
        preload = device.type == "cuda" if preload is None else preload
        self.preloaded = self._preload() if preload else None

    def __len__(self) -> int:
        return len(self.tile_ids)

    def _read(self, rows: Sequence[int], out: Tensor) -> Layers:
        """Read and normalise tile by tile, so that each tile stays in the processor's cache."""
        days = torch.from_numpy(self._reader.days[np.asarray(rows)])
        for tile, row, of_tile in zip(out, rows, days, strict=True):
            self._reader.read(row, tile)
            tile.mul_(self._scale).add_(self._shift)
            if self._reader.has_gaps[row]:
                of_tile[tile.isnan().flatten(2).all(dim=2)] = math.nan
                tile.nan_to_num_(nan=0.0, posinf=math.inf, neginf=-math.inf)
        return Layers(out, torch.from_numpy(self._mask[np.asarray(rows)]), days)

    def _preload(self) -> Layers:
        """Copy all tiles to the device, in half precision."""
        shape = (len(self), *self._reader.shape)
        x = torch.empty(shape, dtype=torch.float16, device=self.device)
        tile = torch.empty(1, *self._reader.shape)
        days = torch.empty(len(self), self._reader.shape[0], self._reader.shape[1])
        for position, row in enumerate(self._rows.tolist()):
            layers = self._read([row], tile)
            x[position].copy_(layers.x[0])
            days[position] = layers.days[0]
        mask = torch.from_numpy(self._mask[self._rows])
        return Layers(x, mask.to(self.device), days.to(self.device))

    def _load(self, positions: Sequence[int], *, reuse: bool) -> Layers:
        if (kept := self.preloaded) is not None:
            index = torch.as_tensor(positions, device=self.device)
            return Layers(kept.x[index].float(), kept.mask[index], kept.days[index])
        shape = (len(positions), *self._reader.shape)
        out = self._reuse_buffer(math.prod(shape)).view(shape) if reuse else torch.empty(shape)
        return self._read(self._rows[np.asarray(positions)].tolist(), out)

    def _reuse_buffer(self, size: int) -> Tensor:
        """Return the shared buffer: allocating memory takes longer than filling it."""
        if len(self._buffer) < size:
            self._buffer = torch.empty(size)
        return self._buffer[:size]

    def batch(self, positions: Sequence[int]) -> Batch:
        """Return the tiles at the given positions of this dataset."""
        return self._load(positions, reuse=False).finish()

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield every tile once, in order; the next batch overwrites the input of this one."""
        for start in range(0, len(self), batch_size):
            yield self._load(range(start, min(start + batch_size, len(self))), reuse=True).finish()

    def shuffled(
        self, batch_size: int, generator: torch.Generator, augment: Augment = NO_AUGMENT
    ) -> Iterator[Batch]:
        """Yield every tile once, shuffled and augmented with draws from a CPU generator.

        A last batch of one tile is merged into the previous one, because batch norm needs two. The next batch
        overwrites the input of this one.
        """
        for plan in self.plan_epoch(batch_size, generator, augment):
            read = self._load(plan.positions.tolist(), reuse=True)
            first = self.first_after[plan.positions]
            augmented = apply_augment(
                read.x, read.mask, read.days, augment, self.norm, plan.params, first
            )
            yield Layers(*augmented).finish()

    def plan_epoch(
        self, batch_size: int, generator: torch.Generator, augment: Augment = NO_AUGMENT
    ) -> list[BatchPlan]:
        """Draw the order and the augmentation of an epoch, as :meth:`shuffled` serves it."""
        groups = list(torch.split(torch.randperm(len(self), generator=generator), batch_size))
        if len(groups) > 1 and len(groups[-1]) == 1:
            groups[-2:] = [torch.cat(groups[-2:])]
        side = self._reader.shape[-1]
        return [
            BatchPlan(group, draw_params(len(group), side, augment, generator)) for group in groups
        ]


def check_input_varies(tiles: TileDataset) -> None:
    """Measure the network's input, and refuse a channel that is (nearly) constant.

    Args:
        tiles: The train tiles.

    Raises:
        ValueError: If a channel's standard deviation over all tiles is below ``MIN_SPREAD`` after
            normalisation.
    """
    count = 0
    total = squares = torch.zeros(len(tiles.norm.channels), dtype=torch.float64)
    for batch in tiles.batches(8):
        x = batch.x.cpu().double()
        count += x.numel() // x.shape[2]
        total = total + x.sum((0, 1, 3, 4))
        squares = squares + (x * x).sum((0, 1, 3, 4))
    spread = (squares / count - (total / count) ** 2).clamp(min=0).sqrt()
    for name, value in zip(tiles.norm.channels, spread.tolist(), strict=True):
        if not value >= MIN_SPREAD:
            raise ValueError(
                f"A channel must vary after normalisation, but {name} has a standard deviation of "
                f"{value:.4f} over the {len(tiles)} train tiles ({tiles.norm.kind} norm). Linear power "
                "clipped as if it were dB causes this: check the unit of the tiles and the norm."
            )
