"""Packed tiles as batches on the training device: steps chosen, normalised, augmented."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.names import unknown
from data.pack import Pack
from data.rows import CHANNELS, SAR_CHANNELS
from data.tiles import ACQUISITIONS, EVENT

MIN_STD = 0.05  # dB or m; real SAR varies by 3 to 4 dB, a channel clipped away by thousandths


@dataclass(frozen=True)
class Norm:
    """Mean and standard deviation per channel, shape ``(C,)`` each, in dB (the DEM in m)."""

    channels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Batch:
    """Some tiles, ready for a network.

    Attributes:
        x: Normalised input, shape ``(B, T, C, H, W)``, float32; no data is 0, the mean.
        mask: 1 = landslide, shape ``(B, H, W)``, uint8.
    """

    x: Tensor
    mask: Tensor


def pick_steps(timesteps: int) -> list[int]:
    """Pick evenly spaced acquisitions, the first and last included, as the published study does.

    Args:
        timesteps: How many of the 15 acquisitions to use.

    Returns:
        Ascending indices, ``round(linspace(0, 14, timesteps))``.

    Raises:
        ValueError: If *timesteps* is not in 1..15.
    """
    if not 1 <= timesteps <= ACQUISITIONS:
        raise ValueError(
            f"A tile has {ACQUISITIONS} acquisitions, but got timesteps={timesteps}. "
            f"Choose 1 to {ACQUISITIONS}."
        )
    return [int(step) for step in np.linspace(0, ACQUISITIONS - 1, timesteps).round()]


def measure_norm(pack: Pack, train: Sequence[str], channels: Sequence[str]) -> Norm:
    """Measure each channel's mean and standard deviation over the train tiles alone.

    Args:
        pack: The packed tiles.
        train: Ids of the train part.
        channels: Names out of ``CHANNELS``.

    Returns:
        One mean and one standard deviation per channel.

    Raises:
        ValueError: If a channel is unknown, or (nearly) constant over the train tiles.
    """
    for name in channels:
        if name not in CHANNELS:
            raise ValueError(unknown("channel", name, CHANNELS))
    at = [CHANNELS.index(name) for name in channels]
    count, total, squares = pack.moments[pack.rows(train)][:, at].sum(axis=0).T
    mean = total / np.maximum(count, 1)
    std = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0.0))
    for name, value in zip(channels, std, strict=True):
        if value < MIN_STD:
            raise ValueError(
                f"A channel must vary over the train tiles, but {name} has a standard deviation of "
                f"{value:.4f} in {pack.path}. Check the unit of the tiles (dB or linear power)."
            )
    return Norm(tuple(channels), tuple(map(float, mean)), tuple(map(float, std)))


def turn(x: Tensor, mask: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
    """Flip and rotate each tile of a batch by one of the square's eight symmetries.

    Args:
        x: Input, shape ``(B, T, C, H, W)``.
        mask: Label, shape ``(B, H, W)``.
        turns: One number in 0..7 per tile, shape ``(B,)``: quarter turns, plus 4 for a flip.

    Returns:
        Both, turned alike.
    """
    x, mask = x.clone(), mask.clone()
    for number in range(1, 8):
        at = (turns == number).nonzero()[:, 0]
        if len(at):
            for layers in (x, mask):
                some = layers[at].rot90(number % 4, (-2, -1))
                layers[at] = some.flip(-1) if number >= 4 else some
    return x, mask


class Tiles:
    """Tiles of one part, served in batches.

    On a GPU the whole part lives in its memory; on a CPU it stays in the mapped pack, which all
    processes of a machine share.
    """

    def __init__(
        self, pack: Pack, tile_ids: Sequence[str], norm: Norm, timesteps: int, device: torch.device
    ) -> None:
        self.tile_ids = tuple(tile_ids)
        self.device = device
        self._pack = pack
        self._rows = pack.rows(tile_ids)
        self._steps = np.array(pick_steps(timesteps))
        sar = [SAR_CHANNELS.index(name) for name in norm.channels if name != "DEM"]
        self._sar = None if sar == list(range(len(SAR_CHANNELS))) else np.array(sar, dtype=int)
        self._dem = norm.channels.index("DEM") if "DEM" in norm.channels else None
        self._mean = torch.tensor(norm.mean, device=device)[:, None, None]
        self._std = torch.tensor(norm.std, device=device)[:, None, None]
        self._resident = self._gather(self._rows) if device.type == "cuda" else None

    def __len__(self) -> int:
        return len(self.tile_ids)

    def _gather(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Copy rows out of the pack: input ``(B, T, C, H, W)`` in dB and m, and the mask."""
        picked = self._pack.x[rows[:, None], self._steps[None]]
        x = picked if self._sar is None else picked[:, :, self._sar]
        if self._dem is not None:
            dem = self._pack.dem[rows].astype(np.float16)[:, None, None]
            x = np.insert(x, [self._dem], np.broadcast_to(dem, (*x.shape[:2], 1, *x.shape[3:])), 2)
        mask = torch.from_numpy(self._pack.mask[rows])
        return torch.from_numpy(x).to(self.device), mask.to(self.device)

    def batch(self, index: Sequence[int]) -> Batch:
        """Serve the tiles at the positions *index* of this part."""
        if self._resident is None:
            x, mask = self._gather(self._rows[np.asarray(index)])
        else:
            at = torch.as_tensor(index, device=self.device)
            x, mask = (layers[at] for layers in self._resident)
        x = ((x.float() - self._mean) / self._std).nan_to_num_(
            nan=0.0, posinf=float("inf"), neginf=-float("inf")
        )
        return Batch(x, mask)

    def batches(self, size: int) -> Iterator[Batch]:
        """Serve every tile once, in order."""
        for start in range(0, len(self), size):
            yield self.batch(range(start, min(start + size, len(self))))

    def shuffled(self, size: int, generator: torch.Generator, *, augment: bool) -> Iterator[Batch]:
        """Serve every tile once, in an order and with turns drawn from *generator* (on the CPU).

        A last batch of one tile is joined to the one before: batch norm needs two.
        """
        order = torch.randperm(len(self), generator=generator).tolist()
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        if len(parts) > 1 and len(parts[-1]) == 1:
            parts[-2:] = [parts[-2] + parts[-1]]
        for part in parts:
            batch = self.batch(part)
            if augment:
                turns = torch.randint(8, (len(part),), generator=generator).to(self.device)
                batch = Batch(*turn(batch.x, batch.mask, turns))
            yield batch


