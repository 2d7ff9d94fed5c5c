"""Which frames and bursts reach a block of a scene, also across the antimeridian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from shapely.affinity import translate
from shapely.geometry import shape

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox
    from shapely.geometry.base import BaseGeometry

# Footprints of catalogues are rounded, and those of some know no terrain, which shifts an image by a few km: what ends
# this near to a block is opened, and gives no data where it has none.
MARGIN_DEGREES = 0.05
_EDGE_POINTS = 9  # per side of a block


def find_extent(grid: GeoBox) -> BaseGeometry:
    """Return the outline of a grid in longitude and latitude; beyond the antimeridian longitudes go on past 180."""
    west, south, east, north = grid.boundingbox
    x, y = np.linspace(west, east, _EDGE_POINTS), np.linspace(south, north, _EDGE_POINTS)
    flat = np.full(_EDGE_POINTS, 1.0)
    edge_x = np.concatenate([x, flat * east, x[::-1], flat * west])
    edge_y = np.concatenate([flat * south, y, flat * north, y[::-1]])
    to_degrees = pyproj.Transformer.from_crs(str(grid.crs), "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(edge_x, edge_y)
    return shapely.Polygon(np.stack([unwrap(np.asarray(longitude)), latitude], axis=-1)).buffer(0)


def unwrap(longitude: np.ndarray) -> np.ndarray:
    """Return longitudes without the jump at the antimeridian: those beyond it go on past 180."""
    crosses = float(longitude.max() - longitude.min()) > 180
    return np.where(crosses & (longitude < 0), longitude + 360, longitude)


def read_footprint(geometry: dict[str, Any] | None) -> BaseGeometry | None:
    """Return an item's footprint, in one piece if it crosses the antimeridian; None if it has none."""
    if geometry is None:
        return None
    footprint = shape(geometry)
    return shapely.transform(footprint, _unwrap_points).buffer(0)


def _unwrap_points(points: np.ndarray) -> np.ndarray:
    return np.stack([unwrap(points[:, 0]), points[:, 1]], axis=-1)


def touches(footprint: BaseGeometry | None, extent: BaseGeometry) -> bool:
    """Return whether a footprint reaches a block, or comes near to it; True if it is unknown.

    Args:
        footprint: In longitude and latitude; its longitudes may differ from the block's by whole turns.
        extent: Outline of the block, of `find_extent`.
    """
    if footprint is None:
        return True
    near = extent.buffer(MARGIN_DEGREES)
    turns = (translate(footprint, turn) for turn in (-360, 0, 360))
    return any(near.intersects(one) for one in turns)
