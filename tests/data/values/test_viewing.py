"""Sentinel-1 flies nearly along the meridian and looks to the right; steep slopes hide from it."""

import numpy as np
import pytest

from data.tiles import ORBITS
from data.twin.regions import REGIONS
from data.values.viewing import (
    ASCENDING,
    DESCENDING,
    find_heading,
    find_layover,
    find_look,
    find_shadow,
    measure_facing,
)


def test_the_orbits_are_those_of_the_data_set() -> None:
    assert (ASCENDING, DESCENDING) == ORBITS


def test_headings_at_the_equator_are_those_of_the_orbit() -> None:
    assert find_heading("s1asc", 0) == pytest.approx(348, abs=0.1)
    assert find_heading("s1dsc", 0) == pytest.approx(192, abs=0.1)


@pytest.mark.parametrize("latitude", [0.0, 30.0, 43.0, 60.0, 75.0])
def test_headings_turn_west_towards_both_poles(latitude: float) -> None:
    for sign in (1, -1):
        ascending, descending = (find_heading(orbit, sign * latitude) for orbit in ORBITS)
        assert ascending == pytest.approx(540 - descending)
        assert 270 < find_heading("s1asc", sign * (latitude + 5)) < ascending <= 348
    assert find_heading("s1asc", 90) == pytest.approx(270)


def test_the_look_is_near_that_of_the_twin_s_tracks() -> None:
    for name in ORBITS:
        for track in REGIONS["hokkaido"].orbits[name].tracks:
            assert find_look(name, 42.7) == pytest.approx(track.look_deg, abs=3)


def test_an_unknown_orbit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"An orbit must be s1asc or s1dsc, but got 's2'\."):
        find_heading("s2", 10)


def test_a_slope_that_rises_in_the_direction_of_look_faces_the_radar() -> None:
    rise = np.tan(np.radians([40.0, 38.0, -40.0, -52.0, np.nan]))
    facing = measure_facing(rise, np.zeros(5), 90.0)  # looks east: western slopes face it
    np.testing.assert_allclose(facing, [40, 38, -40, -52, np.nan], atol=1e-9)
    assert find_layover(facing).tolist() == [True, False, False, False, False]
    assert find_shadow(facing).tolist() == [False, False, False, True, False]
    np.testing.assert_allclose(measure_facing(rise, np.zeros(5), 270.0), -facing, atol=1e-9)
    assert np.abs(measure_facing(np.zeros(2), rise[:2], 90.0)).max() < 1e-9
    assert find_layover(facing, 37.0).tolist()[:2] == [True, True]
