"""Reads a NetCDF tile as a model's input, with the same values as in training and under the same rules.

A tile is one file for each modality, ``<root>/<modality>/<region>_<modality>_<number>.nc`` (Sen12Landslides, Höhn et al.
2025, doi 10.1038/s41597-025-06167-2). This module becomes part of every logged model, so it repeats a few definitions of
`data.pack.tile_row`; a test compares them. It needs only NumPy, and netCDF4 to read a tile (xarray too if it is packed).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data.io.memory import limited_memory
from data.tiles.map_dates import LearntDates
from data.values.backscatter import clean_heights
from data.values.event_days import average_days, count_days
from data.values.window import is_around_event
from tuning.serving.tile_dates import (
    check_repeats,
    choose_input_steps,
    find_event,
    find_places,
    place_steps,
    read_times,
)
from tuning.serving.tile_rules import (
    BANDS,
    TILE_NAME,
    TileInputError,
    check_maps,
    check_tile_crs,
    check_tile_layout,
    refuse,
)
from tuning.serving.tile_values import convert_bands, measure_slope, read_grid, read_variable


@dataclass(frozen=True)
class ModelInput:
    """The input of a model.

    Attributes:
        channels: Such as ``s1asc:VV``, ``DEM`` or ``slope``, in the model's order.
        timesteps: Number of acquisitions that the network uses.
        steps: ``even``, ``all``, or ``event``, ``common`` and windows such as ``pre:4/post:2``, whose input is limited to the chosen acquisitions.
        events: Time of the event by region, UTC, such as ``2018-09-05T18:08:00``; for tiles without an own date.
        learnt: The acquisitions that the network learnt from, by modality; empty if they are not known.
    """

    channels: tuple[str, ...]
    timesteps: int
    steps: str
    events: Mapping[str, str] = field(default_factory=dict)
    learnt: Mapping[str, LearntDates] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities to read, in the order of ``BANDS``."""
        prefixes = {channel.split(":")[0] for channel in self.channels}
        return tuple(modality for modality in BANDS if modality in prefixes)


@dataclass(frozen=True)
class TileInput:
    """A tile as a model's input.

    Attributes:
        x: Shape ``(1, T, C, H, W)``, float32, rounded to half precision as in training; rows run south, columns
            east; NaN = no data.
        days: Days from the event to each acquisition, the mean over the orbits that have data, shape ``(1, T)``, float32; NaN
            where none has, or where it repeats the one before it.
        event: Time of the event, UTC, datetime64[s].
        synthetic: Whether the files are the synthetic twin's.
    """

    x: np.ndarray
    days: np.ndarray
    event: np.datetime64
    synthetic: bool


def read_tile(path: Path, spec: ModelInput, event: np.datetime64 | None = None) -> TileInput:
    """Read a tile and, from the folders beside it, the files of other modalities that the model reads.

    Args:
        path: Any file of the tile.
        spec: The model's input.
        event: Time of the event, UTC; by default that of the files, else that of *spec*.

    Raises:
        TileInputError: If a file breaks a rule; its ``verdict`` names the rule.
    """
    match = TILE_NAME.fullmatch(path.name)
    if match is None:
        raise TileInputError(
            f"A tile's file must be named <region>_<modality>_<number>.nc, but got {path}. Restore its "
            "published name.",
            "misnamed",
        )
    series = []
    for modality in spec.modalities:
        file = path.parent.parent / modality / f"{match[1]}_{modality}_{match[3]}.nc"
        if not file.is_file():
            raise TileInputError(
                f"The model reads {', '.join(spec.channels)}, but {file} does not exist. Put the "
                "tile's files into folders named by modality, as published.",
                "missing-file",
            )
        series.append(_read_series(file, modality))
    _check_alike(series)
    dated = next((one.event_date for one in series if one.event_date), "")
    time = find_event(dated, match[1], spec.events, event, path)
    return TileInput(*_stack(series, spec, time), time, bool(series[0].synthetic))


