"""Longitude and latitude between the corners of the mesh are those of the projection, in any zone."""

import numpy as np
import pyproj
import pytest

from data.scene.georeference import Grid
from tuning.predict.page.lonlat import CELLS, make_mesh, wrap


def interpolate(values: np.ndarray, x: float, y: float) -> float:
    """Return the value at a share of the width and height, as the page's script does."""
    left, top = (min(int(at * CELLS), CELLS - 1) for at in (x, y))
    along, down = x * CELLS - left, y * CELLS - top
    upper, lower = (
        row[left] + along * (row[left + 1] - row[left]) for row in (values[top], values[top + 1])
    )
    return float(upper + down * (lower - upper))


@pytest.mark.parametrize(
    ("crs", "west", "north", "side"),
    [
        ("EPSG:32654", 570_880.0, 4_738_560.0, 12_000),
        ("EPSG:32633", 300_000.0, 6_700_000.0, 12_000),  # 60 degrees north
        ("EPSG:32719", 400_000.0, 7_000_000.0, 3_000),  # southern hemisphere
        ("EPSG:32660", 560_000.0, 8_000_000.0, 8_000),  # across the antimeridian
    ],
)
def test_interpolated_degrees_are_within_a_metre(
    crs: str, west: float, north: float, side: int
) -> None:
    grid = Grid(crs, west, north, 10.0, side, side)
    mesh = make_mesh(grid)
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    geod = pyproj.Geod(ellps="WGS84")
    rng = np.random.default_rng(0)
    for x, y in rng.random((60, 2)):
        wanted = to_degrees.transform(west + 10 * side * x, north - 10 * side * y)
        found = (
            wrap(interpolate(mesh.longitude, x, y)),
            interpolate(mesh.latitude, x, y),
        )
        assert geod.inv(*wanted, *found)[2] < 1.0


def test_a_scene_across_the_antimeridian_has_no_jump() -> None:
    mesh = make_mesh(Grid("EPSG:32660", 560_000.0, 8_000_000.0, 10.0, 8_000, 8_000))
    assert np.abs(np.diff(mesh.longitude, axis=1)).max() < 1
    assert mesh.longitude.max() > 180
    assert -180 <= wrap(float(mesh.longitude.max())) < -170


def test_coordinates_outside_the_system_are_unknown() -> None:
    mesh = make_mesh(Grid("EPSG:32654", 1e9, 1e9, 10.0, 100, 100))
    assert mesh.as_lists() is None
    assert np.isnan(mesh.middle).all()
