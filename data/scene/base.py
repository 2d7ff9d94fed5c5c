"""A scene: a raster of Sentinel-1 series that is read window by window in the form that a network expects.

A scene is a mosaic of tiles (:mod:`data.scene.tile_mosaic`) or a datacube of any size (:mod:`data.scene.datacube`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from data.pack.channels import MAPS, SAR_CHANNELS, list_modalities, select_event_steps
from data.scene.georeference import Grid
from data.scene.windows import Window
from data.tiles.regions import DEFAULT_REGION, read_regions

EVENT = read_regions()[DEFAULT_REGION].event or np.datetime64("NaT")
MAX_DATES_SHOWN = 4  # in a message


@dataclass(frozen=True)
class InputSpec:
    """The input of a network.

    Attributes:
        channels: Such as ``s1asc:VV``, ``DEM`` or ``slope``, in the network's order.
        timesteps: Number of acquisitions.
        steps: How acquisitions are chosen, one of ``data.pack.channels.STEPS``.
        event: Time of the earthquake, UTC.
    """

    channels: tuple[str, ...]
    timesteps: int
    steps: str
    event: np.datetime64 = EVENT

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities to read, in the order of ``data.tiles.MODALITIES``."""
        return list_modalities(self.channels)


@dataclass(frozen=True)
class WindowData:
    """The content of one window of a scene.

    Attributes:
        x: The acquisitions that the network uses, shape ``(T, C, H, W)``, float32: dB, reflectance numbers, heights
            in m, slopes in degrees; all but heights rounded to half precision as in training; NaN = no data.
        relief: Height in m, or backscatter in dB if the scene has no heights, shape ``(H, W)``, float32;
            NaN = no data.
        valid: Pixels with backscatter on any date, shape ``(H, W)``, bool.
    """

    x: np.ndarray
    relief: np.ndarray
    valid: np.ndarray


@dataclass(kw_only=True)
class Scene:
    """A raster to map; base class of ``Mosaic`` and ``Cube``.

    Attributes:
        grid: Its pixel grid.
        spec: The network's input.
        has_heights: Whether the relief holds heights.
        synthetic: Whether the pixels are the synthetic twin's.
        times: Times of the acquisitions that the network reads, by modality, each of shape ``(T,)``.
        notes: Conversions and choices made on opening, one sentence each.
        excluded: Tiles that could not be read so far, with the reason.
    """

    grid: Grid
    spec: InputSpec
    has_heights: bool = True
    synthetic: bool = False
    times: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """List the windows to map, ordered by their first rows."""
        raise NotImplementedError

    def read(self, window: Window) -> WindowData | None:
        """Read a window; return None if there is nothing to map."""
        raise NotImplementedError

    def read_all(self, windows: Sequence[Window]) -> list[WindowData | None]:
        """Read windows of the same rows; subclasses override this if one read is faster."""
        return [self.read(window) for window in windows]


def choose_steps(times: np.ndarray, spec: InputSpec, modality: str, source: object) -> list[int]:
    """Choose a series' acquisitions as in training: evenly over the series, or nearest to the event.

    Args:
        times: Acquisition times, UTC, shape ``(T,)``, ascending.
        spec: The network's input.
        modality: Such as ``s1asc``.
        source: File or tile of the series, for the error message.

    Returns:
        ``spec.timesteps`` ascending indices.

    Raises:
        ValueError: If there are too few dates, or none on one side of the event.
    """
    if len(times) < spec.timesteps:
        raise ValueError(
            f"The model reads {spec.timesteps} acquisitions, but got {len(times)} ({format_dates(times)}) in "
            f"{source}. Add dates, or use a model that reads fewer."
        )
    if spec.steps == "event":
        indices = select_event_steps(times, spec.timesteps, spec.event, modality)
    else:
        indices = [int(step) for step in np.linspace(0, len(times) - 1, spec.timesteps).round()]
    chosen = times[indices]
    if not chosen[0] <= spec.event < chosen[-1]:
        raise ValueError(
            f"A landslide map needs acquisitions before and after the event ({format_dates(spec.event)}), "
            f"but got {format_dates(chosen)} in {source}. Add dates, or set another event with --event."
        )
    return indices


def format_dates(times: np.ndarray | np.datetime64) -> str:
    """List dates for a message: all, or the first three and the last."""
    days = [str(day) for day in np.atleast_1d(times).astype("datetime64[D]")]
    return ", ".join(
        days if len(days) <= MAX_DATES_SHOWN else [*days[: MAX_DATES_SHOWN - 1], "…", days[-1]]
    )


def to_float16(values: np.ndarray) -> np.ndarray:
    """Convert float32 to float16, as a pack stores backscatter and slope."""
    # Torch rounds as NumPy does, five times as fast.
    half: np.ndarray = torch.from_numpy(np.ascontiguousarray(values)).half().numpy()
    return half


def round_to_float16(values: np.ndarray) -> np.ndarray:
    """Round float32 values to half precision; the result is float32."""
    rounded: np.ndarray = torch.from_numpy(to_float16(values)).float().numpy()
    return rounded


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


def find_backscatter(channels: Sequence[str], x: np.ndarray) -> np.ndarray:
    """Return which pixels of ``x (T, C, H, W)`` have backscatter on any date, shape ``(H, W)``, bool."""
    if not np.isnan(x.sum(dtype=np.float32)):  # the usual case, without gaps, takes one pass
        return np.ones(x.shape[2:], bool)
    radar = [name in SAR_CHANNELS for name in channels]
    return np.asarray(~np.isnan(x[:, radar]).all(axis=(0, 1)))
