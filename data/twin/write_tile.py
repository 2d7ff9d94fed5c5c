"""Write one synthetic tile in the layout of the published files (see `data.tiles.rules`)."""

from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy import ndimage

from data.tiles import (
    ACQUISITIONS,
    DB_RANGE,
    DEM_RANGE,
    DIMS,
    PIXEL_M,
    TILE_PX,
    hash_file,
    tile_path,
)
from data.tiles.netcdf import SYNTHETIC
from data.twin.backscatter import draw_acquisitions, observe
from data.twin.landslides import Landslides
from data.twin.noise import Noise
from data.twin.orbits import Orbit
from data.twin.regions import Site
from data.twin.surface import Surface, make_surface

Version = Literal["harmonized", "raw"]

_STEP_DB = 1 / 16  # storage step: far below speckle, and files compress well
_LEVEL = 4  # zlib
_CRS: dict[str, str | float] = {  # as the data set's authors wrote it (rioxarray)
    "semi_major_axis": 6378137.0,
    "semi_minor_axis": 6356752.314245179,
    "inverse_flattening": 298.257223563,
    "reference_ellipsoid_name": "WGS 84",
    "longitude_of_prime_meridian": 0.0,
    "prime_meridian_name": "Greenwich",
    "geographic_crs_name": "WGS 84",
    "horizontal_datum_name": "World Geodetic System 1984",
    "projected_crs_name": "WGS 84 / UTM zone {zone}N",
    "grid_mapping_name": "transverse_mercator",
    "latitude_of_projection_origin": 0.0,
    "longitude_of_central_meridian": 0.0,
    "false_easting": 500000.0,
    "false_northing": 0.0,
    "scale_factor_at_central_meridian": 0.9996,
}
_WKT = (
    'PROJCS["WGS 84 / UTM zone {zone}N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,'
    '298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AUTHORITY["EPSG","4326"]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
    'PARAMETER["central_meridian",{meridian}],PARAMETER["scale_factor",0.9996],'
    'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],'
    'UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],'
    'AUTHORITY["EPSG","{epsg}"]]'
)


def write_site(
    root: Path, site: Site, orbits: tuple[str, ...], seed: int, version: Version
) -> dict[str, str]:
    """Simulate one tile and write its files.

    Args:
        root: Folder for ``<orbit>/<region>_<orbit>_<number>.nc``.
        site: The tile's position and number of annotated pixels.
        orbits: Orbit directions to write.
        seed: Seed of all random fields.
        version: ``harmonized`` writes dB, ``raw`` linear power.

    Returns:
        SHA-256 of each file by its path relative to *root*.

    Raises:
        OSError: If a file cannot be written.
    """
    noise = Noise(seed)
    surface = make_surface(site, noise)
    hashes = {}
    for orbit in orbits:
        path = tile_path(root, site.tile_id, orbit)
        seen_by = surface.region.orbits[orbit]
        _write(
            _make_dataset(surface, seen_by, observe(surface, seen_by, noise), seed, version), path
        )
        hashes[path.relative_to(root).as_posix()] = hash_file(path)
    return hashes


def _make_dataset(
    surface: Surface, orbit: Orbit, power: np.ndarray, seed: int, version: Version
) -> xr.Dataset:
    (x0, y0) = surface.site.corner_m
    dates = [each.day for each in draw_acquisitions(surface.site, orbit)]
    bands = encode(power, version)
    maps = {
        "VH": bands[:, 1],
        "VV": bands[:, 0],
        "MASK": _repeat_dates(surface.slides.mask.astype(np.uint8)),
        "DEM": _repeat_dates(surface.dem.clip(*DEM_RANGE).astype(np.int16)),
    }
    grid = {"grid_mapping": "spatial_ref"}
    crs = _describe_crs(surface.region.utm_zone)
    crs["GeoTransform"] = f"{x0} 10.0 0.0 {y0} 0.0 -10.0"
    return xr.Dataset(
        {name: (DIMS, np.ascontiguousarray(m.swapaxes(-1, -2)), grid) for name, m in maps.items()}
        | {"spatial_ref": ((), np.int64(0), crs)},
        coords={
            "x": x0 + PIXEL_M * np.arange(TILE_PX),
            "y": y0 - PIXEL_M * np.arange(TILE_PX),
            "time": np.array(dates, "datetime64[ns]"),
        },
        attrs=_list_attributes(surface, orbit, dates) | {SYNTHETIC: _mark(surface, seed)},
    )


