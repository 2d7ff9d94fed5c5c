"""What a baseline reads of a pack: the campaign's channels and acquisitions, selected as for the networks."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from data.pack import Pack
from data.pack.channels import MAPS, SAR_CHANNELS
from data.pack.log_ratio import Series, read_series
from data.pack.reader import After, find_first_after, keep_first_after
from data.tiles import BANDS, NODATA, ORBITS

T = TypeVar("T")


class Inputs:
    """Reads the chosen channels and acquisitions of tiles, and nothing else.

    Attributes:
        pack: The packed tiles.
        labels: Labels of all tiles, of which baselines use those of train tiles alone, shape ``(N, H, W)``.
        channels: The chosen channels of Sentinel-1 that are packed, in the order of ``SAR_CHANNELS``.
        maps: The chosen terrain channels: ``DEM``, ``slope``.
        seeds: Seeds for which train pixels are drawn, so that one pass over the tiles serves all of them.
    """

    def __init__(
        self,
        pack: Pack,
        channels: Iterable[str],
        steps: str,
        timesteps: int,
        *,
        keep: Iterable[str] = (),
        seeds: Sequence[int] = (),
        labels: np.ndarray | None = None,
        after: After = None,
    ) -> None:
        """Select the acquisitions.

        Args:
            pack: The packed tiles.
            channels: The chosen channels; others than Sentinel-1's and terrain are ignored.
            steps: Choice of the acquisitions, one of ``data.pack.channels.STEPS``.
            timesteps: Number of acquisitions.
            keep: Tiles that are read repeatedly, whose derived maps stay in memory: those of val during a search.
            seeds: As in the attribute.
            labels: As in the attribute; the pack's if None.
            after: Most acquisitions after the event; later ones are not read.

        Raises:
            ValueError: As :func:`data.pack.channels.check_steps`.
        """
        names = set(channels)
        self._reads = (tuple(names), steps, timesteps)
        self.pack, self.channels = pack, pick_channels(pack, names)
        self.maps = tuple(name for name in MAPS if name in names)
        self.seeds = tuple(seeds)
        self.labels = pack.mask if labels is None else labels
        self._selected = pack.select_steps(steps, timesteps)
        if after is not None:
            first = find_first_after(pack, self._selected)
            self._selected = keep_first_after(self._selected, first, after)
        self._rows = {tile: row for row, tile in enumerate(pack.tile_ids)}
        self._keep, self._memory = frozenset(keep), dict[Hashable, object]()

    def of(self, pack: Pack, after: After = None) -> "Inputs":
        """Return the same channels and acquisitions of another pack, or the first ones after the event; itself for its own."""
        same = pack is self.pack and after is None
        return self if same else Inputs(pack, *self._reads, after=after)

    def series(self, tile_id: str, channel: str) -> Series:
        """Read one channel of one tile, split at the tile's event; *channel* must be among *channels*."""
        row, channel = self._rows[tile_id], self.channels[self.channels.index(channel)]
        return read_series(self.pack, row, channel, self._steps(row, channel))

    def layers(self, tile_id: str, channel: str) -> np.ndarray:
        """Read one channel at every selected acquisition, repeats included, shape ``(T, H, W)``, float32, in dB."""
        row, (orbit, band) = self._rows[tile_id], channel.split(":")
        steps = self._steps(row, self.channels[self.channels.index(channel)])
        values = self.pack.bands[orbit][row, steps, BANDS[orbit].index(band)]
        layers: np.ndarray = values.astype(np.float32)
        return layers

    def terrain(self, tile_id: str, name: str) -> np.ndarray:
        """Read a terrain channel, shape ``(H, W)``, float32: m or degrees; NaN = no data."""
        row, name = self._rows[tile_id], self.maps[self.maps.index(name)]
        if name == "slope":
            slope: np.ndarray = self.pack.slope[row].astype(np.float32)
            return slope
        heights = self.pack.dem[row]
        return np.where(heights == NODATA, np.nan, heights).astype(np.float32)

    def times(self, tile_id: str, channel: str) -> tuple[np.ndarray, np.datetime64]:
        """Return the times of the selected acquisitions, repeats included, shape ``(T,)``, and of the tile's event."""
        row = self._rows[tile_id]
        orbit = self.pack.modalities.index(channel.split(":")[0])
        return self.pack.times[row, orbit, self._steps(row, channel)], self.pack.events[row]

    def _steps(self, row: int, channel: str) -> np.ndarray:
        steps: np.ndarray = self._selected[row, self.pack.modalities.index(channel.split(":")[0])]
        return steps

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what *make* returned for this key at first."""
        if key not in self._memory:
            self._memory[key] = make()
        return self._memory[key]  # type: ignore[return-value]

    def remember_tile(self, key: Hashable, tile_id: str, make: Callable[[], T]) -> T:
        """Return ``make()``; for the tiles to keep, what it returned at first."""
        return self.remember((key, tile_id), make) if tile_id in self._keep else make()


def pick_channels(pack: Pack, channels: Iterable[str] = SAR_CHANNELS) -> tuple[str, ...]:
    """Return the Sentinel-1 channels among *channels* that are packed, in the order of ``SAR_CHANNELS``."""
    names = set(channels)
    return tuple(
        name for name in SAR_CHANNELS if name in names and name.split(":")[0] in pack.modalities
    )


def group_orbits(channels: Iterable[str], polarisation: str) -> tuple[str, ...]:
    """Return the channels of one polarisation."""
    return tuple(name for name in channels if name.endswith(f":{polarisation}"))


def list_dual_orbits(channels: Iterable[str]) -> tuple[str, ...]:
    """Return the orbits of which both polarisations are among some channels."""
    names = set(channels)
    return tuple(
        orbit for orbit in ORBITS if names.issuperset(f"{orbit}:{band}" for band in ("VV", "VH"))
    )
