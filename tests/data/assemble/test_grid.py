"""The grid of a scene: 10 m, UTM of the area's middle, anywhere on Earth, or refused by name."""

import numpy as np
import pyproj
import pytest
import shapely
from shapely.geometry import box

from data.assemble.grid import MAX_SCALE_ERROR, find_zone, make_grid


@pytest.mark.parametrize(
    ("bounds", "epsg"),
    [
        ((141.8, 42.6, 142.1, 42.8), 32654),
        ((-64.9, -3.2, -64.6, -3.0), 32720),
        ((-0.2, -0.1, 0.1, 0.2), 32630),  # its middle is west of Greenwich, north of the equator
        ((178.6, -18.2, 178.9, -17.9), 32760),
        ((-179.5, 51.4, -179.1, 51.9), 32601),
        ((179.7, 66.0, 180.1, 66.3), 32660),
        ((179.9, 66.0, 180.5, 66.3), 32601),
    ],
)
def test_a_grid_is_in_the_zone_of_the_areas_middle(
    bounds: tuple[float, float, float, float], epsg: int
) -> None:
    area = box(*bounds)
    grid = make_grid(area)
    assert grid.crs is not None
    assert (grid.crs.epsg, find_zone(area)) == (epsg, epsg)
    assert (grid.resolution.x, grid.resolution.y) == (10, -10)
    assert [edge % 10 for edge in grid.boundingbox] == [0, 0, 0, 0]


@pytest.mark.parametrize("bounds", [(141.8, 42.6, 142.1, 42.8), (179.8, -17.2, 180.3, -16.9)])
def test_a_grid_covers_its_area_and_no_more_than_a_pixel_beyond(
    bounds: tuple[float, float, float, float],
) -> None:
    area = box(*bounds)
    grid = make_grid(area)
    project = pyproj.Transformer.from_crs("EPSG:4326", str(grid.crs), always_xy=True)
    edges = shapely.get_coordinates(shapely.segmentize(area, 0.002))
    x, y = project.transform(edges[:, 0], edges[:, 1])
    west, south, east, north = grid.boundingbox
    gaps = np.array([min(x) - west, east - max(x), min(y) - south, north - max(y)])
    assert (gaps > -0.5).all()  # an edge's curve between two projected points
    assert (gaps < 10.5).all()


def test_products_of_the_same_zone_have_the_pixels_of_the_grid() -> None:
    one, other = make_grid(box(141.8, 42.6, 142.1, 42.8)), make_grid(box(141.95, 42.7, 142.2, 42.9))
    west, _, _, north = one.boundingbox
    west_2, _, _, north_2 = other.boundingbox
    assert ((west - west_2) / 10).is_integer()
    assert ((north - north_2) / 10).is_integer()


def test_an_area_on_a_multiple_of_ten_metres_gets_no_row_more() -> None:
    to_degrees = pyproj.Transformer.from_crs("EPSG:32631", "EPSG:4326", always_xy=True)
    corners = [(500_000, 5_000_000), (500_640, 5_000_000), (500_640, 5_000_640), (500_000, 5_000_640)]  # fmt: skip
    area = shapely.Polygon([to_degrees.transform(*corner) for corner in corners])
    assert make_grid(area).shape.yx == (64, 64)


def test_an_area_smaller_than_a_pixel_gets_a_readable_grid() -> None:
    assert min(make_grid(box(10, 50, 10.00001, 50.00001)).shape.yx) >= 2


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((0, 10, 9.5, 12), r"fit into one UTM zone, where lengths are right within 0.2%, but got 0\.59% at 714 km from the central meridian in zone 31N \(EPSG:32631\).*Divide it"),
        ((0, -10, 100, 12), r"but got 100 degrees in zone 39N.*Divide it"),
        ((10, 83.0, 12, 84.5), r"UTM reaches from -80 to 84 degrees, but got latitudes 83 to 84.5.*Choose"),
        ((10, -81.0, 12, -79), r"but got latitudes -81 to -79"),
    ],
)  # fmt: skip
def test_an_area_that_no_zone_holds_is_refused_by_name(
    bounds: tuple[float, float, float, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_grid(box(*bounds))


def test_lengths_on_an_allowed_grid_are_right_within_the_limit() -> None:
    widest = make_grid(box(3 - 3.9, 10, 3 + 3.9, 10.1))
    west, south, east, north = widest.boundingbox
    to_degrees = pyproj.Transformer.from_crs("EPSG:32631", "EPSG:4326", always_xy=True)
    factors = pyproj.Proj("EPSG:32631").get_factors(
        *to_degrees.transform([west, east, east], [south, north, south])
    )
    assert np.abs(np.asarray(factors.meridional_scale) - 1).max() < MAX_SCALE_ERROR * 1.01


def test_an_empty_area_is_refused() -> None:
    with pytest.raises(ValueError, match=r"An area must hold something, but got an empty one"):
        make_grid(shapely.Polygon())
