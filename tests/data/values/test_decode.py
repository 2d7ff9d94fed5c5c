"""Packed numbers are decoded as xarray decodes a file, and attributes that xarray leaves are obeyed too."""

import sys
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

from data.values.decode import decode, decode_rest, is_packed, read_attributes

WHOLE = np.array([[-1250, -32768, 100]], np.int16)
FLOATS = np.array([[-12.5, -40, 1]], np.float32)
NAN = np.nan


@pytest.mark.parametrize(
    ("stored", "attributes", "wanted"),
    [
        (FLOATS, {"scale_factor": 2.0}, [-25, -80, 2]),
        (FLOATS, {"add_offset": 5.0}, [-7.5, -35, 6]),
        (FLOATS, {"missing_value": np.float32(-40)}, [-12.5, NAN, 1]),
        (FLOATS, {"_FillValue": np.float32(1), "missing_value": np.float32(-40)}, [-12.5, NAN, NAN]),
        (FLOATS, {"nodata": -40}, [-12.5, NAN, 1]),
        (FLOATS, {"nodatavals": (1.0,)}, [-12.5, -40, NAN]),
        (FLOATS, {"valid_range": np.array([-30, 0], "f4")}, [-12.5, NAN, NAN]),
        (FLOATS, {"valid_min": np.float32(-30)}, [-12.5, NAN, 1]),
        (WHOLE, {"scale_factor": 0.01, "_FillValue": np.int16(-32768)}, [-12.5, NAN, 1]),
        (WHOLE, {"scale_factor": 0.01, "nodata": -32768}, [-12.5, NAN, 1]),
        (WHOLE, {"scale_factor": 0.01, "valid_range": np.array([-2000, 0], "i2")}, [-12.5, NAN, NAN]),
        (WHOLE.astype("i1"), {"_Unsigned": "true", "scale_factor": 1.0}, [30, 0, 100]),
    ],
)  # fmt: skip
def test_attributes_are_obeyed(
    stored: np.ndarray, attributes: dict[str, Any], wanted: list[float]
) -> None:
    found = decode(stored, attributes)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], np.array(wanted, np.float32), rtol=1e-6)


@pytest.mark.parametrize(
    "attributes", [{}, {"_FillValue": np.nan}, {"units": "dB"}, {"nodata": "none"}]
)
def test_values_that_are_not_packed_are_given_back(attributes: dict[str, Any]) -> None:
    assert decode(FLOATS, attributes) is FLOATS
    assert not is_packed(attributes)


def test_a_scale_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="scale_factor must be a number, but got 'ten'"):
        decode(FLOATS, {"scale_factor": "ten"})


@pytest.mark.parametrize("extra", [{}, {"valid_max": np.int16(0)}, {"nodata": np.int16(100)}])
def test_a_file_opened_by_xarray_and_one_read_raw_have_the_same_values(
    extra: dict[str, Any], tmp_path: Path
) -> None:
    attributes = {"scale_factor": 0.01, "add_offset": -1.0, "_FillValue": np.int16(-32768), **extra}
    xr.Dataset({"VV": (("y", "x"), WHOLE, attributes)}).to_netcdf(tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        file.set_auto_maskandscale(False)
        raw = decode(np.asarray(file["VV"][:]), read_attributes(file["VV"]))
    with xr.open_dataset(tmp_path / "a.nc") as dataset:
        opened = decode_rest(dataset["VV"].values, dataset["VV"].attrs, dataset["VV"].encoding)
    np.testing.assert_array_equal(raw, opened)
    assert np.isnan(raw).any()


def test_packed_values_without_xarray_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A served model's environment need not have it; fill values alone do without."""
    monkeypatch.setitem(sys.modules, "xarray", None)
    values = np.array([[-12.0, -9999.0]], np.float32)
    found = decode(values, {"_FillValue": -9999.0})
    np.testing.assert_array_equal(found, np.array([[-12.0, np.nan]], np.float32))
    with pytest.raises(ValueError, match=r"need xarray, but it is not installed\. Install it: pip"):
        decode(values, {"scale_factor": 0.01})
