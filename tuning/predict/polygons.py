"""Landslides as polygons: the outlines of a mask's patches, which overlay its pixels exactly.

GDAL traces 4-connected parts, which are valid polygons; the parts of an 8-connected patch touch at corners alone, so
that together they are a valid multipolygon. (8-connected outlines may touch themselves, and GDAL warns that they can be
invalid.) Nothing is smoothed or simplified: the area is the pixels' area.

Reference:
    RFC 7946, The GeoJSON Format: longitude and latitude on WGS 84, outer rings anticlockwise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.features import shapes

from data.io.errors import format_error
from data.tiles import PIXEL_M
from tuning.metrics.objects import SIZES, class_by_size
from tuning.predict.components import Components, find_components
from tuning.predict.raster_io import bound_cache

LAYER = "landslides"
WGS84 = "EPSG:4326"
DIGITS = 6  # of a probability in a table: rasters hold seven

_DRIVERS = {f"{LAYER}.gpkg": "GPKG", f"{LAYER}.geojson": "GeoJSON"}
_AT_ONCE = 10_000  # traced outlines that wait to become polygons


@dataclass(frozen=True)
class SizeClassTotal:
    """Landslides of one size class: how many, and their area."""

    count: int
    area_m2: float


@dataclass(frozen=True)
class MapTotals:
    """What a map holds in all.

    Attributes:
        count: Landslides.
        area_m2: Their area.
        by_size: The same by each class of ``tuning.metrics.objects.SIZES``.
        mapped_m2: Area with data.
        nodata_m2: Area without.
    """

    count: int
    area_m2: float
    by_size: Mapping[str, SizeClassTotal]
    mapped_m2: float
    nodata_m2: float


def write_polygons(
    folder: Path, mask: Path, probability: Path, spread: Path | None = None
) -> MapTotals:
    """Write the landslides of a map as ``landslides.gpkg`` and ``landslides.geojson``.

    The GeoPackage has them in the raster's coordinate system, exactly; GeoJSON in longitude and latitude, to a
    centimetre. Both hold, largest first: ``id`` from 1, ``area_m2``, ``mean_probability`` and ``max_probability``
    over its pixels, ``mean_spread`` where there is one, ``size_class``, and ``lon`` and ``lat`` of its centroid.

    Args:
        folder: Where the two files come to lie.
        mask: Raster with 1 = landslide, 0 = background, other = no data.
        probability: Raster of the probabilities on the same grid.
        spread: Raster of their standard deviations over the models of an ensemble.

    Raises:
        FileExistsError: If one of the files is there.
        ValueError: If the rasters do not fit each other.
        OSError: If a file cannot be read or written.
    """
    for name in _DRIVERS:
        if (folder / name).exists():
            raise FileExistsError(
                f"Outlines must go to a folder without them, but {folder / name} is there. Give another folder."
            )
    patches = find_components(
        mask, {"probability": probability} | ({"spread": spread} if spread else {})
    )
    pixel_m, table = _tabulate(mask, patches)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".outlines-", dir=folder) as aside:
        made = [_write(table, Path(aside) / name, driver) for name, driver in _DRIVERS.items()]
        for path in made:
            path.rename(folder / path.name)
    return _sum_up(patches, pixel_m**2)


def _write(table: gpd.GeoDataFrame, path: Path, driver: str) -> Path:
    """Write one file and see that it is whole: a full disk may show at its end alone."""
    options: dict[str, Any] = {"RFC7946": "YES"} if driver == "GeoJSON" else {}
    options |= {"layer": LAYER, "driver": driver, "geometry_type": "MultiPolygon"}
    count: object
    try:
        table.to_file(path, engine="pyogrio", **options)
        count = pyogrio.read_info(path, force_feature_count=True)["features"]
    except (DataSourceError, DataLayerError) as error:
        count = format_error(error)
    if count != len(table):
        raise OSError(
            f"Outlines must read back as they were written, {len(table)} of them, but got {count!r} for "
            f"{path.name} in {path.parent.parent}. Free space there or give another folder."
        )
    return path


def _tabulate(mask: Path, patches: Components) -> tuple[float, gpd.GeoDataFrame]:
    """Return the pixel's side and the landslides, largest first."""
    with bound_cache(), rasterio.open(mask) as raster:
        pixel_m, crs = raster.transform.a, raster.crs
        outlines = _trace(raster, patches)
    area_m2 = patches.area_px * pixel_m**2
    columns = {
        "area_m2": area_m2,
        "mean_probability": patches.mean["probability"].round(DIGITS),
        "max_probability": patches.greatest["probability"].round(DIGITS),
    }
    if "spread" in patches.mean:
        columns["mean_spread"] = patches.mean["spread"].round(DIGITS)
    columns["size_class"] = np.array(SIZES, object)[class_by_size(area_m2 / PIXEL_M**2)]
    table = gpd.GeoDataFrame(columns, geometry=outlines, crs=crs)
    table = table.iloc[np.argsort(-patches.area_px, kind="stable")].reset_index(drop=True)
    table.insert(0, "id", np.arange(1, len(table) + 1))
    centre = table.geometry.centroid.to_crs(WGS84)
    table["lon"], table["lat"] = centre.x.round(7), centre.y.round(7)
    return pixel_m, table


