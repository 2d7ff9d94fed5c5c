"""Areas and lengths on the ground hold to 1 % and better in any coordinate system, up to 70 degrees north."""

from math import cos, isnan, radians, sin, sqrt

import numpy as np
import pyproj
import pytest
from shapely.geometry import Polygon

from data.cubes.ground import PixelAreas, find_north, measure_line

# Web Mercator, UTM far from its meridian, Lambert conformal, polar stereographic, feet, degrees.
PLACES = [
    ("EPSG:3857", 142.0, 43.0, 10.0),
    ("EPSG:3857", 20.0, 69.0, 10.0),
    ("EPSG:32633", 25.0, 60.0, 10.0),
    ("EPSG:32654", 141.9, 42.7, 10.0),
    ("EPSG:3034", 10.0, 70.0, 10.0),
    ("EPSG:3413", -45.0, 62.0, 10.0),
    ("EPSG:2263", -74.0, 40.7, 32.81),
    ("EPSG:4326", 20.0, 69.5, 1e-4),
    ("EPSG:3832", 179.99, 52.0, 10.0),  # across 180 degrees
]


def place(crs: str, longitude: float, latitude: float) -> tuple[float, float]:
    turn = pyproj.Transformer.from_crs(pyproj.CRS(crs).geodetic_crs, crs, always_xy=True)
    x, y = turn.transform(longitude, latitude)
    return float(x), float(y)


@pytest.mark.parametrize(("crs", "longitude", "latitude", "side"), PLACES)
def test_areas_add_up_to_those_of_geodesic_polygons(
    crs: str, longitude: float, latitude: float, side: float
) -> None:
    """A scene of 30 x 20 km: the ring follows its edges in steps of 300 m."""
    height, width = 2000, 3000
    west, north = place(crs, longitude, latitude)
    areas = PixelAreas(crs, (side, 0, west, 0, -side, north), height, width)
    east, south = west + width * side, north - height * side
    ring = Polygon([(west, north), (east, north), (east, south), (west, south)]).segmentize(
        30 * side
    )
    turn = pyproj.Transformer.from_crs(crs, pyproj.CRS(crs).geodetic_crs, always_xy=True)
    known = pyproj.CRS(crs).get_geod()
    assert known is not None
    wanted = abs(known.polygon_area_perimeter(*turn.transform(*ring.exterior.xy))[0])
    found = sum(float(areas.read(row, 500).sum()) for row in range(0, height, 500))
    assert found == pytest.approx(wanted, rel=1e-4)


def test_strips_have_the_values_of_the_whole_grid() -> None:
    areas = PixelAreas("EPSG:3857", (10, 0, 2.2e6, 0, -10, 1.1e7), 1400, 30)
    whole = areas.read(0, 1400)
    assert whole.shape == (1400, 30)
    np.testing.assert_array_equal(
        np.concatenate([areas.read(0, 333), areas.read(333, 1067)]), whole
    )
    assert (np.diff(whole[:, 0]) > 0).all()  # Mercator: larger towards the south


def test_web_mercator_is_shrunk_by_the_squared_cosine_of_the_latitude() -> None:
    west, north = place("EPSG:3857", 20.0, 69.0)
    area = PixelAreas("EPSG:3857", (10, 0, west, 0, -10, north), 1, 1).read(0, 1)[0, 0]
    # on the ellipsoid: radii of curvature of the meridian and the parallel, as shares of the equator's
    e2, phi = 0.00669437999, radians(69.0)
    bend = 1 - e2 * sin(phi) ** 2
    wanted = 100 * cos(phi) ** 2 * (1 - e2) / bend**1.5 / sqrt(bend)
    assert area == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(("crs", "longitude", "latitude", "side"), PLACES)
def test_a_line_has_its_geodesic_length(
    crs: str, longitude: float, latitude: float, side: float
) -> None:
    west, north = place(crs, longitude, latitude)
    turn = pyproj.Transformer.from_crs(crs, pyproj.CRS(crs).geodetic_crs, always_xy=True)
    ends = turn.transform([west, west + 100 * side], [north, north])
    known = pyproj.CRS(crs).get_geod()
    assert known is not None
    wanted = known.line_length(*ends)
    assert measure_line(crs, (west, north), (west + 100 * side, north)) == pytest.approx(
        wanted, rel=1e-4
    )


def test_outside_a_system_s_area_pixels_have_their_nominal_size() -> None:
    nowhere = 1e12
    areas = PixelAreas("EPSG:32654", (10, 0, nowhere, 0, -10, nowhere), 3, 2)
    assert areas.read(0, 3).tolist() == [[100.0, 100.0]] * 3
    assert isnan(measure_line("EPSG:32654", (nowhere, nowhere), (2 * nowhere, nowhere)))


def test_the_north_of_a_grid_is_that_of_its_meridian_turned_by_the_convergence() -> None:
    middle = find_north("EPSG:32654", 500_000.0, 4_738_560.0)
    assert middle == pytest.approx((42.8, 0.0), abs=0.01)
    west, north = place("EPSG:32654", 143.0, 43.0)  # two degrees east of the central meridian
    found = find_north("EPSG:32654", west, north)
    assert found == pytest.approx((43.0, 2 * sin(radians(43.0))), abs=0.01)
    assert find_north("EPSG:32654", 1e12, 1e12) is None
