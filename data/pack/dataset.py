"""Packed tiles as batches on the training device: read, normalised, augmented."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.pack.augmentation import NO_AUGMENT, Augment, AugmentParams, apply_changes, draw_params
from data.pack.file_format import Pack
from data.pack.normalisation import Normalisation
from data.pack.reader import PackReader

MIN_SPREAD = 0.05  # smallest standard deviation of a channel after normalisation


@dataclass(frozen=True)
class Batch:
    """Some tiles, ready for a network.

    Attributes:
        x: Normalised input, shape ``(B, T, C, H, W)``, float32; no data is 0, the mean.
        mask: 1 = landslide, shape ``(B, H, W)``, uint8.
    """

    x: Tensor
    mask: Tensor


@dataclass(frozen=True)
class BatchPlan:
    """What chance decided for a batch of B tiles.

    Attributes:
        index: Positions of the tiles, shape ``(B,)``, int64, on the CPU.
        drawn: How they change.
    """

    index: Tensor
    drawn: AugmentParams


class TileDataset:
    """Tiles of one part, served in batches.

    On a GPU the whole part lives in its memory, normalised; on a CPU it stays in the mapped pack, which
    all processes of a machine share.

    Args:
        pack: The packed tiles.
        tile_ids: Ids of the part.
        norm: Normalisation, which names the channels.
        timesteps: How many acquisitions.
        device: Where batches are wanted.
        steps: How acquisitions are chosen, one of ``data.pack.channels.STEPS``.
        resident: Whether the part lives on the device; on a GPU it does when left out.

    Attributes:
        resident: The whole part on the device, its input normalised, float16; None where it is not there.
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
        resident: bool | None = None,
    ) -> None:
        self.tile_ids, self.norm, self.device = tuple(tile_ids), norm, device
        self._mask, self._rows = pack.mask, pack.rows(tile_ids)
        self._reader = PackReader(pack, norm.channels, timesteps, steps)
        std = torch.tensor(norm.std, dtype=torch.float64)
        self._scale = (1 / std).float()[:, None, None]
        self._shift = (-torch.tensor(norm.mean, dtype=torch.float64) / std).float()[:, None, None]
        self._buffer = torch.empty(0)
        lives_there = device.type == "cuda" if resident is None else resident
        self.resident = self._upload() if lives_there else None

    def __len__(self) -> int:
        return len(self.tile_ids)

    def _read(self, rows: Sequence[int], out: Tensor) -> Batch:
        """Read and normalise tile by tile, so that each stays in the processor's cache meanwhile."""
        for tile, row in zip(out, rows, strict=True):
            self._reader.read(row, tile)
            tile.mul_(self._scale).add_(self._shift)
            if self._reader.gaps[row]:
                tile.nan_to_num_(nan=0.0, posinf=math.inf, neginf=-math.inf)
        return Batch(out, torch.from_numpy(self._mask[np.asarray(rows)]))

    def _upload(self) -> Batch:
        """Move the whole part to the device, in half precision."""
        shape = (len(self), *self._reader.shape)
        x = torch.empty(shape, dtype=torch.float16, device=self.device)
        one = torch.empty(1, *self._reader.shape)
        for place, row in enumerate(self._rows.tolist()):
            x[place].copy_(self._read([row], one).x[0])
        return Batch(x, torch.from_numpy(self._mask[self._rows]).to(self.device))

    def _serve(self, index: Sequence[int], *, reuse: bool) -> Batch:
        if self.resident is not None:
            at = torch.as_tensor(index, device=self.device)
            return Batch(self.resident.x[at].float(), self.resident.mask[at])
        shape = (len(index), *self._reader.shape)
        out = self._lend(math.prod(shape)).view(shape) if reuse else torch.empty(shape)
        return self._read(self._rows[np.asarray(index)].tolist(), out)

    def _lend(self, size: int) -> Tensor:
        """Lend the one buffer: fresh memory costs more than what is written to it."""
        if len(self._buffer) < size:
            self._buffer = torch.empty(size)
        return self._buffer[:size]

    def batch(self, index: Sequence[int]) -> Batch:
        """Serve the tiles at the positions *index* of this part."""
        return self._serve(index, reuse=False)

    def batches(self, size: int) -> Iterator[Batch]:
        """Serve every tile once, in order; a batch's input lasts until the next one is asked for."""
        for start in range(0, len(self), size):
            yield self._serve(range(start, min(start + size, len(self))), reuse=True)

    def shuffled(
        self, size: int, generator: torch.Generator, augment: Augment = NO_AUGMENT
    ) -> Iterator[Batch]:
        """Serve every tile once, in an order and with changes drawn from *generator* (on the CPU).

        A last batch of one tile is joined to the one before: batch norm needs two. A batch's input
        lasts until the next one is asked for.
        """
        for part in self.plan(size, generator, augment):
            batch = self._serve(part.index.tolist(), reuse=True)
            yield Batch(*apply_changes(batch.x, batch.mask, augment, self.norm, part.drawn))

    def plan(
        self, size: int, generator: torch.Generator, augment: Augment = NO_AUGMENT
    ) -> list[BatchPlan]:
        """Draw an epoch's order and changes, as :meth:`shuffled` serves them."""
        parts = list(torch.split(torch.randperm(len(self), generator=generator), size))
        if len(parts) > 1 and len(parts[-1]) == 1:
            parts[-2:] = [torch.cat(parts[-2:])]
        side = self._reader.shape[-1]
        return [
            BatchPlan(index, draw_params(len(index), side, augment, generator)) for index in parts
        ]


def check_input_varies(tiles: TileDataset) -> None:
    """Measure what the network will see, and refuse a channel that says (nearly) nothing.

    Args:
        tiles: The train part.

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
                "clipped as if it were dB does that: check the unit of the tiles and the norm."
            )
