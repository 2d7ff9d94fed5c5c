"""GeoTIFFs for tests, named as producers name them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr

from tests.support.cube_files import NORTH, WEST, Groups


def write_geotiff(
    path: Path,
    bands: Mapping[str, np.ndarray],
    *,
    crs: str | None = "EPSG:32654",
    corner: tuple[float, float] = (WEST, NORTH),
    step: float = 10.0,
    described: bool = True,
    nodata: float | None = None,
    tags: Mapping[str, str] | None = None,
    blocks: int = 32,
) -> Path:
    """Write bands ``(H, W)`` as a tiled GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first = next(iter(bands.values()))
    with rasterio.open(
        *(path, "w"),
        driver="GTiff",
        count=len(bands),
        height=first.shape[0],
        width=first.shape[1],
        dtype=first.dtype,
        crs=crs,
        transform=rasterio.Affine(step, 0, corner[0], 0, -step, corner[1]),
        nodata=nodata,
        tiled=True,
        blockxsize=blocks,
        blockysize=blocks,
    ) as raster:
        for number, (name, values) in enumerate(bands.items(), 1):
            raster.write(values, number)
            if described:
                raster.set_band_description(number, name)
        raster.update_tags(**{"event_date": "2018-09-05", **(tags or {})})
    return path


def list_dates(dataset: xr.Dataset) -> list[str]:
    """Return a group's dates as in names, such as ``20180906``."""
    return [str(time)[:10].replace("-", "") for time in dataset["time"].values]


def write_folder(
    groups: Groups, root: Path, name: str = "{modality}/S1_{date}_x_{band}.tif", **options: object
) -> Path:
    """Write a file per date and polarisation of a cube's groups, and ``DEM.tif``."""
    for modality, dataset in groups.items():
        for index, date in enumerate(list_dates(dataset)):
            for band in ("VV", "VH"):
                path = root / name.format(modality=modality, date=date, band=band)
                write_geotiff(path, {band: dataset[band].values[index]}, **options)  # type: ignore[arg-type]
    heights = next(iter(groups.values()))["DEM"].values.astype(np.float32)
    write_geotiff(root / "DEM.tif", {"DEM": heights}, **options)  # type: ignore[arg-type]
    return root
