"""The val tiles on which a campaign's models are tried before promotion, kept as ``gate.npz``.

The report works from MLflow alone, so a campaign leaves it what the laws of :mod:`tuning.registry.gate` need. Val serves,
so that test chooses nothing here either.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error
from data.pack import Pack
from data.pack.channels import select_steps
from data.pack.reader import PackReader
from data.tiles import ACQUISITIONS, EVENT, TILE_PX

logger = logging.getLogger(__name__)

GATE_FILE = "gate.npz"  # artifact of the campaign's run
WINDOW_PX = 64  # of a tile; a network takes multiples of 16
STEP_PX = 16  # between the windows that are looked at
MAX_TILES = 8
MAX_BYTES = 4_000_000  # of all inputs in float16
_SQUARE = (WINDOW_PX, WINDOW_PX)
_ARRAYS = {
    "x": ArraySpec("float16", (None, None, None, *_SQUARE)),
    "before": ArraySpec("float16", (None, None, *_SQUARE)),
    "mask": ArraySpec("uint8", (None, *_SQUARE)),
    "after": ArraySpec("int64", (None, None)),
}


@dataclass(frozen=True)
class GateTiles:
    """Windows of N val tiles, as a program wants its input.

    Attributes:
        x: Shape ``(N, T, C, H, W)``, float32: dB, reflectance numbers, m or degrees; NaN = no data.
        before: The last acquisition before the event, shape ``(N, C, H, W)``, float32.
        mask: 1 = landslide, shape ``(N, H, W)``, uint8.
        after: Place among the T acquisitions of the first one after the event, by channel, since each
            modality has its own dates; shape ``(N, C)``, int64. T where there is none, as in heights and
            slopes, which no law changes.
    """

    x: np.ndarray
    before: np.ndarray
    mask: np.ndarray
    after: np.ndarray

    def scale_change(self, factor: float) -> np.ndarray:
        """Scale the landslides' own change: 0 takes it away, 1 leaves it, 2 doubles it.

        The change is the mean of after minus before over a tile's landslide pixels, by channel; what is
        added to those pixels after the event is a multiple of it, so their speckle stays as it is.
        """
        late = np.arange(self.x.shape[1])[:, None] >= self.after[:, None]  # (N, T, C)
        slides = self.mask[:, None, None] > 0  # (N, 1, 1, H, W)
        known = np.concatenate([self.x, self.before[:, None]], axis=1)  # some series start after it
        early = np.concatenate([~late, np.ones_like(late[:, :1])], axis=1)
        change = _average(self.x, late[..., None, None] & slides)
        change = np.nan_to_num(change - _average(known, early[..., None, None] & slides))
        added = ((factor - 1) * change)[:, None, :, None, None]
        x: np.ndarray = np.where(late[..., None, None] & slides, self.x + added, self.x)
        return x.astype(np.float32)

    def freeze(self) -> np.ndarray:
        """Repeat the last acquisition before the event as the whole series."""
        return np.broadcast_to(self.before[:, None], self.x.shape).astype(np.float32)


def _average(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Average ``(N, T, C, H, W)`` over the chosen values with data, shape ``(N, C)``; NaN without any."""
    chosen = chosen & np.isfinite(values)
    count = chosen.sum(axis=(1, 3, 4))
    total = np.where(chosen, values, 0.0).sum(axis=(1, 3, 4))
    mean: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def make_gate_tiles(
    pack: Pack, val: Sequence[str], channels: Sequence[str], timesteps: int, steps: str
) -> GateTiles:
    """Cut the window with most landslide pixels out of each val tile that has most of them.

    Args:
        pack: The packed tiles.
        val: Ids of the val part.
        channels: Channels of the input.
        timesteps: Acquisitions that a network reads.
        steps: How they are chosen; a program reads all 15 and chooses by itself, unless it is ``event``.

    Raises:
        ValueError: If no val tile has both a landslide and an acquisition before the event.
    """
    series = ("event", timesteps) if steps == "event" else ("all", ACQUISITIONS)
    picked, after = _place(pack, channels, *series)
    last = _place(pack, channels, "all", ACQUISITIONS)[1] - 1  # before the event
    amount = pack.mask.sum(axis=(1, 2), dtype=np.int64)
    usable = [row for row in pack.rows(val) if amount[row] and last[row].min() >= 0]
    if not usable:
        raise ValueError(
            "A gate needs a val tile with a landslide and an acquisition before the event, but got "
            f"none among {len(val)} in {pack.path}. Choose another split or add tiles."
        )
    room = MAX_BYTES // (2 * len(channels) * WINDOW_PX**2 * (picked.shape[1] + 1))
    ranked = sorted(usable, key=lambda row: (-amount[row], pack.tile_ids[row]))
    rows = np.array(ranked[: max(1, min(MAX_TILES, room))])
    reader = PackReader(pack, channels, ACQUISITIONS, "all")
    windows = [(..., *_find_window(pack.mask[row])) for row in rows]
    xs, befores = [], []
    for row, window in zip(rows, windows, strict=True):
        tile = torch.empty(reader.shape)
        reader.read(int(row), tile)
        full = tile.numpy()[window]  # (15, C, H, W)
        xs.append(np.take_along_axis(full, picked[row][:, :, None, None], axis=0))
        befores.append(np.take_along_axis(full, last[row][None, :, None, None], axis=0)[0])
    mask = np.stack([pack.mask[row][window] for row, window in zip(rows, windows, strict=True)])
    return GateTiles(np.stack(xs), np.stack(befores), mask, after[rows])


