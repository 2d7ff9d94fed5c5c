"""Landslide polygons: the outlines of a mask's connected components, which overlay its pixels exactly.

Nothing is smoothed or simplified: a polygon's area is that of its pixels on the ground (`data.cubes.ground`), which differs
from the area in the map's projection, in UTM by up to 0.2 %.

Reference:
    RFC 7946, The GeoJSON Format: longitude and latitude on WGS 84, outer rings anticlockwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import rasterio
from pyogrio.errors import DataLayerError, DataSourceError

from data.io.errors import format_error
from data.tiles import PIXEL_M
from tuning.objects.object_scores import SIZES, class_by_size
from tuning.predict.landslides.components import Components, find_components
from tuning.predict.landslides.confidence import CLASSES, classify, describe_agreement
from tuning.predict.landslides.evidence import Evidence, Found, describe_background

LAYER = "landslides"
WGS84 = "EPSG:4326"
DIGITS = 6  # of a probability in a table; rasters hold seven

_DRIVERS = {f"{LAYER}.gpkg": "GPKG", f"{LAYER}.geojson": "GeoJSON"}


@dataclass(frozen=True)
class SizeClassTotal:
    """Number and area of the landslides of one class of size or confidence."""

    count: int
    area_m2: float


@dataclass(frozen=True)
class MapTotals:
    """Totals of a map; areas are on the ground.

    Attributes:
        count: Number of landslides.
        area_m2: Their area.
        by_size: Number and area per class of ``tuning.objects.object_scores.SIZES``.
        mapped_m2: Area with data.
        nodata_m2: Area without data.
        too_few_m2: The part of it that has backscatter, but too few acquisitions before or after the event.
        by_confidence: Number and area per class of `tuning.predict.landslides.confidence`; empty without evidence.
        background: The background's change by orbit, of `describe_background`; empty without evidence.
        terrain: Shares of the ground in layover and shadow, of `TerrainSums.list_shares`; None without heights.
    """

    count: int
    area_m2: float
    by_size: Mapping[str, SizeClassTotal]
    mapped_m2: float
    nodata_m2: float
    too_few_m2: float = 0.0
    by_confidence: Mapping[str, SizeClassTotal] = field(default_factory=dict)
    background: Mapping[str, Any] = field(default_factory=dict)
    terrain: Mapping[str, Any] | None = None


def write_polygons(
    folder: Path,
    mask: Path,
    probability: Path,
    spread: Path | None = None,
    *,
    coverage: Path | None = None,
    about: Mapping[str, str] | None = None,
    evidence: Evidence | None = None,
) -> MapTotals:
    """Write the landslides of a map as ``landslides.gpkg`` and ``landslides.geojson``.

    The GeoPackage has exact coordinates in the raster's coordinate system; GeoJSON has longitude and latitude, to a
    centimetre. Both list the landslides, largest first, with ``id`` from 1, ``area_m2`` on the ground, ``mean_probability`` and
    ``max_probability`` over the pixels, ``mean_spread`` of an ensemble, ``size_class``, with *evidence* ``change_ORBIT_db`` of each
    orbit, ``orbits_agree``, ``slope_deg`` and ``confidence``, and the centroid's ``lon`` and ``lat``.

    Args:
        folder: Folder of the two files.
        mask: Raster with 1 = landslide, 0 = background, other = no data.
        probability: Raster of the probabilities on the same grid.
        spread: Raster of their standard deviations over the seeds of an ensemble.
        coverage: Raster of the acquisitions, for the totals.
        about: Metadata of the GeoPackage's layer; its ``description`` is also GeoJSON's.
        evidence: What else to measure at each landslide.

    Raises:
        FileExistsError: If one of the files exists.
        ValueError: If the rasters are not on one grid, or a landslide pixel has no probability.
        OSError: If a file cannot be read or written.
    """
    for name in _DRIVERS:
        if (folder / name).exists():
            raise FileExistsError(
                f"The folder must not hold polygons yet, but {folder / name} exists. Choose another folder."
            )
    components = find_components(
        *(mask, {"probability": probability} | ({"spread": spread} if spread else {}), coverage),
        change=evidence.change if evidence else None,
        heights=evidence.heights if evidence else None,
    )
    table = _tabulate(mask, components, evidence)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".outlines-", dir=folder) as aside:
        made = [
            _write(table, Path(aside) / name, driver, about or {})
            for name, driver in _DRIVERS.items()
        ]
        for path in made:
            path.rename(folder / path.name)
    return _compute_totals(components, table)


def _write(table: gpd.GeoDataFrame, path: Path, driver: str, about: Mapping[str, str]) -> Path:
    """Write one file and count its features, because a full disk may truncate it without an error."""
    options: dict[str, Any] = {"layer_metadata": dict(about)} if driver == "GPKG" else {}
    if driver == "GeoJSON":
        options = {"RFC7946": "YES", "DESCRIPTION": about.get("description", "")}
    options |= {"layer": LAYER, "driver": driver, "geometry_type": "MultiPolygon"}
    count: object
    try:
        table.to_file(path, engine="pyogrio", **options)
        count = pyogrio.read_info(path, force_feature_count=True)["features"]
    except (DataSourceError, DataLayerError) as error:
        count = format_error(error)
    if count != len(table):
        raise OSError(
            f"All {len(table)} polygons must read back as written, but got {count!r} for "
            f"{path.name} in {path.parent.parent}. Free space there or choose another folder."
        )
    return path


def _tabulate(mask: Path, components: Components, evidence: Evidence | None) -> gpd.GeoDataFrame:
    """Return the table of landslides, largest first."""
    with rasterio.open(mask) as raster:
        crs = raster.crs
    area_m2 = components.area_m2
    columns = {
        "area_m2": area_m2.round(1),
        "mean_probability": components.mean["probability"].round(DIGITS),
        "max_probability": components.maximum["probability"].round(DIGITS),
    }
    if "spread" in components.mean:
        columns["mean_spread"] = components.mean["spread"].round(DIGITS)
    size = class_by_size(area_m2 / PIXEL_M**2)
    columns["size_class"] = np.array(SIZES, object)[size]
    if evidence and components.found:
        probability = components.mean["probability"]
        columns |= _tabulate_evidence(components.found, probability, evidence.threshold, size)
    table = gpd.GeoDataFrame(columns, geometry=components.outlines, crs=crs)
    table = table.iloc[np.argsort(-area_m2, kind="stable")].reset_index(drop=True)
    table.insert(0, "id", np.arange(1, len(table) + 1))
    centre = table.geometry.centroid.to_crs(WGS84)
    table["lon"], table["lat"] = centre.x.round(7), centre.y.round(7)
    return table


def _tabulate_evidence(
    found: Found, probability: np.ndarray, threshold: float, size: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the columns of what was measured beside the probability."""
    columns = {f"change_{orbit}_db": change.round(2) for orbit, change in found.change.items()}
    columns["orbits_agree"] = describe_agreement(found.change, found.shown)
    columns["slope_deg"] = found.slope.round(1)
    columns["confidence"] = classify(probability, threshold, found.shown, size)
    return columns


def _compute_totals(components: Components, table: gpd.GeoDataFrame) -> MapTotals:
    found = components.found
    area_m2 = -np.sort(-components.area_m2)  # in the table's order, not rounded
    return MapTotals(
        count=len(table),
        area_m2=float(area_m2.sum()),
        by_size=_count_classes(table["size_class"], SIZES, area_m2),
        mapped_m2=components.mapped_m2,
        nodata_m2=components.nodata_m2,
        too_few_m2=components.too_few_m2,
        by_confidence=_count_classes(table["confidence"], CLASSES, area_m2) if found else {},
        background=describe_background(found) if found else {},
        terrain=found.terrain if found else None,
    )


def _count_classes(
    words: Sequence[str], names: Sequence[str], area_m2: np.ndarray
) -> dict[str, SizeClassTotal]:
    """Return number and area of the landslides of each class."""
    members = {name: np.asarray(words, object) == name for name in names}
    return {
        name: SizeClassTotal(int(some.sum()), float(area_m2[some].sum()))
        for name, some in members.items()
    }
