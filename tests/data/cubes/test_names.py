"""Names that stand for backscatter are found in any case, and no other."""

from collections.abc import Hashable

import numpy as np
import pytest
import xarray as xr

from data.cubes.names import find_polarisation, find_sigma, rename_bands, rename_dims, split_bands


@pytest.mark.parametrize(
    "name",
    ["VV", "vv", "Gamma0_VV", "gamma0_vv", "sigma0_VV", "VV_db", "vv_gamma0", "S1_GRD_VV", "sig0-vv"],
)  # fmt: skip
def test_backscatter_has_many_names(name: str) -> None:
    assert find_polarisation(name) == "VV"
    assert find_polarisation(name.upper().replace("VV", "VH")) == "VH"


@pytest.mark.parametrize(
    "name",
    ["VVVH", "vv_vh", "VV_mask", "VV_amplitude", "beta0_vv", "VV_mean", "angle", "ndvi", "HH", "", 3],
)  # fmt: skip
def test_other_names_are_no_backscatter(name: Hashable) -> None:
    assert find_polarisation(name) is None


def make_cube(*names: str, dims: tuple[str, ...] = ("time", "y", "x")) -> xr.Dataset:
    return xr.Dataset({name: (dims, np.zeros((2,) * len(dims), np.float32)) for name in names})


def test_a_variable_that_has_the_name_already_is_taken() -> None:
    cube = make_cube("VV", "VV_db", "vh", "elevation")
    renamed, found = rename_bands(cube, "here")
    assert found == {"vh": "VH", "elevation": "DEM"}
    assert set(renamed) == {"VV", "VV_db", "VH", "DEM"}
    with pytest.raises(
        ValueError, match=r"One variable must be DEM, but got dem, elevation in here\. Keep one"
    ):
        rename_bands(make_cube("dem", "elevation"), "here")  # fmt: skip


@pytest.mark.parametrize(
    "dims", [("t", "y", "x"), ("time", "Y", "X"), ("time", "northing", "easting"), ("date", "lat", "lon")]
)  # fmt: skip
def test_dimensions_have_many_names(dims: tuple[str, ...]) -> None:
    renamed, found = rename_dims(make_cube("VV", dims=dims), "here")
    assert renamed["VV"].dims == ("time", "y", "x")
    assert set(found.values()) == {
        new for old, new in zip(dims, ("time", "y", "x"), strict=True) if old != new
    }


def test_a_dimension_of_one_band_is_dropped() -> None:
    cube = make_cube("VV", "VH").expand_dims(band=[1], axis=1)
    split, dim = split_bands(cube, "here")
    assert dim is None
    assert split["VH"].dims == ("time", "y", "x")


def test_a_band_keeps_its_chunks_without_the_dimension_of_bands() -> None:
    cube = make_cube("s1", dims=("time", "band", "y", "x")).assign_coords(band=["vv", "vh"])
    cube["s1"].encoding = {"chunksizes": (1, 2, 512, 256), "dtype": np.dtype("f4")}
    split, dim = split_bands(cube, "here")
    assert dim == "band"
    assert split["VV"].encoding["chunks"] == (1, 512, 256)
    cube["s1"].encoding["chunksizes"] = (1, 2, 16384, 16384)
    with pytest.raises(ValueError, match="chunk must have at most 268,435,456 bytes"):
        split_bands(cube, "here")


def test_sigma_nought_is_told_by_name_or_description() -> None:
    assert find_sigma(make_cube("VV"), ["sigma0_VV"]) == "sigma0_VV"
    assert find_sigma(make_cube("VV"), ["gamma0_VV", "sigma_of_noise"]) is None
    cube = make_cube("VV", "VH")
    cube["VH"].attrs["long_name"] = "Sigma nought in VH"
    assert find_sigma(cube, ["VV", "VH"]) == "Sigma nought in VH"
