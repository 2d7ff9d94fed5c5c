"""The pixel grid of a scene: 10 m, in the UTM zone of the area's middle, either hemisphere, on both sides of the antimeridian."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely

from data.io.safe_json import refused_error
from data.tiles.rules import PIXEL_M

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox
    from shapely.geometry.base import BaseGeometry

# Lengths in UTM are 0.04 % short on a zone's central meridian and 0.1 % long at its edge on the equator. A wider area is
# taken until they are 0.2 % long, 2 cm of a pixel and 440 km from the meridian: a zone's neighbour would be as far off at
# the area's other end, and backscatter of another zone's grid has to be resampled anyway.
MAX_SCALE_ERROR = 0.002
SOUTH, NORTH = -80.0, 84.0  # where UTM ends
LEAST_PX = 2  # of a datacube's sides
_STEP_DEGREES = 0.05  # between the points of an edge that are projected
_MAX_WIDTH_DEGREES = 60.0  # far beyond any zone; wider areas are not worth projecting
_ROUNDING = 1e-6  # of a pixel: an edge on a multiple of 10 m stays there
_DIVIDE = "Divide it, and make a scene of each part."


def find_zone(area: BaseGeometry) -> int:
    """Return the EPSG code of the UTM zone of an area's middle, such as 32654.

    Args:
        area: In longitude and latitude, WGS 84; longitudes may go on past 180.

    Raises:
        ValueError: If the area reaches beyond the latitudes of UTM.
    """
    west, south, east, north = area.bounds
    if south < SOUTH or north > NORTH:
        got = f"latitudes {south:g} to {north:g}"
        remedy = "Choose an area between these latitudes."
        raise refused_error(
            f"UTM reaches from {SOUTH:g} to {NORTH:g} degrees", got, "the area", remedy
        )
    longitude = ((west + east) / 2 + 180) % 360
    zone = min(int(longitude // 6) + 1, 60)
    return (32600 if south + north >= 0 else 32700) + zone


def make_grid(area: BaseGeometry) -> GeoBox:
    """Return the grid of 10 m around an area.

    Args:
        area: In longitude and latitude, WGS 84; beyond the antimeridian longitudes go on past 180.

    Returns:
        Rows run south; its corners are multiples of 10 m, so it has the pixels of products of the same zone.

    Raises:
        ValueError: If the area is empty, or too wide or too far north or south for one UTM zone.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    if area.is_empty:
        raise refused_error("An area must hold something", "an empty one", "the area", _DIVIDE)
    epsg = find_zone(area)
    west, south, east, north = _project_bounds(area, epsg)
    left, top = _floor(west), -_floor(-north)
    width = max(-_floor(-east) - left, LEAST_PX)
    height = max(top - _floor(south), LEAST_PX)
    transform = Affine(PIXEL_M, 0, left * PIXEL_M, 0, -PIXEL_M, top * PIXEL_M)
    return GeoBox((height, width), transform, f"EPSG:{epsg}")


def _floor(metres: float) -> int:
    """Return the number of the pixel edge at or below a coordinate."""
    return math.floor(metres / PIXEL_M + _ROUNDING)


def _project_bounds(area: BaseGeometry, epsg: int) -> tuple[float, float, float, float]:
    """Return the bounds of an area in a UTM zone, in m, after a check of the scale there."""
    west, _, east, _ = area.bounds
    if east - west > _MAX_WIDTH_DEGREES:
        raise _too_wide(f"{east - west:g} degrees", epsg)
    edges = shapely.get_coordinates(shapely.segmentize(area, _STEP_DEGREES))
    project = pyproj.Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True)
    x, y = project.transform(edges[:, 0], edges[:, 1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise _too_wide("a part that cannot be projected", epsg)
    farthest = int(np.argmax(np.abs(np.asarray(x) - 500_000)))
    longitude, latitude = edges[farthest]
    factors = pyproj.Proj(f"EPSG:{epsg}").get_factors((longitude + 180) % 360 - 180, latitude)
    error = float(factors.meridional_scale) - 1
    if not error <= MAX_SCALE_ERROR:
        away = abs(float(x[farthest]) - 500_000) / 1000
        raise _too_wide(f"{error:.2%} at {away:,.0f} km from the central meridian", epsg)
    return float(min(x)), float(min(y)), float(max(x)), float(max(y))


def _too_wide(got: str, epsg: int) -> ValueError:
    zone, side = epsg % 100, "N" if epsg < 32700 else "S"
    rule = (
        f"An area must fit into one UTM zone, where lengths are right within {MAX_SCALE_ERROR:.1%}"
    )
    return refused_error(rule, got, f"zone {zone}{side} (EPSG:{epsg}) of its middle", _DIVIDE)
