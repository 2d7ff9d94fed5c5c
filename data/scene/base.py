"""A scene: a raster of Sentinel-1 series that is read window by window in the form that a network expects.

A scene is a mosaic of tiles (:mod:`data.scene.tile_mosaic`) or a datacube of any size (:mod:`data.scene.datacube`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch

from data.pack.channels import MAPS, list_modalities
from data.pack.placebo import Placebo
from data.scene.georeference import Grid
from data.scene.windows import Window
from data.tiles import ORBITS
from data.tiles.map_dates import LearntDates
from data.values.counts import NoDataCounts
from data.values.coverage import FilledDates
from data.values.event_days import average_days, count_days


@dataclass(frozen=True)
class InputSpec:
    """The input of a network.

    Attributes:
        channels: Such as ``s1asc:VV``, ``DEM`` or ``slope``, in the network's order.
        timesteps: Number of acquisitions.
        steps: How acquisitions are chosen, one of ``data.pack.channels.STEPS``.
        event: Time of the event in UTC that the user gives; None to take it from the scene.
        learnt_events: Regions and times of the events that the network learnt from.
        placebo: Whether to read images before the event only, and where to pretend one; None for a map.
        learnt: The acquisitions that the network learnt from, by modality; empty if they are not known.
    """

    channels: tuple[str, ...]
    timesteps: int
    steps: str
    event: np.datetime64 | None = None
    learnt_events: tuple[tuple[str, np.datetime64], ...] = ()
    placebo: Placebo | None = None
    learnt: tuple[tuple[str, LearntDates], ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities to read, in the order of ``data.tiles.MODALITIES``."""
        return list_modalities(self.channels)

    @property
    def orbits(self) -> tuple[str, ...]:
        """The orbits among them, one or more."""
        return tuple(name for name in self.modalities if name in ORBITS)

    def list_learnt(self, modality: str) -> LearntDates:
        """Return the acquisitions of a modality that the network learnt from."""
        return dict(self.learnt).get(modality, LearntDates())

    def list_usable(self, times: np.ndarray) -> np.ndarray:
        """Return the times to choose from: for a placebo, those before the real event."""
        return times if self.placebo is None else self.placebo.cut(times)

    def settle_event(
        self, event: np.datetime64, series: Sequence[np.ndarray], source: object
    ) -> tuple["InputSpec", np.datetime64]:
        """Return this input and the event; for a placebo, those of `Placebo.settle`."""
        if self.placebo is not None:
            placebo, event = self.placebo.settle(event, series, source)
            return replace(self, placebo=placebo), event
        return self, event


@dataclass(frozen=True)
class WindowData:
    """The content of one window of a scene.

    Attributes:
        x: The acquisitions that the network uses, shape ``(T, C, H, W)``, float32: dB, reflectance numbers, heights
            in m, slopes in degrees; all but heights rounded to half precision as in training; NaN = no data.
        relief: Height in m, or backscatter in dB if the scene has no heights, shape ``(H, W)``, float32;
            NaN = no data.
        valid: Pixels to map: with the acquisitions that the network needs, shape ``(H, W)``, bool.
        coverage: Acquisitions before and after the event, of `data.values.coverage`, shape ``(2, H, W)``, uint8.
        days: Days from the event to each acquisition of *x*, the mean over the orbits that have data in the window, shape
            ``(T,)``, float32; NaN where none has, or where it repeats the one before it.
        change: Change of backscatter after the event in dB by orbit of `InputSpec.orbits`, of `data.scene.change`, shape
            ``(orbits, H, W)``, float32; NaN = no data on one side of the event.
    """

    x: np.ndarray
    relief: np.ndarray
    valid: np.ndarray
    coverage: np.ndarray
    days: np.ndarray
    change: np.ndarray


class SeriesDates(NamedTuple):
    """Times of a series in UTC, ascending: all that are usable, and those that the network reads.

    Attributes:
        available: All usable times.
        chosen: Those that the network reads; some may be repeated.
        event: Time of the event, UTC.
    """

    available: np.ndarray
    chosen: np.ndarray
    event: np.datetime64

    @property
    def after(self) -> int:
        """Number of different acquisitions after the event that the network reads."""
        return len(np.unique(self.chosen[self.chosen > self.event]))


