"""One scene through every door: the same stored numbers and attributes as tile, datacube, GeoTIFFs and array."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr

from data.scene.base import InputSpec, Scene
from data.scene.open import open_scene
from data.scene.windows import Span, Window
from data.tiles import ORBITS, open_tile, tile_path
from data.values.decode import decode
from tests.support.tile_files import make_dataset, write
from tuning.serving.array_input import clean_array, to_numbers
from tuning.serving.tile_input import ModelInput, read_tile

NUMBER, SIZE, DATES = 1, 128, 15
CHANNELS = tuple(f"{orbit}:{band}" for orbit in ORBITS for band in ("VV", "VH"))
EVENT = "2018-09-05T18:08"
SPEC = InputSpec(CHANNELS, DATES, "even", np.datetime64(EVENT))


@dataclass(frozen=True)
class Stored:
    """How a scene's backscatter is stored.

    Attributes:
        change: Changes decoded values, shape ``(T, y, x)``, to the stored numbers, given the band's name.
        attributes: Of the bands.
        empty: Where there is no data, shape ``(T, y, x)``, bool.
    """

    change: Callable[[np.ndarray, str], np.ndarray] = lambda values, name: values
    attributes: Mapping[str, Any] = field(default_factory=dict)
    empty: np.ndarray = field(default_factory=lambda: np.zeros((DATES, SIZE, SIZE), bool))


def make_scene(how: Stored) -> dict[str, xr.Dataset]:
    """Make both orbits as stored, over time, y and x, without a coordinate's decoding."""
    scene = {}
    for orbit in ORBITS:
        dataset = make_dataset(orbit).transpose("time", "y", "x")
        if orbit == "s1dsc":
            dataset = dataset.assign(VV=dataset["VV"] - 1)
        for name in ("VV", "VH"):
            stored = how.change(dataset[name].values.clip(-50, -0.5), name)
            dataset[name] = (dataset[name].dims, stored, dict(how.attributes))
            dataset[name].encoding = {} if "_FillValue" in how.attributes else {"_FillValue": None}
        scene[orbit] = dataset.assign_attrs(event_date="2018-09-05")
    return scene


def read_tiles(scene: Mapping[str, xr.Dataset], root: Path) -> np.ndarray:
    """Read it as a tile, shape ``(T, C, H, W)``, rounded as a pack rounds."""
    paths = [
        write(one.transpose("time", "x", "y"), root, name, NUMBER) for name, one in scene.items()
    ]
    bands = np.concatenate([open_tile(path).bands for path in paths], axis=1)
    return bands.astype(np.float16).astype(np.float32)


def read_mosaic(scene: Mapping[str, xr.Dataset], root: Path) -> np.ndarray:
    read_tiles(scene, root)
    return read_whole(open_scene(root, SPEC))


def read_served(scene: Mapping[str, xr.Dataset], root: Path) -> np.ndarray:
    read_tiles(scene, root)
    path = tile_path(root, f"hokkaido_{NUMBER}", ORBITS[0])
    return read_tile(path, ModelInput(CHANNELS, DATES, "even", {"hokkaido": EVENT})).x[0]


def read_netcdf(scene: Mapping[str, xr.Dataset], root: Path) -> np.ndarray:
    for index, (name, one) in enumerate(scene.items()):
        heights = one.assign(DEM=one["DEM"][0]).drop_vars("MASK")
        heights.to_netcdf(root / "cube.nc", mode="a" if index else "w", group=name)
    return read_whole(open_scene(root / "cube.nc", SPEC))


def read_zarr(scene: Mapping[str, xr.Dataset], root: Path) -> np.ndarray:
    for name, one in scene.items():
        heights = one.assign(DEM=one["DEM"][0]).drop_vars("MASK")
        heights.to_zarr(root / "cube.zarr", group=name, zarr_format=2, consolidated=False)
    return read_whole(open_scene(root / "cube.zarr", SPEC))


def read_geotiffs(scene: Mapping[str, xr.Dataset], root: Path) -> np.ndarray:
    for orbit, dataset in scene.items():
        (root / orbit).mkdir(exist_ok=True)
        for step, time in enumerate(dataset["time"].values):
            for name in ("VV", "VH"):
                day = str(time)[:10].replace("-", "")
                _write_geotiff(root / orbit / f"a_{day}_{name}.tif", dataset, name, step)
    return read_whole(open_scene(root, SPEC))


def _write_geotiff(path: Path, dataset: xr.Dataset, name: str, step: int) -> None:
    values, attributes = dataset[name].values[step], dataset[name].attrs
    west, north = float(dataset["x"][0]), float(dataset["y"][0])
    with rasterio.open(
        *(path, "w"),
        driver="GTiff",
        count=1,
        height=SIZE,
        width=SIZE,
        dtype=values.dtype,
        crs="EPSG:32654",
        transform=rasterio.Affine(10, 0, west, 0, -10, north),
        nodata=attributes.get("_FillValue", attributes.get("missing_value")),
    ) as raster:
        raster.write(values, 1)
        raster.scales = (float(attributes.get("scale_factor", 1)),)
        raster.offsets = (float(attributes.get("add_offset", 0)),)


def read_array(scene: Mapping[str, xr.Dataset], root: Path) -> np.ndarray:
    """Pass it as an array, masked where the file's own attributes say so, as netCDF4 returns it."""
    layers = [
        decode(one[name].values, one[name].attrs) for one in scene.values() for name in ("VV", "VH")
    ]
    x = np.ma.masked_invalid(np.stack(layers, axis=1)[None])
    raw = np.where(np.isinf(np.ma.getdata(x)), np.ma.getdata(x), x.filled(-9999))
    given = np.ma.masked_array(raw, np.isnan(np.ma.getdata(x)))
    return clean_array(to_numbers(given), CHANNELS)[0].astype(np.float16).astype(np.float32)


def read_whole(scene: Scene) -> np.ndarray:
    whole = [Span(0, np.ones(size, np.float32)) for size in (scene.grid.height, scene.grid.width)]
    data = scene.read(Window(*whole))
    assert data is not None
    return data.x


DOORS: dict[str, Callable[[Mapping[str, xr.Dataset], Path], np.ndarray]] = {
    "tile": read_tiles,
    "tile mosaic": read_mosaic,
    "served tile": read_served,
    "NetCDF": read_netcdf,
    "Zarr": read_zarr,
    "GeoTIFFs": read_geotiffs,
    "array": read_array,
}
