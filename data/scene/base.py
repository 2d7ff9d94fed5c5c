"""A scene: a raster of Sentinel-1 series that is read window by window in the form that a network expects.

A scene is a mosaic of tiles (:mod:`data.scene.tile_mosaic`) or a datacube of any size (:mod:`data.scene.datacube`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch

from data.io.safe_json import refused_error, show_value
from data.pack.channels import AROUND_EVENT, MAPS, list_modalities
from data.pack.placebo import Placebo
from data.scene.georeference import Grid
from data.scene.windows import Window
from data.tiles import ORBITS
from data.tiles.common_dates import choose_learnt_steps
from data.tiles.events import read_event_date
from data.tiles.regions import parse_time
from data.values.counts import NoDataCounts
from data.values.coverage import FilledDates

MAX_DATES_SHOWN = 4


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
        offsets: Days from the event to each acquisition that the network learnt from, by modality; of ``common`` alone.
    """

    channels: tuple[str, ...]
    timesteps: int
    steps: str
    event: np.datetime64 | None = None
    learnt_events: tuple[tuple[str, np.datetime64], ...] = ()
    placebo: Placebo | None = None
    offsets: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities to read, in the order of ``data.tiles.MODALITIES``."""
        return list_modalities(self.channels)

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
    """

    x: np.ndarray
    relief: np.ndarray
    valid: np.ndarray
    coverage: np.ndarray


class SeriesDates(NamedTuple):
    """Times of a series in UTC, ascending: all that are usable, and those that the network reads."""

    available: np.ndarray
    chosen: np.ndarray


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

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """List the windows to map, ordered by their first rows."""
        raise NotImplementedError

    def read(self, window: Window) -> WindowData | None:
        """Read a window; return None if there is nothing to map."""
        raise NotImplementedError

    def read_all(self, windows: Sequence[Window]) -> list[WindowData | None]:
        """Read windows of the same rows; subclasses override this if one read is faster."""
        return [self.read(window) for window in windows]


def find_event(spec: InputSpec, text: str, source: object, notes: list[str]) -> np.datetime64:
    """Return the event of a scene: the user's, its own, or the one that the network learnt from, with a note.

    Args:
        spec: The network's input.
        text: The scene's attribute ``event_date``: a day, whose end counts, or a time, UTC; empty without one.
        source: File of the scene, for messages.
        notes: Receives the note.

    Raises:
        ValueError: If neither names an event, or the network learnt from several.
    """
    if spec.event is not None:
        return spec.event
    if text:
        # A day gets the catalogue's time of day if a region that the network learnt had its event then.
        days = (read_event_date(text, region) for region, _ in (*spec.learnt_events, ("", None)))
        known = [event for event in days if event is not None]
        if known and "T" not in text:
            return min(known)
        try:
            return parse_time(text)
        except ValueError as error:
            rule = "event_date must be a day or a time (UTC)"
            remedy = "Correct it, or give --event."
            raise refused_error(rule, show_value(text), str(source), remedy) from error
    events = dict(spec.learnt_events)
    if len(set(events.values())) != 1:
        got = f"a model that learnt from {', '.join(events) or 'an unknown region'}"
        raise ValueError(
            f"A map needs the time of the event, but got no event_date in {source}, and {got}. Give it with "
            "--event, such as --event 2018-09-05T18:08."
        )
    region, event = next(iter(events.items()))
    text = f"that of {region} is used ({event}), from which the model learnt."
    notes.append(f"The scene names no event; {text}")
    return event


def choose_steps(
    times: np.ndarray, spec: InputSpec, event: np.datetime64, modality: str, source: object
) -> list[int]:
    """Choose a series' acquisitions as in training: evenly over the series, or nearest to the event.

    A scene is one place, whose tiles need not share dates. For ``common`` it is read at the days from the event that the
    network learnt from if it has all of them, as in the region of training; otherwise as for ``event``.

    Args:
        times: Acquisition times, UTC, shape ``(T,)``, ascending.
        spec: The network's input.
        event: Time of the event, UTC.
        modality: Such as ``s1asc``.
        source: File or tile, for the error message.

    Returns:
        ``spec.timesteps`` ascending indices; for a placebo of few images, some repeated.

    Raises:
        ValueError: If there are too few dates, or none on one side of the event.
    """
    times = spec.list_usable(times)
    if len(times) < spec.timesteps and spec.placebo is None:
        raise ValueError(
            f"The model reads {spec.timesteps} acquisitions, but got {len(times)} ({format_dates(times)}) in "
            f"{source}. Add dates, or use a model that reads fewer."
        )
    if spec.steps in AROUND_EVENT and len(times) >= spec.timesteps:
        offsets = dict(spec.offsets).get(modality, ())
        indices = choose_learnt_steps(
            times, spec.timesteps, event, offsets, by_track=modality in ORBITS
        )
    else:
        indices = [int(step) for step in np.linspace(0, len(times) - 1, spec.timesteps).round()]
    chosen = times[indices]
    if not chosen[0] <= event < chosen[-1]:
        raise ValueError(
            f"A landslide map needs acquisitions before and after the event ({format_dates(event)}), "
            f"but got {format_dates(chosen)} in {source}. Add dates, or set another event with --event."
        )
    return indices


def format_dates(times: np.ndarray | np.datetime64) -> str:
    """List dates for a message: all, or the first three and the last."""
    days = [str(day) for day in np.atleast_1d(times).astype("datetime64[D]")]
    return ", ".join(
        days if len(days) <= MAX_DATES_SHOWN else [*days[: MAX_DATES_SHOWN - 1], "…", days[-1]]
    )


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