def _mark(surface: Surface, seed: int) -> str:
    """Return the text by which a file says that it is synthetic; real files have no such attribute."""
    return f"landslide benchmark twin, region {surface.region.name}, seed {seed}"


def _describe_crs(zone: int) -> dict[str, str | float]:
    """Return the attributes of the coordinate reference system, WGS 84 / UTM north."""
    meridian, epsg = 6 * zone - 183, 32600 + zone
    wkt = _WKT.format(zone=zone, meridian=meridian, epsg=epsg)
    name = str(_CRS["projected_crs_name"]).format(zone=zone)
    own: dict[str, str | float] = {
        "projected_crs_name": name,
        "longitude_of_central_meridian": float(meridian),
    }
    return {"crs_wkt": wkt, **_CRS, **own, "spatial_ref": wkt}


def encode(power: np.ndarray, version: Version) -> np.ndarray:
    """Turn linear power into what a file stores, float32: dB in steps of 1/16, or linear power of that precision."""
    decibels = np.round(10 * np.log10(power) / _STEP_DB) * _STEP_DB
    decibels = decibels.clip(*DB_RANGE).astype(np.float32)
    if version == "harmonized":
        return np.asarray(decibels)
    bits = (10 ** (decibels / 10)).astype(np.float32).view(np.uint32)
    # Nine bits of mantissa, 0.1 %, for the same reason as the dB step.
    return np.asarray(((bits + np.uint32(1 << 13)) & np.uint32(0xFFFFC000)).view(np.float32))


def _repeat_dates(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[None], ACQUISITIONS, axis=0)


def _list_attributes(surface: Surface, orbit: Orbit, dates: list[date]) -> dict[str, str | float]:
    """Return the published attributes; as published, annotation attributes are empty without landslides."""
    annotated = surface.site.annotated_px > 0
    x0, y0 = surface.site.corner_m
    boxes = _list_boxes(surface.slides, x0, y0)
    event = surface.region.calendar.event
    before = sum(day <= event for day in dates)
    return {
        "ann_id": ",".join(boxes),
        "ann_bbox": ",".join(boxes.values()),
        "event_date": str(event) if annotated else "",
        "date_confidence": "1.0" if annotated else "",
        "pre_post_dates": str({"pre": before - 1, "post": before}) if annotated else "",
        "annotated": str(annotated),
        "satellite": orbit.satellite,
        "center_lat": y0 - PIXEL_M * TILE_PX / 2,
        "center_lon": x0 + PIXEL_M * TILE_PX / 2,
        "crs": f"EPSG:{32600 + surface.region.utm_zone}",
    }


def _list_boxes(slides: Landslides, x0: float, y0: float) -> dict[str, str]:
    """Return each drawn landslide's box in m (west, south, east, north) by its annotation number."""
    boxes = {}
    for row, box in enumerate(ndimage.find_objects(slides.drawn + 1)):
        if box is None:
            continue
        south, east = box
        west_m, east_m = x0 + PIXEL_M * east.start, x0 + PIXEL_M * east.stop
        south_m, north_m = y0 - PIXEL_M * south.stop, y0 - PIXEL_M * south.start
        number = int(Noise(0).hash("annotation", *slides.cells[row]) % np.uint64(90_000))
        boxes[str(number)] = str((west_m, south_m, east_m, north_m))
    return boxes


def _write(dataset: xr.Dataset, path: Path) -> None:
    chunk = (ACQUISITIONS, TILE_PX, TILE_PX)  # one, as in the real files
    packed = {"zlib": True, "complevel": _LEVEL, "shuffle": True, "chunksizes": chunk}
    first = np.datetime_as_string(dataset["time"].to_numpy()[0], "D")
    encoding: dict[str, dict[str, Any]] = dict.fromkeys(("VH", "VV", "MASK", "DEM"), packed)
    encoding |= {"time": {"units": f"days since {first}"}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"A synthetic tile must be written completely, but got {error} in {path}. Free disk space or "
            "choose another folder."
        ) from error
