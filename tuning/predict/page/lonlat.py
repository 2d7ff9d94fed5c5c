"""Longitude and latitude of a map's pixels for a page, which has no library of projections: a mesh to interpolate in."""

from dataclasses import dataclass

import numpy as np
import pyproj

from data.scene.georeference import Grid

CELLS = 32  # along each side; of a scene of 120 km in UTM at 60 degrees north, bilinear interpolation is off by half a metre
DIGITS = 7  # a centimetre


@dataclass(frozen=True)
class Mesh:
    """Longitude and latitude at the corners of a map's cells.

    Attributes:
        longitude: In degrees, shape ``(33, 33)``, rows from north to south; past 180 in a scene across the antimeridian, NaN outside
            the coordinate system's area.
        latitude: In degrees, same shape.
    """

    longitude: np.ndarray
    latitude: np.ndarray

    @property
    def middle(self) -> tuple[float, float]:
        """Latitude and longitude of the map's middle, the longitude from -180 to 180."""
        half = CELLS // 2
        return float(self.latitude[half, half]), wrap(float(self.longitude[half, half]))

    def as_lists(self) -> tuple[list[float | None], list[float | None]] | None:
        """Return longitudes and latitudes row by row, or None if any is unknown."""
        if not np.isfinite([self.longitude, self.latitude]).all():
            return None
        pair = (values.round(DIGITS).ravel().tolist() for values in (self.longitude, self.latitude))
        longitude, latitude = pair
        return longitude, latitude


def wrap(longitude: float) -> float:
    """Return a longitude from -180 to 180, 180 excluded."""
    return (longitude + 180) % 360 - 180


def make_mesh(grid: Grid) -> Mesh:
    """Compute the mesh of a map's grid."""
    west, south, east, north = grid.frame.bounds
    x, y = np.meshgrid(np.linspace(west, east, CELLS + 1), np.linspace(north, south, CELLS + 1))
    to_degrees = pyproj.Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(x, y)
    outside = ~(np.isfinite(longitude) & np.isfinite(latitude))
    longitude[outside] = latitude[outside] = np.nan
    middle = longitude[CELLS // 2, CELLS // 2]
    if np.isfinite(middle):  # unwrapped around the middle
        longitude = middle + (longitude - middle + 180) % 360 - 180
    return Mesh(longitude, latitude)