def _trace(raster: rasterio.DatasetReader, patches: Components) -> np.ndarray:
    """Return each patch's outline, shape ``(N,)`` of multipolygons."""
    parts = np.concatenate([np.empty(0, object), *_trace_parts(raster)])
    at = np.searchsorted(patches.part_first_px, _first_pixels(parts, raster))
    patch = patches.part_patch[at]
    order = np.argsort(patch, kind="stable")
    made = np.empty(len(patches.area_px), object)
    shapely.multipolygons(parts[order], indices=patch[order], out=made)
    return made


def _trace_parts(raster: rasterio.DatasetReader) -> Iterator[np.ndarray]:
    """Yield the outlines of the 4-connected parts, some thousands at a time."""
    band = rasterio.band(raster, 1)
    waiting = []
    for shape, value in shapes(band, mask=band, connectivity=4):
        if value != 1:
            continue  # no data
        shell, *holes = shape["coordinates"]
        waiting.append(shapely.Polygon(shell, holes))
        if len(waiting) == _AT_ONCE:
            yield np.array(waiting, object)
            waiting = []
    yield np.array(waiting, object)


def _first_pixels(parts: np.ndarray, raster: rasterio.DatasetReader) -> np.ndarray:
    """Return each part's first pixel in reading order: the uppermost corner, and of these the leftmost."""
    corners, owner = shapely.get_coordinates(shapely.get_exterior_ring(parts), return_index=True)
    place, width = raster.transform, raster.width
    column = np.rint((corners[:, 0] - place.c) / place.a).astype(np.int64)
    row = np.rint((corners[:, 1] - place.f) / place.e).astype(np.int64)
    first = np.full(len(parts), np.iinfo(np.int64).max)
    np.minimum.at(first, owner, row * (width + 1) + column)  # a right edge is column W
    row, column = np.divmod(first, width + 1)
    return np.asarray(row * width + column)


def _sum_up(patches: Components, pixel_m2: float) -> MapTotals:
    area_m2 = patches.area_px * pixel_m2
    size = class_by_size(area_m2 / PIXEL_M**2)
    counts = np.bincount(size, minlength=len(SIZES))
    areas = np.bincount(size, area_m2, len(SIZES))
    return MapTotals(
        count=len(area_m2),
        area_m2=float(area_m2.sum()),
        by_size={
            name: SizeClassTotal(int(count), float(area))
            for name, count, area in zip(SIZES, counts, areas, strict=True)
        },
        mapped_m2=patches.mapped_px * pixel_m2,
        nodata_m2=patches.nodata_px * pixel_m2,
    )
