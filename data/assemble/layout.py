"""The Zarr store of a scene: groups, arrays, coordinates and attributes after the CF conventions, in Zarr's version 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import zarr
from zarr.codecs import BloscCodec

from data.assemble.blocks import BANDS, CHUNK_PX, HEIGHTS
from data.io.durable import write_atomically
from data.io.safe_json import read_json
from data.tiles.netcdf import SYNTHETIC

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from data.search.acquisitions import Acquisition, Found

# Of speckle 0.79 of its bytes are left, by Zarr's own default 0.88, and it is read in half the time.
_CODEC = BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")
_EPOCH = "seconds since 1970-01-01T00:00:00"
MAPPING = "spatial_ref"  # the name that rioxarray, odc and GDAL look for
METADATA = "zarr.json"
_LONG_NAMES = {
    "VV": "gamma nought, radiometrically terrain-corrected, VV",
    "VH": "gamma nought, radiometrically terrain-corrected, VH",
    HEIGHTS: "height of the surface",
}
DIRECTIONS = {"s1asc": "ascending", "s1dsc": "descending"}


def create_store(folder: Path, found: Found, grid: GeoBox) -> None:
    """Create the store of a scene without its pixels.

    Args:
        folder: A new folder.
        found: The acquisitions.
        grid: The grid of the scene.
    """
    root = zarr.create_group(folder, zarr_format=3, overwrite=True)
    for orbit, series in found.acquisitions.items():
        group = root.create_group(orbit)
        times = np.array([one.time for one in series]).astype("datetime64[s]").astype(np.int64)
        _add_coordinates(group, times, grid)
        for band in BANDS:
            attributes = {"units": "dB", "standard_name": "surface_backwards_scattering_coefficient_of_radar_wave"}  # fmt: skip
            _add_raster(group, band, (len(series), *grid.shape.yx), attributes)
        if found.heights:
            _add_raster(group, HEIGHTS, grid.shape.yx, {"units": "m"})


def _add_raster(
    group: zarr.Group, name: str, shape: tuple[int, ...], attributes: Mapping[str, str]
) -> None:
    """Add an array of NaN; its chunks are of one acquisition, as maps are read."""
    dims = ("time", "y", "x")[-len(shape) :]
    chunks = (1, CHUNK_PX, CHUNK_PX)[-len(shape) :]
    group.create_array(
        name,
        shape=shape,
        chunks=tuple(min(pair) for pair in zip(chunks, shape, strict=True)),
        dtype="float32",
        fill_value=np.nan,
        compressors=_CODEC,
        dimension_names=dims,
        attributes={"long_name": _LONG_NAMES[name], "grid_mapping": MAPPING, **attributes},
    )


def _add_coordinates(group: zarr.Group, times: np.ndarray, grid: GeoBox) -> None:
    """Add times, the pixels' centres and the grid mapping."""
    west, _, _, north = grid.boundingbox
    height, width = grid.shape.yx
    step = float(grid.resolution.x)
    metres = {"units": "m"}
    x = {"standard_name": "projection_x_coordinate", "long_name": "easting", "axis": "X"} | metres
    y = {"standard_name": "projection_y_coordinate", "long_name": "northing", "axis": "Y"} | metres
    time = {"standard_name": "time", "long_name": "start of the acquisition, UTC", "axis": "T"}
    _add_values(group, "x", west + step * (np.arange(width) + 0.5), x)
    _add_values(group, "y", north - step * (np.arange(height) + 0.5), y)
    _add_values(group, "time", times, time | {"units": _EPOCH, "calendar": "proleptic_gregorian"})
    _add_values(group, MAPPING, np.array(0, np.int32), describe_crs(grid))


def _add_values(
    group: zarr.Group, name: str, values: np.ndarray, attributes: Mapping[str, Any]
) -> None:
    dims = (name,) if values.ndim else ()
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=values.shape,
        dtype=values.dtype,
        dimension_names=dims,
        attributes=dict(attributes),
    )
    array[...] = values


def describe_crs(grid: GeoBox) -> dict[str, Any]:
    """Return the attributes of the grid mapping: CF's, WKT, and GDAL's GeoTransform."""
    crs = pyproj.CRS.from_user_input(str(grid.crs))
    west, _, _, north = grid.boundingbox
    step = float(grid.resolution.x)
    transform = " ".join(f"{number:.10g}" for number in (west, step, 0, north, 0, -step))
    return {**crs.to_cf(), "spatial_ref": crs.to_wkt(), "GeoTransform": transform}


def describe_group(
    found: Found, series: tuple[Acquisition, ...], grid: GeoBox, assets: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the attributes of an orbit's group.

    Args:
        found: The search's result.
        series: The orbit's acquisitions.
        grid: The grid of the scene.
        assets: Per acquisition, what `data.assemble.assets` tells of its assets.
    """
    orbit = series[0].orbit
    tracks = sorted({one.track for one in series})
    attributes = {
        "crs": str(grid.crs),
        "event_date": format_time(found.event),
        "modality": orbit,
        "sat:orbit_state": DIRECTIONS.get(orbit, orbit),
        "sat:relative_orbit": tracks[0] if len(tracks) == 1 else tracks,
        "platform": ", ".join(sorted({one.platform for one in series})),
        "acquisitions": assets,
    }
    return attributes | mark(found)


def mark(found: Found) -> dict[str, str]:
    """Return the attribute of simulated pixels; empty for real ones."""
    return {SYNTHETIC: f"simulated, as {found.source} says"} if found.synthetic else {}


def format_time(time: np.datetime64) -> str:
    """Return a time in UTC to the second, such as ``2018-09-05T18:08:00``."""
    return str(time.astype("datetime64[s]"))


def set_attributes(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Replace the attributes of a group, in one step: no reader and no killed process sees half of them."""
    file = folder / METADATA
    content = json.dumps(read_json(file) | {"attributes": dict(attributes)}, indent=1)
    write_atomically(file, lambda path: path.write_text(content, encoding="utf-8"))


def read_attributes(folder: Path) -> dict[str, Any] | None:
    """Return the attributes of a store's root group; None if the folder is no Zarr store of version 3."""
    file = folder / METADATA
    if not file.is_file():
        return None
    attributes = read_json(file).get("attributes")
    return attributes if isinstance(attributes, dict) else {}
