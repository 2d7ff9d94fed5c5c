"""Reads a NetCDF tile as a model's input, with the same values as in training.

A tile is one file for each modality, ``<root>/<modality>/hokkaido_<modality>_<number>.nc`` (Sen12Landslides, Höhn et al. 2025,
doi 10.1038/s41597-025-06167-2). This module becomes part of every logged model, so it repeats a few definitions of
`data.tiles.rules`, `data.pack.tile_row` and `data.pack.channels`; a test compares them. It needs only NumPy, and netCDF4 to read a tile.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BANDS = {
    "s1asc": ("VV", "VH"),
    "s1dsc": ("VV", "VH"),
    "s2": ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"),
}
TILE_DIMS = ("time", "x", "y")  # the files' order
MAX_VALUES = 2**26  # of a variable, 256 MB as float32; a published tile has 245,760
NODATA = -9999
DB_RANGE = (-50.0, 10.0)
PIXEL_M = 10.0
EVENT = np.datetime64("2018-09-05T18:08")  # Eastern Iburi earthquake, UTC
TILE_NAME = re.compile(rf"hokkaido_({'|'.join(BANDS)})_([0-9]+)\.nc")


@dataclass(frozen=True)
class ModelInput:
    """The input of a model.

    Attributes:
        channels: Such as ``s1asc:VV``, ``DEM`` or ``slope``, in the model's order.
        timesteps: Number of acquisitions that the network uses.
        steps: ``even``, ``event`` or ``all``; only for ``event`` the input is limited to those acquisitions.
    """

    channels: tuple[str, ...]
    timesteps: int
    steps: str

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities to read, in the order of ``BANDS``."""
        prefixes = {channel.split(":")[0] for channel in self.channels}
        return tuple(modality for modality in BANDS if modality in prefixes)


def read_tile(path: Path, spec: ModelInput) -> np.ndarray:
    """Read a tile and, from the folders beside it, the files of other modalities that the model reads.

    Args:
        path: Any file of the tile.
        spec: The model's input.

    Returns:
        Shape ``(1, T, C, H, W)``, float32, rounded to half precision as in training; rows run south, columns east;
        NaN = no data.

    Raises:
        ValueError: If the file's name, folder or layout is not as published, or it is not in dB.
    """
    match = TILE_NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(
            f"A tile's file must be named hokkaido_<modality>_<number>.nc, but got {path}. Restore its "
            "published name."
        )
    files = {}
    for modality in spec.modalities:
        file = path.parent.parent / modality / f"hokkaido_{modality}_{match[2]}.nc"
        if not file.is_file():
            raise ValueError(
                f"The model reads {', '.join(spec.channels)}, but {file} does not exist. Put the "
                "tile's files into folders named by modality, as published."
            )
        files[modality] = file
    series = {modality: _read_series(file, spec) for modality, file in files.items()}
    _check_grids({files[modality]: one.grid for modality, one in series.items()})
    dem = next(iter(series.values())).dem
    layers = {
        f"{modality}:{band}": values
        for modality, one in series.items()
        for band, values in one.bands.items()
    }
    length = len(next(iter(layers.values())))
    maps = {"DEM": dem, "slope": _measure_slope(dem).astype(np.float16)}
    layers |= {
        name: np.broadcast_to(values, (length, *values.shape)) for name, values in maps.items()
    }
    stack = np.stack([layers[channel].astype(np.float32) for channel in spec.channels], axis=1)
    return stack[None]


@dataclass(frozen=True)
class _Series:
    """One modality of a tile.

    Attributes:
        bands: Values by band, shape ``(T, H, W)``, float16.
        dem: Height in m, shape ``(H, W)``, float32; NaN = no data.
        grid: x and y in m.
    """

    bands: dict[str, np.ndarray]
    dem: np.ndarray
    grid: tuple[np.ndarray, np.ndarray]


