"""Footprints reach the blocks that they touch, on either side of the antimeridian."""

import numpy as np
import pytest
from shapely.geometry import box, mapping

from data.assemble.footprints import find_extent, read_footprint, touches, unwrap
from data.assemble.grid import make_grid

FIJI = box(179.9, -17.1, 180.1, -16.9)


def square(west: float, south: float, east: float, north: float) -> dict[str, object]:
    return mapping(box(west, south, east, north))  # type: ignore[no-any-return]


def test_the_outline_of_a_grid_goes_on_past_180() -> None:
    west, south, east, north = find_extent(make_grid(FIJI)).bounds
    np.testing.assert_allclose((west, south, east, north), FIJI.bounds, atol=0.005)


@pytest.mark.parametrize(
    ("geometry", "reaches"),
    [
        (square(179, -18, 180, -16), True),
        (square(-180, -18, -179, -16), True),
        (square(180, -18, 181, -16), True),  # as the search writes what lies beyond
        (square(170, -18, 179.7, -16), False),
        (square(-179.7, -18, -170, -16), False),
        (square(-1, -18, 1, -16), False),
        ({"type": "MultiPolygon", "coordinates": [square(179, -18, 180, -16)["coordinates"], square(-180, -18, -179, -16)["coordinates"]]}, True),
        ({"type": "Polygon", "coordinates": [[[179.5, -18], [-179.5, -18], [-179.5, -16], [179.5, -16], [179.5, -18]]]}, True),
        (None, True),
    ],
)  # fmt: skip
def test_frames_on_both_sides_of_the_antimeridian_reach_a_block(
    geometry: dict[str, object] | None, reaches: bool
) -> None:
    assert touches(read_footprint(geometry), find_extent(make_grid(FIJI))) is reaches


def test_a_footprint_that_ends_within_a_few_kilometres_counts_as_touching() -> None:
    extent = find_extent(make_grid(box(10, 50, 10.1, 50.1)))
    assert touches(box(10.13, 50, 11, 50.1), extent)
    assert not touches(box(10.2, 50, 11, 50.1), extent)


def test_longitudes_without_a_jump_stay() -> None:
    np.testing.assert_array_equal(unwrap(np.array([-70.0, -69.0])), [-70, -69])
    np.testing.assert_array_equal(unwrap(np.array([179.0, -179.0])), [179, 181])