def log_ratio(pack: Pack, tile_ids: Sequence[str], polarisation: str = "VV") -> np.ndarray:
    """Mean after minus mean before the event, over both orbits: the change without any learning.

    Args:
        pack: The packed tiles.
        tile_ids: Tiles to compute, B of them.
        polarisation: ``VV`` or ``VH``.

    Returns:
        Change of backscatter in dB, shape ``(B, H, W)``, float32; 0 where no date has data.
    """
    at = [c for c, name in enumerate(SAR_CHANNELS) if name.endswith(polarisation)]
    changes = []
    for row in pack.rows(tile_ids):
        after = pack.times[row] > EVENT  # (orbits, T)
        series = [pack.x[row, :, c].astype(np.float32) for c in at]
        pairs = zip(series, after, strict=True)
        orbits = [mean_db(layers[late]) - mean_db(layers[~late]) for layers, late in pairs]
        changes.append(mean_db(np.stack(orbits)))
    change: np.ndarray = np.nan_to_num(np.stack(changes), nan=0.0)
    return change


def mean_db(layers: np.ndarray) -> np.ndarray:
    """Average over the first axis, leaving out NaN; NaN where there is nothing to average."""
    seen = np.isfinite(layers)
    count: np.ndarray = seen.sum(axis=0)
    total: np.ndarray = np.where(seen, layers, 0.0).sum(axis=0)
    mean: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
