"""Reads the selected channels and acquisitions of packed tiles as float32."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.pack.channels import MAPS, list_modalities
from data.pack.pack import Pack
from data.tiles import BANDS, NODATA, ORBITS, TILE_PX
from data.values.event_days import count_days

# Most acquisitions after the event: of every series, or by row of the pack and modality, shape (N, modalities); None for all.
After = int | np.ndarray | None


@dataclass(frozen=True)
class _ModalityReader:
    """Reads the channels of one modality.

    Attributes:
        values: Packed bands, shape ``(N, T, C, H, W)``, float16.
        steps: Acquisitions to read, shape ``(N, T')``; None for all.
        bands: Indices of the bands to read; None for all.
        channels: Their channels in the input.
    """

    values: Tensor
    steps: Tensor | None
    bands: Tensor | None
    channels: slice

    def read(self, row: int, out: Tensor) -> None:
        """Read one tile into its channels of ``out (T', C, H, W)``, float32."""
        tile = self.values[row]
        if self.steps is not None:
            tile = tile.index_select(0, self.steps[row])
        if self.bands is not None:
            tile = tile.index_select(1, self.bands)
        out[:, self.channels] = tile


class PackReader:
    """Reads tiles of a pack as float32.

    Attributes:
        shape: Shape of one tile, ``(T, C, H, W)``.
        has_gaps: Whether a row of the pack has pixels without data, shape ``(N,)``.
        first_after: Place of the first acquisition after the event, by row and channel, shape ``(N, C)``, int64; T where
            there is none, and for the channels that are the same for every acquisition.
        days: Days from the event to each acquisition, by row and channel, shape ``(N, T, C)``, float32; NaN where it repeats
            the one before it, and for all channels but Sentinel-1's.

    Args:
        pack: The packed tiles.
        channels: Channels to read.
        timesteps: Number of acquisitions, T.
        steps: How acquisitions are selected, one of ``data.pack.channels.STEPS``.
        after: Most acquisitions after the event; the last one that is kept takes the places of later ones.
    """

    def __init__(
        self,
        pack: Pack,
        channels: Sequence[str],
        timesteps: int,
        steps: str = "even",
        after: After = None,
    ) -> None:
        self.shape = (timesteps, len(channels), TILE_PX, TILE_PX)
        self._pack = pack
        selected = pack.select_steps(steps, timesteps)
        first = find_first_after(pack, selected)
        if after is not None:
            selected = keep_first_after(selected, first, after)
        place = {name: first[:, index] for index, name in enumerate(pack.modalities)}
        never = np.full(len(first), timesteps)
        self.first_after = np.stack(
            [place.get(name.split(":")[0], never) for name in channels], axis=1
        )
        self.days = _count_days(pack, channels, selected)
        self._modalities = [
            _make_reader(pack, channels, name, selected) for name in list_modalities(channels)
        ]
        self._maps = [(channels.index(name), name) for name in MAPS if name in channels]
        pixels = {
            name: TILE_PX**2 * (1 if name in MAPS else len(pack.times[0, 0])) for name in channels
        }
        valid = pack.moments[:, [pack.channels.index(name) for name in channels], 0]
        self.has_gaps = np.any(valid < np.array(list(pixels.values())), axis=1)

    def read(self, row: int, out: Tensor) -> None:
        """Read one tile.

        Args:
            row: Row of the pack.
            out: Receives the tile, shape ``(T, C, H, W)``, float32: backscatter in dB, reflectance numbers, heights
                in m, slopes in degrees; NaN = no data.
        """
        for modality in self._modalities:
            modality.read(row, out)
        for channel, name in self._maps:
            out[:, channel] = self._read_map(name, row)

    def _read_map(self, name: str, row: int) -> Tensor:
        if name == "slope":
            return torch.from_numpy(self._pack.slope[row]).float()
        heights = torch.from_numpy(self._pack.dem[row])
        return heights.float().masked_fill_(heights == NODATA, float("nan"))


def find_first_after(pack: Pack, selected: np.ndarray) -> np.ndarray:
    """Return the place of the first acquisition after the event among the selected ones.

    Args:
        pack: The packed tiles.
        selected: Result of :meth:`data.pack.pack.Pack.select_steps`, shape ``(N, modalities, T)``.

    Returns:
        Shape ``(N, modalities)``, int64; T where no acquisition is after the event.
    """
    times = np.take_along_axis(pack.times, selected, axis=2)
    return np.asarray((times <= pack.events[:, None, None]).sum(axis=2))


def _count_days(pack: Pack, channels: Sequence[str], selected: np.ndarray) -> np.ndarray:
    times = np.take_along_axis(pack.times, selected, axis=2)
    by_modality = count_days(times, pack.events[:, None, None])
    days = np.full((len(times), selected.shape[2], len(channels)), np.nan, np.float32)
    for place, name in enumerate(channels):
        modality = name.split(":")[0]
        if modality in ORBITS:
            days[:, :, place] = by_modality[:, pack.modalities.index(modality)]
    return days


def keep_first_after(
    selected: np.ndarray, first_after: np.ndarray, count: int | np.ndarray
) -> np.ndarray:
    """Replace all but the first *count* selected acquisitions after the event by the last that is kept.

    Args:
        selected: Shape ``(N, modalities, T)``.
        first_after: Result of :func:`find_first_after`.
        count: Number of acquisitions after the event, 0 or more, of every series or each, shape ``(N, modalities)``. With 0 the
            last image before the event is repeated, and the first image of a series that has none before it.
    """
    last = np.clip(first_after + count, 1, selected.shape[2]) - 1
    kept: np.ndarray = np.minimum(selected, np.take_along_axis(selected, last[..., None], axis=2))
    return kept


def _is_whole(steps: Tensor, acquisitions: int) -> bool:
    """Return whether all acquisitions of each tile are selected, none of them twice."""
    return steps.shape[1] == acquisitions and bool((steps == torch.arange(acquisitions)).all())


def _make_reader(
    pack: Pack, channels: Sequence[str], modality: str, selected: np.ndarray
) -> _ModalityReader:
    index = [i for i, name in enumerate(channels) if name.startswith(f"{modality}:")]
    bands = [BANDS[modality].index(channels[i].split(":")[1]) for i in index]
    values = torch.from_numpy(pack.bands[modality])
    steps = torch.from_numpy(np.array(selected[:, pack.modalities.index(modality)]))
    return _ModalityReader(
        values=values,
        steps=None if _is_whole(steps, values.shape[1]) else steps,
        bands=None if len(bands) == len(BANDS[modality]) else torch.tensor(bands),
        channels=slice(index[0], index[-1] + 1),
    )
