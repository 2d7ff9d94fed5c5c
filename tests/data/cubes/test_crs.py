"""A coordinate system is found wherever producers write it; no data is what a variable says."""

from typing import Any

import numpy as np
import pyproj
import pytest
import xarray as xr

from data.cubes.crs import find_crs, mask_nodata

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


@pytest.mark.parametrize(
    ("attributes", "encoding", "empty"),
    [
        ({"nodata": -32768}, {}, -32768),
        ({"nodatavals": (0.0,)}, {}, 0),
        ({"missing_value": "-1"}, {}, -1),
        ({"nodata": -32768}, {"scale_factor": 0.01}, -327.68),
        ({"nodata": "none", "_FillValue": np.nan}, {}, None),
    ],
)
def test_a_variables_own_no_data_becomes_nan(
    attributes: dict[str, Any], encoding: dict[str, Any], empty: float | None
) -> None:
    values = np.array([-12.5, 1.0 if empty is None else empty], np.float32)
    variable = xr.DataArray(values, attrs=attributes)
    variable.encoding = encoding
    assert np.isnan(mask_nodata(values, variable)).tolist() == [False, empty is not None]
