"""Areas and lengths on the ground (WGS 84's ellipsoid, or that of the coordinate system) of pixels in any projection.

No projection keeps lengths everywhere: a pixel of 10 x 10 m is 53 m2 in Web Mercator at 43 degrees north, 100.08 m2 on the
central meridian of a UTM zone and 97 m2 ten degrees from it. So areas are those of geodesic polygons.

Reference:
    Karney (2013), Algorithms for geodesics, Journal of Geodesy 87, doi:10.1007/s00190-012-0578-z (``pyproj.Geod``).
"""

from collections.abc import Sequence

import numpy as np
import pyproj

CELL_PX = 64  # side of the squares that are measured: a geodesic area is off by 0.1 m2 per corner
NODE_PX = 512  # between these squares; in between, areas are interpolated
MAX_NODES = 129
LINE_POINTS = 33

Affine = Sequence[float]  # a, b, c, d, e, f from column and row to x and y; north-up, so b = d = 0


class PixelAreas:
    """The area on the ground of each pixel of a north-up grid.

    Measured on squares of ``CELL_PX`` pixels about every ``NODE_PX`` pixels, and interpolated linearly.

    Args:
        crs: The grid's coordinate system: any unit, projected or not.
        transform: Affine coefficients ``(a, b, c, d, e, f)`` from column and row to the corner of a pixel.
        height: Number of rows.
        width: Number of columns.
    """

    def __init__(self, crs: str | pyproj.CRS, transform: Affine, height: int, width: int) -> None:
        self._rows, self._columns = _place_nodes(height), _place_nodes(width)
        self._width = width
        known = pyproj.CRS.from_user_input(crs)
        column, row = np.meshgrid(self._columns, self._rows)
        self._nodes = _measure_squares(known, transform, column, row)

    def read(self, first_row: int, rows: int) -> np.ndarray:
        """Return the areas of some rows in m2, shape ``(rows, W)``, float64."""
        along = np.arange(self._width) + 0.5
        at = np.arange(first_row, first_row + rows) + 0.5
        across = [np.interp(along, self._columns, nodes) for nodes in self._nodes]
        return _interpolate_rows(at, self._rows, np.stack(across))


def _place_nodes(size: int) -> np.ndarray:
    """Return the positions of nodes along a side of a grid, in pixels from its edge."""
    count = int(np.clip(-(-size // NODE_PX) + 1, 2, MAX_NODES))
    return np.linspace(0, size, count)


def _interpolate_rows(at: np.ndarray, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interpolate values ``(K, W)`` of some rows ``(K,)`` to others ``(H,)``, shape ``(H, W)``."""
    upper = np.clip(np.searchsorted(rows, at) - 1, 0, len(rows) - 2)
    share = ((at - rows[upper]) / (rows[upper + 1] - rows[upper]))[:, None]
    return np.asarray((1 - share) * values[upper] + share * values[upper + 1])


def _measure_squares(
    crs: pyproj.CRS, transform: Affine, column: np.ndarray, row: np.ndarray
) -> np.ndarray:
    """Return the mean area of the pixels of squares around some positions, in m2, shape of *column*."""
    a, _, c, _, e, f = transform[:6]
    reach = CELL_PX / 2
    corners = [
        _to_degrees(crs, c + a * (column + right * reach), f + e * (row + down * reach))
        for right, down in ((-1, -1), (-1, 1), (1, 1), (1, -1))
    ]
    longitudes, latitudes = (
        np.stack(each, axis=-1).reshape(-1, 4) for each in zip(*corners, strict=True)
    )
    geod = _find_geod(crs)
    areas = [
        abs(geod.polygon_area_perimeter(x, y)[0]) / CELL_PX**2
        if np.isfinite([x, y]).all()
        else np.nan
        for x, y in zip(longitudes, latitudes, strict=True)
    ]
    unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    nominal = abs(a * e) * unit**2  # outside the system's area, such as made-up coordinates
    measured = np.reshape(areas, np.shape(column))
    return np.where(np.isfinite(measured), measured, nominal)


def _to_degrees(crs: pyproj.CRS, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude on the ellipsoid of the coordinate system; infinite outside its area."""
    geographic = crs.geodetic_crs
    if geographic is None:
        return np.full(np.shape(x), np.inf), np.full(np.shape(y), np.inf)
    transformer = pyproj.Transformer.from_crs(crs, geographic, always_xy=True)
    longitude, latitude = transformer.transform(x, y)
    return np.asarray(longitude), np.asarray(latitude)


def _find_geod(crs: pyproj.CRS) -> pyproj.Geod:
    return crs.get_geod() or pyproj.Geod(ellps="WGS84")


def find_north(crs: str | pyproj.CRS, x: float, y: float) -> tuple[float, float] | None:
    """Return the latitude of a place, and the direction there in which y grows, in degrees clockwise from true north.

    None outside the system's area.
    """
    known = pyproj.CRS.from_user_input(crs)
    longitude, latitude = _to_degrees(known, np.array([x, x]), np.array([y, y + 1000.0]))
    if not np.isfinite([longitude, latitude]).all():
        return None
    azimuth, _, _ = _find_geod(known).inv(longitude[0], latitude[0], longitude[1], latitude[1])
    return float(latitude[0]), float(azimuth)


def measure_line(
    crs: str | pyproj.CRS, start: tuple[float, float], stop: tuple[float, float]
) -> float:
    """Return the length on the ground of a straight line of a map, in m; NaN outside the system's area.

    Args:
        crs: The map's coordinate system.
        start: x and y of one end.
        stop: x and y of the other.
    """
    known = pyproj.CRS.from_user_input(crs)
    x, y = (np.linspace(*ends, LINE_POINTS) for ends in zip(start, stop, strict=True))
    longitude, latitude = _to_degrees(known, x, y)
    if not np.isfinite([longitude, latitude]).all():
        return float("nan")
    return float(_find_geod(known).line_length(longitude, latitude))
