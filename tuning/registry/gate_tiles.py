"""Windows of val tiles for the gate, cut from a pack: val, because test must not influence which model is promoted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from data.pack import Pack
from data.pack.placebo import find_placebo_tiles, make_placebo_pack
from data.pack.reader import PackReader
from data.tiles import ACQUISITIONS, TILE_PX
from data.values.event_days import average_days
from data.values.window import is_around_event

WINDOW_PX = 64  # edge of a window; networks need multiples of 16
STEP_PX = 16  # between candidate windows
MAX_TILES = 8
MAX_BYTES = 8_000_000  # of ``x``, ``before`` and ``placebo`` in float16
SQUARE_PX = (WINDOW_PX, WINDOW_PX)


@dataclass(frozen=True)
class GateTiles:
    """Windows of N val tiles as input of a program.

    Attributes:
        x: Shape ``(N, T, C, H, W)``, float32: dB, reflectance, m or degrees; NaN = no data.
        before: The last acquisition before the event, shape ``(N, C, H, W)``, float32.
        mask: 1 = landslide, shape ``(N, H, W)``, uint8.
        after: Index of the first acquisition after the event, shape ``(N, C)``, int64: each modality has its
            own dates. T if there is none, as for the DEM and its slope, which no check changes.
        placebo: Event-free series of those windows whose tiles have images enough before the event, shape
            ``(M, T, C, H, W)``, float32 (`data.pack.placebo`). M is 0 if no tile has, and in files of campaigns that
            did not write it.
        days: Days from the event to each acquisition, of `data.pack.dataset.Batch`, shape ``(N, T)``; all NaN in files of
            campaigns that did not write them.
        placebo_days: The same from the pretended events, shape ``(M, T)``.
    """

    x: np.ndarray
    before: np.ndarray
    mask: np.ndarray
    after: np.ndarray
    placebo: np.ndarray
    days: np.ndarray
    placebo_days: np.ndarray

    def reverse(self) -> np.ndarray:
        """Return *x* with the acquisitions in reversed order: what came after the event comes before it; the days stay."""
        return np.ascontiguousarray(self.x[:, ::-1])

    def scale_change(self, factor: float) -> np.ndarray:
        """Return *x* with the landslides' change scaled: 0 removes it, 1 keeps it, 2 doubles it.

        The change is the mean after minus the mean before the event over a tile's landslide pixels, by channel.
        A multiple of it is added to those pixels after the event, so their speckle does not change.
        """
        late = np.arange(self.x.shape[1])[:, None] >= self.after[:, None]  # (N, T, C)
        landslides = self.mask[:, None, None] > 0  # (N, 1, 1, H, W)
        # ``before`` is added because some series start after the event.
        known = np.concatenate([self.x, self.before[:, None]], axis=1)
        early = np.concatenate([~late, np.ones_like(late[:, :1])], axis=1)
        change = _average(self.x, late[..., None, None] & landslides)
        change = np.nan_to_num(change - _average(known, early[..., None, None] & landslides))
        added = ((factor - 1) * change)[:, None, :, None, None]
        x: np.ndarray = np.where(late[..., None, None] & landslides, self.x + added, self.x)
        return x.astype(np.float32)

    def freeze(self) -> np.ndarray:
        """Return a time series that repeats the last acquisition before the event, shape of *x*."""
        return np.broadcast_to(self.before[:, None], self.x.shape).astype(np.float32)


def _average(values: np.ndarray, selection: np.ndarray) -> np.ndarray:
    """Average the selected values with data: ``(N, T, C, H, W)`` to ``(N, C)``; NaN if there are none."""
    selection = selection & np.isfinite(values)
    count = selection.sum(axis=(1, 3, 4))
    total = np.where(selection, values, 0.0).sum(axis=(1, 3, 4))
    mean: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def make_gate_tiles(
    pack: Pack, val: Sequence[str], channels: Sequence[str], timesteps: int, steps: str
) -> GateTiles:
    """Cut windows from the val tiles with most landslide pixels: in each tile, the window with most of them.

    Args:
        pack: The packed tiles.
        val: Ids of the val tiles.
        channels: Channels of the input.
        timesteps: Number of acquisitions that the network reads.
        steps: How acquisitions are chosen. For ``event``, ``common`` and a window the cut-outs contain *timesteps* acquisitions, otherwise
            all 15, from which the program chooses.

    Raises:
        ValueError: If no val tile has a landslide and an acquisition before the event.
    """
    series = (steps, timesteps) if is_around_event(steps) else ("all", ACQUISITIONS)
    picked, after = _locate_acquisitions(pack, channels, *series)
    last = _locate_acquisitions(pack, channels, "all", ACQUISITIONS)[1] - 1  # before the event
    landslide_px = pack.mask.sum(axis=(1, 2), dtype=np.int64)
    usable = [row for row in pack.rows(val) if landslide_px[row] and last[row].min() >= 0]
    if not usable:
        raise ValueError(
            "A gate needs a val tile with a landslide and an acquisition before the event, but got "
            f"none among {len(val)} in {pack.path}. Choose another split or add tiles."
        )
    max_tiles = MAX_BYTES // (2 * len(channels) * WINDOW_PX**2 * (2 * picked.shape[1] + 1))
    ranked = sorted(usable, key=lambda row: (-landslide_px[row], pack.tile_ids[row]))
    rows = np.array(ranked[: max(1, min(MAX_TILES, max_tiles))])
    windows = {pack.tile_ids[row]: _find_window(pack.mask[row]) for row in rows}
    mask = [pack.mask[row][window] for row, window in zip(rows, windows.values(), strict=True)]
    return GateTiles(
        x=_cut(pack, windows, channels, picked[rows]),
        before=_cut(pack, windows, channels, last[rows][:, None])[:, 0],
        mask=np.stack(mask),
        after=after[rows],
        days=_measure_days(pack, list(windows), channels, series),
        **_cut_placebo(pack, windows, channels, series, (steps, timesteps)),
    )


def _cut(
    pack: Pack,
    windows: Mapping[str, tuple[slice, slice]],
    channels: Sequence[str],
    picked: np.ndarray,
) -> np.ndarray:
    """Cut a window from each tile, of each channel's acquisitions *picked* ``(N, T, C)``: ``(N, T, C, H, W)``."""
    reader = PackReader(pack, channels, ACQUISITIONS, "all")
    tile, cut = torch.empty(reader.shape), []
    rows = pack.rows(list(windows)).tolist()
    for row, window, chosen in zip(rows, windows.values(), picked, strict=True):
        reader.read(row, tile)
        whole = tile.numpy()[(..., *window)]  # (15, C, H, W)
        cut.append(np.take_along_axis(whole, chosen[:, :, None, None], axis=0))
    size = (0, picked.shape[1], len(channels), *SQUARE_PX)
    return np.stack(cut) if cut else np.zeros(size, np.float32)


