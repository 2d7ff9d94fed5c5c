"""A coordinate system is found wherever producers write it; no data is what a variable says."""

from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr

from data.cubes.crs import find_crs

WKT = pyproj.CRS("EPSG:32654").to_wkt()


def make_cube(**variables: Any) -> xr.Dataset:
    return xr.Dataset({"VV": (("y", "x"), np.zeros((2, 2)))}).assign(variables)


@pytest.mark.parametrize(
    ("cube", "wanted"),
    [
        (make_cube().assign_attrs(crs="EPSG:32654"), "EPSG:32654"),
        (make_cube().assign_attrs(epsg=32654), "EPSG:32654"),
        (make_cube().assign_attrs({"proj:code": "EPSG:32654"}), "EPSG:32654"),
        (make_cube(crs=((), b"", {"crs_wkt": WKT})), WKT),
        (make_cube(spatial_ref=((), 32654)), "EPSG:32654"),
        (make_cube(spatial_ref=((), 0, {"spatial_ref": WKT})), WKT),
        (make_cube(**{"proj:epsg": ((), 32654.0)}), "EPSG:32654"),
        (make_cube(VV=(("y", "x"), np.zeros((2, 2)), {"crs": "EPSG:32654"})), "EPSG:32654"),
        (make_cube(spatial_ref=((), 0)).assign_attrs(crs=""), None),
        (make_cube(crs=(("y",), ["a", "b"])), None),
    ],
)
def test_the_coordinate_system_is_found(cube: xr.Dataset, wanted: str | None) -> None:
    assert find_crs(cube) == wanted
