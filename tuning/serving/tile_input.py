"""Reads a NetCDF tile as a model's input, with the same values as in training and under the same rules.

A tile is one file for each modality, ``<root>/<modality>/<region>_<modality>_<number>.nc`` (Sen12Landslides, Höhn et al.
2025, doi 10.1038/s41597-025-06167-2). This module becomes part of every logged model, so it repeats a few definitions of
`data.pack.tile_row`; a test compares them. It needs only NumPy, and netCDF4 to read a tile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tuning.serving.tile_dates import AROUND_EVENT, choose_input_steps, find_event, read_times
from tuning.serving.tile_rules import (
    BANDS,
    DB_CEILING,
    NODATA,
    PIXEL_M,
    TILE_NAME,
    TileInputError,
    check_backscatter,
    check_maps,
    check_tile_crs,
    check_tile_grid,
    check_tile_layout,
    refuse,
)


@dataclass(frozen=True)
class ModelInput:
    """The input of a model.

    Attributes:
        channels: Such as ``s1asc:VV``, ``DEM`` or ``slope``, in the model's order.
        timesteps: Number of acquisitions that the network uses.
        steps: ``even``, ``all``, or ``event`` and ``common``, whose input is limited to the chosen acquisitions.
        events: Time of the event by region, UTC, such as ``2018-09-05T18:08:00``; for tiles without an own date.
        offsets: Days from the event to each acquisition learnt from, by modality; of ``common`` alone.
    """

    channels: tuple[str, ...]
    timesteps: int
    steps: str
    events: Mapping[str, str] = field(default_factory=dict)
    offsets: Mapping[str, Sequence[int]] = field(default_factory=dict)

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
        event: Time of the event, UTC, datetime64[s].
        synthetic: Whether the files are the synthetic twin's.
    """

    x: np.ndarray
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
    return TileInput(_stack(series, spec, time), time, bool(series[0].synthetic))


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
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            crs, event_date, synthetic = (
                str(getattr(file, name, "")).strip() for name in ("crs", "event_date", "synthetic")
            )
            check_tile_layout(file, modality, path)
            check_tile_crs(crs, path)
            times = read_times(file["time"], path)
            grid = np.asarray(file["x"][:]), np.asarray(file["y"][:])
            check_tile_grid(*grid, path)
            dem, mask = _read_variable(file["DEM"])[0], _read_variable(file["MASK"])
            check_maps(mask, dem, path)
            bands = {band: _read_band(file, band, modality, path) for band in BANDS[modality]}
    except TileInputError:
        raise
    except Exception as error:  # a damaged file raises almost any type
        raise refuse("unreadable", "A tile must be readable NetCDF", error, path) from error
    _check_repeats(bands, times, path)
    heights = np.where(dem == NODATA, np.float32(np.nan), dem.astype(np.float32))
    return _Series(path, modality, bands, heights, times, grid, crs, event_date, synthetic)


def _read_variable(variable: Any) -> np.ndarray:
    """Return a variable with its dims in the order time, y, x, whatever their order in the file."""
    order = [variable.dimensions.index(dim) for dim in ("time", "y", "x")]
    return np.asarray(variable[:]).transpose(order)


def _read_band(file: Any, band: str, modality: str, path: Path) -> np.ndarray:
    """Return a band, shape ``(T, H, W)``, float32; NaN = no data."""
    stored = _read_variable(file[band])
    gaps = stored == NODATA
    if modality == "s2":
        gaps |= _read_variable(file["SCL"]) == 0
        if gaps.all():
            raise refuse("no-data", f"{band} must have data", "no valid pixel", path)
    with np.errstate(over="ignore"):  # what overflows float32 is refused as infinite
        values = np.where(gaps, np.float32(np.nan), stored.astype(np.float32))
    if modality != "s2":
        check_backscatter(values, band, path)
        values = np.minimum(values, np.float32(DB_CEILING))
    return values


def _check_repeats(bands: Mapping[str, np.ndarray], times: np.ndarray, path: Path) -> None:
    """Refuse two images with one time, unless they are the same: the publisher repeats the last one to fill up."""
    for step in np.flatnonzero(np.diff(times) == np.timedelta64(0)):
        for values in bands.values():
            if not np.array_equal(values[step], values[step + 1], equal_nan=True):
                rule = "Two acquisitions with the same time must be the same image"
                raise refuse("time-duplicate", rule, f"two images of {times[step]}", path)


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


def _stack(series: list[_Series], spec: ModelInput, event: np.datetime64) -> np.ndarray:
    """Return the channels that the model reads, shape ``(1, T, C, H, W)``, float32."""
    layers: dict[str, np.ndarray] = {}
    for one in series:
        steps = choose_input_steps(
            *(one.times, spec.steps, spec.timesteps, event, one.path),
            by_track=one.modality != "s2",
            offsets=spec.offsets.get(one.modality, ()),
        )
        read = steps if spec.steps in AROUND_EVENT else slice(None)
        for band, values in one.bands.items():
            layers[f"{one.modality}:{band}"] = values[read].astype(np.float16)
    length, dem = len(next(iter(layers.values()))), series[0].dem
    maps = {"DEM": dem, "slope": _measure_slope(dem).astype(np.float16)}
    layers |= {
        name: np.broadcast_to(values, (length, *values.shape)) for name, values in maps.items()
    }
    chosen = [layers[channel].astype(np.float32) for channel in spec.channels]
    return np.stack(chosen, axis=1)[None]


def _measure_slope(height_m: np.ndarray) -> np.ndarray:
    """Return the slope in degrees of heights smoothed to 30 m; NaN next to a height without data."""
    padded = np.pad(height_m, 2, mode="reflect", reflect_type="odd")
    known = np.isfinite(padded)
    total = _smooth(np.where(known, padded, np.float32(0)))
    with np.errstate(invalid="ignore"):  # 0 / 0 far from any height
        smooth = total / _smooth(known.astype(np.float32))
    south, east = np.gradient(smooth, PIXEL_M)
    slope: np.ndarray = np.degrees(np.arctan(np.hypot(south, east)))
    slope[np.isnan(height_m) | np.isnan(sum(np.gradient(height_m)))] = np.nan
    return slope


def _smooth(values: np.ndarray) -> np.ndarray:
    """Average twice over 3 x 3 px; the result is smaller by 2 px on each side."""
    weights = np.array([1, 2, 3, 2, 1], np.float32) / 9
    rows = sum(w * values[at : at + values.shape[0] - 4] for at, w in enumerate(weights))
    smooth: np.ndarray = sum(
        w * rows[:, at : at + rows.shape[1] - 4] for at, w in enumerate(weights)
    )
    return smooth