def _cut_placebo(
    pack: Pack,
    windows: Mapping[str, tuple[slice, slice]],
    channels: Sequence[str],
    series: tuple[str, int],
    reads: tuple[str, int],
) -> dict[str, np.ndarray]:
    """Cut the windows of event-free series, of the tiles that have images enough."""
    used = find_placebo_tiles(pack, list(windows), *reads).used
    if not used:
        none = _cut(pack, {}, channels, np.zeros((0, series[1], len(channels)), np.int64))
        return {"placebo": none, "placebo_days": np.zeros((0, series[1]), np.float32)}
    placebo = make_placebo_pack(pack, used, *reads)
    picked, _ = _locate_acquisitions(placebo, channels, *series)
    cut = _cut(placebo, {tile: windows[tile] for tile in used}, channels, picked)
    return {"placebo": cut, "placebo_days": _measure_days(placebo, used, channels, series)}


def _measure_days(
    pack: Pack, tile_ids: Sequence[str], channels: Sequence[str], series: tuple[str, int]
) -> np.ndarray:
    """Return the days from the event to each acquisition, shape ``(N, T)``, float32."""
    steps, timesteps = series
    return average_days(PackReader(pack, channels, timesteps, steps).days[pack.rows(tile_ids)])


def _locate_acquisitions(
    pack: Pack, channels: Sequence[str], steps: str, timesteps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each channel's acquisitions ``(N, T, C)`` and the index of the first after the event ``(N, C)``."""
    steps_read = pack.select_steps(steps, timesteps)  # (N, modalities, T)
    events = pack.events[:, None, None]
    early = (np.take_along_axis(pack.times, steps_read, axis=2) <= events).sum(axis=2)
    positions = np.zeros((len(early), timesteps, len(channels)), dtype=np.int64)
    after = np.full((len(early), len(channels)), timesteps)
    for column, name in enumerate(channels):
        modality = name.split(":")[0]
        if modality in pack.modalities:  # DEM and slope have no dates
            source = pack.modalities.index(modality)
            positions[..., column], after[:, column] = steps_read[:, source], early[:, source]
    return positions, after


def _find_window(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the window with most landslide pixels; of equals, the first in reading order."""
    starts = range(0, TILE_PX - WINDOW_PX + 1, STEP_PX)
    windows = [
        (slice(top, top + WINDOW_PX), slice(left, left + WINDOW_PX))
        for top in starts
        for left in starts
    ]
    return max(windows, key=lambda window: int(mask[window].sum()))