@dataclass(frozen=True)
class _Series:
    """One modality of a tile.

    Attributes:
        path: The file.
        modality: Such as ``s1asc``.
        bands: Values by band, shape ``(T, H, W)``, float32; NaN = no data.
        dem: Height in m, shape ``(H, W)``, float32; NaN = no data.
        times: Shape ``(T,)``, datetime64[s], ascending; equal times have equal values.
        grid: x and y in m.
        crs: Such as ``EPSG:32654``.
        event_date: The file's attribute; empty without landslides.
        synthetic: The mark of a synthetic file; empty in a real one.
    """

    path: Path
    modality: str
    bands: dict[str, np.ndarray]
    dem: np.ndarray
    times: np.ndarray
    grid: tuple[np.ndarray, np.ndarray]
    crs: str
    event_date: str
    synthetic: str


def _read_series(path: Path, modality: str) -> _Series:
    import netCDF4

    try:
        with limited_memory(), netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            crs, event_date, synthetic = (
                str(getattr(file, name, "")).strip() for name in ("crs", "event_date", "synthetic")
            )
            check_tile_layout(file, modality, path)
            check_tile_crs(crs, path)
            times = read_times(file["time"], path)
            grid = read_grid(file, path)
            mask, heights = read_variable(file["MASK"]), read_variable(file["DEM"])[0]
            dem = clean_heights(heights.astype(np.float32))
            check_maps(mask, dem, path)
            stored = {band: read_variable(file[band]) for band in BANDS[modality]}
            scene_class = read_variable(file["SCL"]) if modality == "s2" else None
    except TileInputError:
        raise
    except Exception as error:  # a damaged file raises almost any type
        raise refuse("unreadable", "A tile must be readable NetCDF", error, path) from error
    check_repeats(stored, times, path)
    bands = convert_bands(stored, scene_class, path)
    return _Series(path, modality, bands, dem, times, grid, crs, event_date, synthetic)


def _check_alike(series: list[_Series]) -> None:
    """Check that a tile's files are on one grid, and all real or all synthetic."""
    first, *others = series
    for other in others:
        if bool(first.synthetic) != bool(other.synthetic):
            raise TileInputError(
                f"All files of a tile must be real or all synthetic, but {first.path} and {other.path} are one of "
                "each. Keep the synthetic twin in a folder of its own.",
                "mixed-origin",
            )
        if first.crs != other.crs or not all(map(np.array_equal, first.grid, other.grid)):
            raise TileInputError(
                f"A tile's files must be on one grid, but {first.path} ({first.crs}) and {other.path} ({other.crs}) "
                "are not. Get the files again.",
                "grids-differ",
            )


def _stack(
    series: list[_Series], spec: ModelInput, event: np.datetime64
) -> tuple[np.ndarray, np.ndarray]:
    """Return the channels that the model reads, shape ``(1, T, C, H, W)``, and their days ``(1, T)``, float32."""
    layers: dict[str, np.ndarray] = {}
    days: list[np.ndarray] = []
    for one in series:
        steps = choose_input_steps(
            *(one.times, spec.steps, spec.timesteps, event, one.path),
            spec.learnt.get(one.modality, LearntDates()),
            by_track=one.modality != "s2",
        )
        read = steps if is_around_event(spec.steps) else place_steps(steps, len(one.times))
        if one.modality != "s2":
            own = _measure_days(one, spec.channels, read, event)
            if len(read) > len(steps):  # of repeats, those that the network reads tell
                own[find_places(len(steps), len(read))] = _measure_days(
                    one, spec.channels, steps, event
                )
            days.append(own)
        for band, values in one.bands.items():
            layers[f"{one.modality}:{band}"] = values[read].astype(np.float16)
    length, dem = len(next(iter(layers.values()))), series[0].dem
    maps = {"DEM": dem, "slope": measure_slope(dem).astype(np.float16)}
    layers |= {
        name: np.broadcast_to(values, (length, *values.shape)) for name, values in maps.items()
    }
    chosen = [layers[channel].astype(np.float32) for channel in spec.channels]
    return np.stack(chosen, axis=1)[None], average_days(np.stack(days, axis=-1))[None]


def _measure_days(
    series: _Series, channels: tuple[str, ...], read: list[int], event: np.datetime64
) -> np.ndarray:
    """Return the days of the acquisitions *read*, NaN for those without a pixel of a channel."""
    used = [band for band in series.bands if f"{series.modality}:{band}" in channels]
    empty = np.all([np.isnan(series.bands[band][read]).all(axis=(1, 2)) for band in used], axis=0)
    return np.where(empty, np.float32(np.nan), count_days(series.times[read], event))
