"""Synthetic tile files that tests change as they need."""

from collections.abc import Callable, Iterable
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from data.tiles import BANDS, DIMS, ORBITS, tile_path
from data.tiles.catalogue import read_catalogue

EVENT = np.datetime64("2018-09-05T18:08", "s")  # Hokkaido's
Change = Callable[[xr.Dataset], xr.Dataset]
SHAPE = (15, 128, 128)


def make_dataset(modality: str = "s1asc") -> xr.Dataset:
    """Make a tile with the coordinates and the number of landslide pixels of hokkaido_579."""
    rng = np.random.default_rng(0)
    mask = np.zeros(SHAPE[1:], np.uint8)
    mask.flat[rng.permutation(mask.size)[: read_catalogue()["hokkaido_579"].annotated_px]] = 1
    dem = rng.integers(0, 700, SHAPE[1:], np.int16)
    bands = make_radar(rng) if modality in ORBITS else make_reflectance(rng)
    maps = {
        name: np.repeat(values[None], 15, axis=0) for name, values in (("MASK", mask), ("DEM", dem))
    }
    return xr.Dataset(
        {name: (DIMS, values) for name, values in (bands | maps).items()},
        coords={
            "time": np.datetime64("2018-03-29", "ns") + 24 * np.arange(15) * np.timedelta64(1, "D"),
            "x": 576_000 + 10.0 * np.arange(128),
            "y": 4_732_160 - 10.0 * np.arange(128),
        },
        attrs={"crs": "EPSG:32654", "annotated": "True"},
    )


def make_radar(rng: np.random.Generator) -> dict[str, np.ndarray]:
    means = {"VV": -8, "VH": -14}
    return {n: rng.normal(m, 3, SHAPE).clip(-50, 0).astype(np.float32) for n, m in means.items()}


def make_reflectance(rng: np.random.Generator) -> dict[str, np.ndarray]:
    bands = {name: rng.integers(100, 4000, SHAPE, np.int16) for name in BANDS["s2"]}
    return bands | {"SCL": np.full(SHAPE, 4, np.int16)}  # 4 = vegetation


def to_linear(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign(VV=10 ** (dataset["VV"] / 10), VH=10 ** (dataset["VH"] / 10))


def write(
    dataset: xr.Dataset,
    root: Path,
    modality: str = "s1asc",
    number: int = 579,
    region: str = "hokkaido",
) -> Path:
    path = tile_path(root, f"{region}_{number}", modality)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.to_netcdf(path)
    return path


def put(name: str, index: object, value: float) -> Change:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        dataset[name][index] = value
        return dataset

    return change


def fill(value: float, *names: str) -> Change:
    return lambda d: d.assign({name: xr.full_like(d[name], value) for name in names or ("VV",)})


def cast(name: str, dtype: str) -> Change:
    return lambda d: d.assign({name: d[name].astype(dtype)})


def shift(days: int) -> Change:
    return lambda d: d.assign_coords(time=d["time"] + np.timedelta64(days, "D"))


def count_annotated_px(tile_ids: Iterable[str]) -> int:
    """Return the number of annotated landslide pixels in these tiles of the catalogue."""
    return sum(read_catalogue()[tile].annotated_px for tile in tile_ids)


def unmark(path: Path) -> None:
    """Remove the twin's mark from a file: it then looks like a real one."""
    with netCDF4.Dataset(path, "a") as file:
        file.delncattr("synthetic")
