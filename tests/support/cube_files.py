"""Synthetic datacubes for tests: a group per orbit, NetCDF or Zarr."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

Groups = dict[str, xr.Dataset]

WEST, NORTH = 576_000.0, 4_732_160.0
DIMS = ("time", "y", "x")
TIMES = np.datetime64("2018-03-29", "ns") + 24 * np.arange(15) * np.timedelta64(1, "D")


def make_groups(
    height: int = 64, width: int = 80, times: np.ndarray = TIMES, seed: int = 0
) -> Groups:
    """Make both orbits' bands, smooth heights, and coordinates at the pixels' upper left corners."""
    rng = np.random.default_rng(seed)
    shape = (len(times), height, width)
    rows, columns = np.mgrid[:height, :width]
    dem = (200 + 80 * np.sin(rows / 9) + 60 * np.cos(columns / 7)).round().astype(np.int16)
    groups = {}
    for orbit in ("s1asc", "s1dsc"):
        bands = {
            name: (DIMS, rng.normal(mean, 2, shape).astype(np.float32))
            for name, mean in (("VV", -9), ("VH", -15))
        }
        groups[orbit] = xr.Dataset(
            {**bands, "DEM": (DIMS[1:], dem)},
            coords={
                "time": times,
                "y": NORTH - 10.0 * np.arange(height),
                "x": WEST + 10.0 * np.arange(width),
            },
            attrs={"crs": "EPSG:32654", "event_date": "2018-09-05"},
        )
    return groups


def change_all(groups: Groups, change: Callable[[xr.Dataset], xr.Dataset]) -> Groups:
    return {name: change(dataset) for name, dataset in groups.items()}


def write_netcdf(groups: Mapping[str, xr.Dataset], path: Path, **options: Any) -> Path:
    path.unlink(missing_ok=True)
    for name, dataset in groups.items():
        dataset.to_netcdf(path, mode="a" if path.exists() else "w", group=name, **options)
    return path


def write_zarr(
    groups: Mapping[str, xr.Dataset], path: Path, *, version: int = 3, **options: Any
) -> Path:
    for name, dataset in groups.items():
        dataset.to_zarr(path, group=name, zarr_format=version, consolidated=False, **options)
    return path