def _read_series(path: Path, spec: ModelInput) -> _Series:
    import netCDF4

    modality = path.parent.name
    try:
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            _check_layout(file, modality, path)
            steps = _choose_steps(file, spec, path)
            bands = dict(_read_bands(file, modality, path))
            dem = file["DEM"][0].T.astype(np.float32)
            grid = np.asarray(file["x"][:]), np.asarray(file["y"][:])
    except (OSError, RuntimeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"A tile must be readable NetCDF, but got {error} in {path}.") from error
    chosen = {band: values[steps].astype(np.float16) for band, values in bands.items()}
    return _Series(chosen, np.where(dem == NODATA, np.float32(np.nan), dem), grid)


def _check_layout(file: Any, modality: str, path: Path) -> None:
    variables = [*BANDS[modality], *(["SCL"] if modality == "s2" else []), "DEM"]
    for name in (*variables, *TILE_DIMS):  # before reading any of them
        if name in file.variables and file[name].size > MAX_VALUES:
            got = f"{file[name].size:,}"
            raise ValueError(
                f"{name} must have at most {MAX_VALUES:,} values, but got {got} in {path}."
            )
    for name in variables:
        if name not in file.variables or file[name].dimensions != TILE_DIMS:
            got = file[name].dimensions if name in file.variables else "none"
            raise ValueError(f"A tile must have {name} over {TILE_DIMS}, but got {got} in {path}.")
    for name, step in (("x", PIXEL_M), ("y", -PIXEL_M)):
        if not np.allclose(np.diff(file[name][:]), step):
            raise ValueError(f"{name} must have a spacing of {step:+g} m, but does not in {path}.")


def _choose_steps(file: Any, spec: ModelInput, path: Path) -> list[int]:
    """Return the acquisitions to read: all, or those nearest to the event, most of them after it."""
    import netCDF4

    time, count = file["time"], spec.timesteps
    if spec.steps != "event":
        return list(range(len(time)))
    calendar = getattr(time, "calendar", "standard")
    dates: Any = netCDF4.num2date(time[:], time.units, calendar, only_use_cftime_datetimes=False)
    times = np.array([date.isoformat() for date in dates], "datetime64[s]")
    if len(times) < count or (np.diff(times) <= np.timedelta64(0)).any():
        raise ValueError(
            f"A tile must have at least {count} ascending dates, but got {times} in {path}."
        )
    first = int(np.searchsorted(times, EVENT, side="right"))  # first acquisition after the event
    after = min(len(times) - first, max((count + 1) // 2, count - first))
    return list(range(first + after - count, first + after))


def _read_bands(file: Any, modality: str, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each band, shape ``(T, H, W)``, float32; NaN = no data."""
    for band in BANDS[modality]:
        stored = file[band][:].swapaxes(-1, -2)
        gaps = stored == NODATA
        if modality == "s2":
            gaps |= file["SCL"][:].swapaxes(-1, -2) == 0
        values = np.where(gaps, np.float32(np.nan), stored.astype(np.float32))
        if modality != "s2":
            _check_db(values, band, path)
        yield band, values


def _check_db(values: np.ndarray, band: str, path: Path) -> None:
    """Raise if backscatter is not in dB."""
    valid = values[~np.isnan(values)]
    if not valid.size:
        raise ValueError(f"{band} must have data, but has no valid pixel in {path}.")
    low, high = float(valid.min()), float(valid.max())
    if low >= 0 and (median := float(np.median(valid))) < 1:
        raise ValueError(
            f"{band} must be in dB, but got a median of {median:.4g} in {path}. That looks like linear "
            "power (raw release): convert it with 10 * log10."
        )
    if low < DB_RANGE[0] or high > DB_RANGE[1]:
        raise ValueError(
            f"{band} must be in {DB_RANGE} dB, but got {low:.4g} to {high:.4g} in {path}."
        )


def _check_grids(grids: dict[Path, tuple[np.ndarray, np.ndarray]]) -> None:
    (first, grid), *others = grids.items()
    for path, other in others:
        if not all(map(np.array_equal, grid, other)):
            raise ValueError(f"A tile's files must be on one grid, but {first} and {path} are not.")


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
