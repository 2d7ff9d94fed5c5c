"""What a map is made from: a raster of Sentinel-1 series, read window by window in the form that a network wants.

A scene is a folder of tiles or one of them (:mod:`data.scene.tile_mosaic`), or a datacube of any size (:mod:`data.scene.datacube`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from data.pack.channels import MAPS, SAR_CHANNELS, list_modalities, select_event_steps
from data.scene.georeference import Grid
from data.scene.windows import Window
from data.tiles import EVENT

_SHOWN = 4  # dates in a message


@dataclass(frozen=True)
class InputSpec:
    """What a network reads.

    Attributes:
        channels: Such as ``s1asc:VV``, ``DEM`` or ``slope``, in the network's order.
        timesteps: Acquisitions.
        steps: How they are chosen, one of ``data.pack.channels.STEPS``.
        event: When the earthquake was, UTC.
    """

    channels: tuple[str, ...]
    timesteps: int
    steps: str
    event: np.datetime64 = EVENT

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that are read, in the order of ``data.tiles.MODALITIES``."""
        return list_modalities(self.channels)


@dataclass(frozen=True)
class WindowData:
    """A window of a scene.

    Attributes:
        x: The acquisitions that the network uses, shape ``(T, C, H, W)``, float32: dB, reflectance numbers, heights
            in m, slopes in degrees; all but heights rounded to half precision as in training; NaN = no data.
        relief: Height in m, or backscatter in dB where the scene has no heights, shape ``(H, W)``, float32;
            NaN = no data.
        seen: Which pixels have any backscatter, shape ``(H, W)``, bool.
    """

    x: np.ndarray
    relief: np.ndarray
    seen: np.ndarray


@dataclass(kw_only=True)
class Scene:
    """A raster that can be mapped; `data.scene.tile_mosaic` and `data.scene.datacube` make them.

    Attributes:
        grid: Where it lies.
        spec: What is read.
        has_heights: Whether the relief is heights.
        synthetic: Whether the pixels are the twin's.
        notes: What was converted or chosen, a sentence each.
        excluded: What could not be read so far, with reasons, by tile.
    """

    grid: Grid
    spec: InputSpec
    has_heights: bool = True
    synthetic: bool = False
    notes: list[str] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """Lay the windows that are to be mapped, by their first rows."""
        raise NotImplementedError

    def read(self, window: Window) -> WindowData | None:
        """Read a window; None where there is nothing to map."""
        raise NotImplementedError

    def read_all(self, windows: Sequence[Window]) -> list[WindowData | None]:
        """Read windows that lie side by side, in one go where that is faster."""
        return [self.read(window) for window in windows]


def choose_steps(times: np.ndarray, spec: InputSpec, place: object) -> list[int]:
    """Choose a series' acquisitions as in training: evenly over the series, or nearest to the event.

    Args:
        times: Acquisition times, UTC, shape ``(T,)``, ascending.
        spec: What the network reads.
        place: Where they stand, for the message.

    Returns:
        ``spec.timesteps`` ascending indices.

    Raises:
        ValueError: If there are too few, or not both before and after the event.
    """
    if len(times) < spec.timesteps:
        raise ValueError(
            f"The model reads {spec.timesteps} acquisitions, but got {len(times)} ({format_dates(times)}) in "
            f"{place}. Add dates, or use a model that reads fewer."
        )
    if spec.steps == "event":
        picked = select_event_steps(times, spec.timesteps, spec.event)
    else:
        picked = [int(step) for step in np.linspace(0, len(times) - 1, spec.timesteps).round()]
    chosen = times[picked]
    if not chosen[0] <= spec.event < chosen[-1]:
        raise ValueError(
            f"A map of landslides needs acquisitions before and after the event ({format_dates(spec.event)}), "
            f"but got {format_dates(chosen)} in {place}. Add dates, or name another event with --event."
        )
    return picked


def format_dates(times: np.ndarray | np.datetime64) -> str:
    """List dates for a message, the last and a few others."""
    days = [str(one) for one in np.atleast_1d(times).astype("datetime64[D]")]
    return ", ".join(days if len(days) <= _SHOWN else [*days[: _SHOWN - 1], "…", days[-1]])


def to_float16(values: np.ndarray) -> np.ndarray:
    """Turn float32 into float16, as a pack stores backscatter and slope."""
    # Five times as fast as numpy, with the same rounding.
    half: np.ndarray = torch.from_numpy(np.ascontiguousarray(values)).half().numpy()
    return half


def round_to_float16(values: np.ndarray) -> np.ndarray:
    """Round float32 to half precision, and leave it float32."""
    rounded: np.ndarray = torch.from_numpy(to_float16(values)).float().numpy()
    return rounded


def stack_channels(
    channels: Sequence[str], bands: Mapping[str, np.ndarray], maps: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Stack a window's channels in the network's order, bands rounded to half precision.

    Args:
        channels: Names.
        bands: The chosen acquisitions of each band by channel, shape ``(T, H, W)``, float32 or float16.
        maps: ``DEM`` and ``slope``, shape ``(H, W)``, where they are read.

    Returns:
        Shape ``(T, C, H, W)``, float32.
    """
    shape = next(iter(bands.values())).shape
    # A band's acquisitions lie together, in the order in which the networks fold time into channels.
    out = torch.empty(len(channels), shape[0], *shape[1:]).transpose(0, 1)
    for place, name in enumerate(channels):
        values = torch.from_numpy(np.ascontiguousarray(maps[name] if name in MAPS else bands[name]))
        out[:, place] = values if name in MAPS else values.half()
    stacked: np.ndarray = out.numpy()
    return stacked


def find_backscatter(channels: Sequence[str], x: np.ndarray) -> np.ndarray:
    """Tell which pixels of ``x (T, C, H, W)`` have any backscatter, shape ``(H, W)``, bool."""
    if not np.isnan(x.sum(dtype=np.float32)):  # one pass over what has no gaps, as is usual
        return np.ones(x.shape[2:], bool)
    radar = [name in SAR_CHANNELS for name in channels]
    return np.asarray(~np.isnan(x[:, radar]).all(axis=(0, 1)))