def _place(
    pack: Pack, channels: Sequence[str], steps: str, timesteps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each channel's acquisitions ``(N, T, C)`` and its first one after the event ``(N, C)``."""
    picked = select_steps(pack.times, steps, timesteps)  # (N, modalities, T)
    early = (np.take_along_axis(pack.times, picked, axis=2) <= EVENT).sum(axis=2)
    places = np.zeros((len(early), timesteps, len(channels)), dtype=np.int64)
    after = np.full((len(early), len(channels)), timesteps)
    for at, name in enumerate(channels):
        modality = name.split(":")[0]
        if modality in pack.modalities:  # the others are maps
            of = pack.modalities.index(modality)
            places[..., at], after[:, at] = picked[:, of], early[:, of]
    return places, after


def _find_window(mask: np.ndarray) -> tuple[slice, slice]:
    """Find the window with most landslide pixels, the first in reading order where several have."""
    starts = range(0, TILE_PX - WINDOW_PX + 1, STEP_PX)
    windows = [
        (slice(top, top + WINDOW_PX), slice(left, left + WINDOW_PX))
        for top in starts
        for left in starts
    ]
    return max(windows, key=lambda window: int(mask[window].sum()))


def write_gate_tiles(
    pack: Pack,
    val: Sequence[str],
    channels: Sequence[str],
    timesteps: int,
    steps: str,
    folder: Path,
) -> list[Path]:
    """Write ``gate.npz`` into a folder; return the file, or nothing where no val tile serves."""
    try:
        tiles = make_gate_tiles(pack, val, channels, timesteps, steps)
    except ValueError as error:
        logger.warning("No model of this campaign can be promoted. %s", error)
        return []
    halves = {name: getattr(tiles, name).astype(np.float16) for name in ("x", "before")}
    np.savez_compressed(folder / GATE_FILE, mask=tiles.mask, after=tiles.after, **halves)
    return [folder / GATE_FILE]


def read_gate_tiles(file: Path) -> GateTiles:
    """Read a ``gate.npz``; nothing but plain arrays is read, within the limits of :mod:`data.io.safe_arrays`.

    Raises:
        ValueError: If the file is not what :func:`write_gate_tiles` writes.
    """
    found = read_arrays(file, _ARRAYS)
    x = found["x"]
    tiles, steps, channels = x.shape[:3]
    shapes = {"before": (tiles, channels), "mask": (tiles,), "after": (tiles, channels)}
    wrong = [name for name, some in shapes.items() if found[name].shape[: len(some)] != some]
    if wrong or not x.size or tiles > MAX_TILES or steps > ACQUISITIONS:
        got = f"{x.shape} and {', '.join(wrong) or 'others'} of another size"
        raise refused_error(f"A gate has arrays of up to {MAX_TILES} tiles", got, file)
    halves = {name: found[name].astype(np.float32) for name in ("x", "before")}
    return GateTiles(mask=found["mask"], after=found["after"], **halves)