def find_shortage(spec: InputSpec, dates: Mapping[str, Sequence[SeriesDates]]) -> int | None:
    """Return the number of acquisitions after the event if it is less than the network learnt from, else None.

    It is the smallest number of an orbit; of several tiles that were read so far, the median counts. None for a placebo.
    """
    short = []
    for name, series in dates.items():
        learnt, after = spec.list_learnt(name).after, [one.after for one in series]
        if learnt is not None and (count := int(np.median(after))) < learnt:
            short.append(count)
    return min(short, default=None) if spec.placebo is None else None


@dataclass(kw_only=True)
class Scene:
    """A raster to map; base class of ``Mosaic`` and ``Cube``.

    Attributes:
        grid: Its pixel grid.
        spec: The network's input.
        has_heights: Whether the relief holds heights.
        synthetic: Whether the pixels are the synthetic twin's.
        events: Times of the events of the scene's parts, UTC, without duplicates.
        dates: Acquisitions by modality: of a datacube once, of tiles for each tile that was read.
        notes: Conversions and choices made on opening, one sentence each.
        excluded: Tiles that could not be read so far, with the reason.
        no_data: Pixels without data so far, of a datacube once it is read.
        pretended: Times of the pretended events of a placebo so far, without duplicates.
        filled: Pixels with data of each acquisition so far.
    """

    grid: Grid
    spec: InputSpec
    has_heights: bool = True
    synthetic: bool = False
    events: tuple[np.datetime64, ...] = ()
    dates: dict[str, list[SeriesDates]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)
    no_data: NoDataCounts = field(default_factory=NoDataCounts)
    pretended: set[np.datetime64] = field(default_factory=set)
    filled: FilledDates = field(default_factory=FilledDates)

    def find_shortage(self) -> int | None:
        """Return what :func:`find_shortage` finds for the dates so far."""
        return find_shortage(self.spec, self.dates)

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """List the windows to map, ordered by their first rows."""
        raise NotImplementedError

    def read(self, window: Window) -> WindowData | None:
        """Read a window; return None if there is nothing to map."""
        raise NotImplementedError

    def read_all(self, windows: Sequence[Window]) -> list[WindowData | None]:
        """Read windows of the same rows; subclasses override this if one read is faster."""
        return [self.read(window) for window in windows]


def measure_days(
    channels: Sequence[str], x: np.ndarray, dates: Mapping[str, SeriesDates]
) -> np.ndarray:
    """Return the days of `WindowData` for a window ``x (T, C, H, W)``, from the dates of each modality."""
    orbits = [name for name in list_modalities(channels) if name in ORBITS]
    days = np.stack([count_days(dates[name].chosen, dates[name].event) for name in orbits], axis=-1)
    present = np.stack([_find_images(channels, x, name) for name in orbits], axis=-1)
    return average_days(days, present)


def _find_images(channels: Sequence[str], x: np.ndarray, modality: str) -> np.ndarray:
    """Return which acquisitions of a modality have a pixel with data, shape ``(T,)``."""
    places = [place for place, name in enumerate(channels) if name.startswith(f"{modality}:")]
    found: np.ndarray = np.isfinite(x[:, places]).any(axis=(1, 2, 3))
    return found


def stack_channels(
    channels: Sequence[str], bands: Mapping[str, np.ndarray], maps: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Stack a window's channels in the network's order, bands rounded to half precision.

    Args:
        channels: Channel names.
        bands: The chosen acquisitions by channel, each of shape ``(T, H, W)``, float32 or float16.
        maps: ``DEM`` and ``slope``, shape ``(H, W)``, if the network reads them.

    Returns:
        Shape ``(T, C, H, W)``, float32.
    """
    shape = next(iter(bands.values())).shape
    # In memory the time axis is inside the channel axis, which is how the networks fold time into channels.
    out = torch.empty(len(channels), shape[0], *shape[1:]).transpose(0, 1)
    for index, name in enumerate(channels):
        values = torch.from_numpy(np.ascontiguousarray(maps[name] if name in MAPS else bands[name]))
        out[:, index] = values if name in MAPS else values.half()
    stacked: np.ndarray = out.numpy()
    return stacked
