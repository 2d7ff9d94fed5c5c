"""Write one synthetic tile in the layout of the published files (see `data.tiles.rules`)."""

from datetime import date
from pathlib import Path
from typing import Literal

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
from data.twin.backscatter import observe
from data.twin.landslides import Landslides
from data.twin.noise import Noise
from data.twin.orbits import EVENT_DATE, ORBIT_BY_NAME, Orbit, list_dates
from data.twin.surface import Surface, make_surface
from data.twin.terrain import Site

Version = Literal["harmonized", "raw"]

_STEP_DB = 1 / 16  # storage step: far below speckle, and files compress well
_LEVEL = 4  # zlib
_WKT = (
    'PROJCS["WGS 84 / UTM zone 54N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,'
    '298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AUTHORITY["EPSG","4326"]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],'
    'PARAMETER["central_meridian",141],PARAMETER["scale_factor",0.9996],'
    'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],'
    'UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],'
    'AUTHORITY["EPSG","32654"]]'
)


def write_site(
    root: Path, site: Site, orbits: tuple[str, ...], seed: int, version: Version
) -> dict[str, str]:
    """Simulate one tile and write its files.

    Args:
        root: Folder for ``<orbit>/hokkaido_<orbit>_<number>.nc``.
        site: The real tile, for its position and its number of annotated pixels.
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
        power = observe(surface, ORBIT_BY_NAME[orbit], noise)
        _write(_make_dataset(surface, ORBIT_BY_NAME[orbit], power, version), path)
        hashes[path.relative_to(root).as_posix()] = hash_file(path)
    return hashes


def _make_dataset(
    surface: Surface, orbit: Orbit, power: np.ndarray, version: Version
) -> xr.Dataset:
    (x0, y0), dates = surface.site.corner_m, list_dates(orbit)
    bands = _encode(power, version)
    maps = {
        "VH": bands[:, 1],
        "VV": bands[:, 0],
        "MASK": _repeat_dates(surface.slides.mask.astype(np.uint8)),
        "DEM": _repeat_dates(surface.terrain.height.clip(*DEM_RANGE).astype(np.int16)),
    }
    grid = {"grid_mapping": "spatial_ref"}
    crs = {"crs_wkt": _WKT, "spatial_ref": _WKT, "GeoTransform": f"{x0} 10.0 0.0 {y0} 0.0 -10.0"}
    return xr.Dataset(
        {name: (DIMS, np.ascontiguousarray(m.swapaxes(-1, -2)), grid) for name, m in maps.items()}
        | {"spatial_ref": ((), np.int64(0), crs)},
        coords={
            "time": np.array(dates, "datetime64[ns]"),
            "x": x0 + PIXEL_M * np.arange(TILE_PX),
            "y": y0 - PIXEL_M * np.arange(TILE_PX),
        },
        attrs=_list_attributes(surface, orbit, dates),
    )


def _encode(power: np.ndarray, version: Version) -> np.ndarray:
    decibels = np.round(10 * np.log10(power) / _STEP_DB) * _STEP_DB
    decibels = decibels.clip(*DB_RANGE).astype(np.float32)
    if version == "harmonized":
        return np.asarray(decibels)
    bits = (10 ** (decibels / 10)).astype(np.float32).view(np.uint32)
    # Nine bits of mantissa, 0.1 %, for the same reason as the dB step.
    return np.asarray(((bits + np.uint32(1 << 13)) & np.uint32(0xFFFFC000)).view(np.float32))


def _repeat_dates(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[None], ACQUISITIONS, axis=0)


def _list_attributes(surface: Surface, orbit: Orbit, dates: list[date]) -> dict[str, str]:
    """Return the file's attributes; as published, annotation attributes are empty without landslides."""
    annotated = surface.site.annotated_px > 0
    x0, y0 = surface.site.corner_m
    boxes = _list_boxes(surface.slides, x0, y0)
    before = sum(day <= EVENT_DATE for day in dates)
    return {
        "ann_id": ",".join(boxes),
        "ann_bbox": ",".join(boxes.values()),
        "event_date": str(EVENT_DATE) if annotated else "",
        "date_confidence": "1.0" if annotated else "",
        "pre_post_dates": str({"pre": before - 1, "post": before}) if annotated else "",
        "annotated": str(annotated),
        "satellite": orbit.satellite,
        "center_lat": str(y0 - PIXEL_M * TILE_PX / 2),
        "center_lon": str(x0 + PIXEL_M * TILE_PX / 2),
        "crs": "EPSG:32654",
        "synthetic": "landslide benchmark twin, region hokkaido",
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
    encoding = {
        name: {"zlib": True, "complevel": _LEVEL, "shuffle": True, "chunksizes": chunk}
        for name, chunk in {
            "VH": (1, TILE_PX, TILE_PX),
            "VV": (1, TILE_PX, TILE_PX),
            "MASK": (ACQUISITIONS, TILE_PX, TILE_PX),
            "DEM": (ACQUISITIONS, TILE_PX, TILE_PX),
        }.items()
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"A synthetic tile must be written completely, but got {error} in {path}. Free disk space or "
            "choose another folder."
        ) from error
