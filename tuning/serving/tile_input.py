"""A NetCDF tile as a model's input, read just as training packed it.

A tile is one file for each modality, ``<root>/<modality>/hokkaido_<modality>_<number>.nc`` (Sen12Landslides, Höhn et al. 2025,
doi 10.1038/s41597-025-06167-2). This module goes into every logged model, so it repeats the little of `data.tiles.rules`,
`data.pack.tile_row` and `data.pack.channels` that it needs; a test holds them together. It needs numpy, and netCDF4 once a tile is read.
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
    """What a model reads.

    Attributes:
        channels: Such as ``s1asc:VV``, ``DEM`` or ``slope``, in the model's order.
        timesteps: Acquisitions that the network uses.
        steps: ``even``, ``event`` or ``all``; for ``event`` alone the input holds no more than those.
    """

    channels: tuple[str, ...]
    timesteps: int
    steps: str

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities whose files are needed, in the order of ``BANDS``."""
        named = {channel.split(":")[0] for channel in self.channels}
        return tuple(modality for modality in BANDS if modality in named)


def read_tile(path: Path, wanted: ModelInput) -> np.ndarray:
    """Read a tile, with the files of other modalities that a model needs from the folders beside it.

    Args:
        path: Any file of the tile.
        wanted: What the model reads.

    Returns:
        Shape ``(1, T, C, H, W)``, float32, rounded to half precision as in training; rows run south, columns east;
        NaN = no data.

    Raises:
        ValueError: If the file is not named, placed or laid out as published, or is not in dB.
    """
    match = TILE_NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(
            f"A tile's file must be named hokkaido_<modality>_<number>.nc, but got {path}. Give it the name "
            "that it was published under."
        )
    files = {}
    for modality in wanted.modalities:
        file = path.parent.parent / modality / f"hokkaido_{modality}_{match[2]}.nc"
        if not file.is_file():
            raise ValueError(
                f"The model reads {', '.join(wanted.channels)}, but there is no {file}. Put the tile's "
                "files into folders of their modalities, as published."
            )
        files[modality] = file
    series = {modality: _read_series(file, wanted) for modality, file in files.items()}
    _check_grids({files[modality]: part.grid for modality, part in series.items()})
    dem = next(iter(series.values())).dem
    layers = {
        f"{modality}:{band}": values
        for modality, part in series.items()
        for band, values in part.bands.items()
    }
    length = len(next(iter(layers.values())))
    maps = {"DEM": dem, "slope": _measure_slope(dem).astype(np.float16)}
    layers |= {name: np.broadcast_to(one, (length, *one.shape)) for name, one in maps.items()}
    stack = np.stack([layers[channel].astype(np.float32) for channel in wanted.channels], axis=1)
    return stack[None]


@dataclass(frozen=True)
class _Series:
    """One modality of a tile.

    Attributes:
        bands: Shape ``(T, H, W)``, float16, by name.
        dem: Height in m, shape ``(H, W)``, float32; NaN = no data.
        grid: x and y in m.
    """

    bands: dict[str, np.ndarray]
    dem: np.ndarray
    grid: tuple[np.ndarray, np.ndarray]


def _read_series(path: Path, wanted: ModelInput) -> _Series:
    import netCDF4

    modality = path.parent.name
    try:
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            _check_layout(file, modality, path)
            keep = _pick_steps(file, wanted, path)
            bands = dict(_read_bands(file, modality, path))
            dem = file["DEM"][0].T.astype(np.float32)
            grid = np.asarray(file["x"][:]), np.asarray(file["y"][:])
    except (OSError, RuntimeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"A tile must be readable NetCDF, but got {error} in {path}.") from error
    picked = {band: values[keep].astype(np.float16) for band, values in bands.items()}
    return _Series(picked, np.where(dem == NODATA, np.float32(np.nan), dem), grid)


def _check_layout(file: Any, modality: str, path: Path) -> None:
    needed = [*BANDS[modality], *(["SCL"] if modality == "s2" else []), "DEM"]
    for name in (*needed, *TILE_DIMS):  # before anything is read
        if name in file.variables and file[name].size > MAX_VALUES:
            got = f"{file[name].size:,}"
            raise ValueError(
                f"{name} must have at most {MAX_VALUES:,} values, but got {got} in {path}."
            )
    for name in needed:
        if name not in file.variables or file[name].dimensions != TILE_DIMS:
            got = file[name].dimensions if name in file.variables else "none"
            raise ValueError(f"A tile must have {name} over {TILE_DIMS}, but got {got} in {path}.")
    for name, step in (("x", PIXEL_M), ("y", -PIXEL_M)):
        if not np.allclose(np.diff(file[name][:]), step):
            raise ValueError(f"{name} must go by {step:+g} m, but does not in {path}.")


def _pick_steps(file: Any, wanted: ModelInput, path: Path) -> list[int]:
    """Pick the acquisitions to hand over: all, or those nearest to the event, most of them after it."""
    import netCDF4

    time, count = file["time"], wanted.timesteps
    if wanted.steps != "event":
        return list(range(len(time)))
    calendar = getattr(time, "calendar", "standard")
    dates: Any = netCDF4.num2date(time[:], time.units, calendar, only_use_cftime_datetimes=False)
    times = np.array([date.isoformat() for date in dates], "datetime64[s]")
    if len(times) < count or (np.diff(times) <= np.timedelta64(0)).any():
        raise ValueError(
            f"A tile must have {count} dates or more, ascending, but got {times} in {path}."
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
    """Refuse backscatter that is not in dB."""
    seen = values[~np.isnan(values)]
    if not seen.size:
        raise ValueError(f"{band} must have data, but got no usable pixel in {path}.")
    low, high = float(seen.min()), float(seen.max())
    if low >= 0 and (median := float(np.median(seen))) < 1:
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
            raise ValueError(f"A tile's files must lie on one grid, but {first} and {path} do not.")


def _measure_slope(height_m: np.ndarray) -> np.ndarray:
    """Return the steepness in degrees; NaN beside a height without data."""
    south, east = np.gradient(height_m, PIXEL_M)
    slope: np.ndarray = np.degrees(np.arctan(np.hypot(south, east)))
    return slope
