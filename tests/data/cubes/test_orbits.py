"""The orbit direction is found under the names of many producers, and nothing else is taken for one."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from data.cubes.orbits import Directions, find_directions, find_group_modality

TIMES = np.array(["2018-01-01", "2018-01-02"], "datetime64[ns]")


def make_cube(**attributes: Any) -> xr.Dataset:
    bands = {"VV": (("time", "y", "x"), np.zeros((2, 2, 2)))}
    return xr.Dataset(bands, coords={"time": TIMES}, attrs=attributes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("modality", "s1dsc"),
        ("orbit_state", "Descending"),
        ("sat:orbit_state", "descending"),
        ("orbitProperties_pass", "DESCENDING"),
        ("ORBIT_PASS_DIRECTION", "descending"),
        ("pass", b"DESC"),
        ("Orbit_Direction", ["DESCENDING", "DESCENDING"]),
        ("satellite", "s1-dsc"),
    ],
)
def test_an_attribute_names_the_orbit(name: str, value: Any) -> None:
    wanted = Directions("s1dsc", (), name)
    assert find_directions(make_cube(**{name: value}), ["VV"], "here") == wanted
    of_band = make_cube()
    of_band["VV"].attrs[name] = value
    assert find_directions(of_band, ["VV"], "here") == wanted
    if isinstance(value, str):
        assert find_directions(make_cube().assign_coords({name: value}), [], "here") == wanted


@pytest.mark.parametrize("value", ["S1A", 46, "up", ["ascending", "descending"], ""])
def test_another_value_names_no_orbit(value: Any) -> None:
    assert find_directions(make_cube(orbit=value, satellite=value), ["VV"], "here") is None
    other = make_cube().assign_coords(
        orbit=("time", ["046", "068"]), satellite=("time", ["A", "B"])
    )
    assert find_directions(other, ["VV"], "here") is None


def test_each_acquisition_may_have_its_own_orbit() -> None:
    mixed = make_cube().assign_coords({"sat:orbit_state": ("time", ["ascending", "DESCENDING"])})
    found = find_directions(mixed, [], "here")
    assert found == Directions(None, ("s1asc", "s1dsc"), "sat:orbit_state")
    same = make_cube().assign(orbital_dir=("time", ["asc", "asc"]))
    assert find_directions(same, [], "here") == Directions("s1asc", (), "orbital_dir")


def test_groups_are_named_by_modality_or_direction() -> None:
    names = ("s1asc", "S1DSC", "Ascending", "desc", "s2", "data", "a")
    wanted = ["s1asc", "s1dsc", "s1asc", "s1dsc", "s2", None, None]
    assert [find_group_modality(name) for name in names] == wanted
