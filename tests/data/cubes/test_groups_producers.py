"""Cubes of other producers are mapped from the same input values as this project's own layout of the same pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from data.scene.base import InputSpec
from data.scene.cube import Cube
from data.scene.datacube import open_cube
from data.scene.windows import Span, Window
from tests.support import producer_cubes as producers
from tests.support.cube_files import Groups, make_groups, write_netcdf

SIZE = (24, 32)
ASCENDING, DESCENDING = (("s1asc:VV", "s1asc:VH"), ("s1dsc:VV", "s1dsc:VH"))
EVENT = np.datetime64("2018-09-05T18:08", "s")

Write = Callable[[Groups, Path], Path]

LAYOUTS: list[tuple[Write, tuple[str, ...], str | None, str]] = [
    (producers.write_openeo, ASCENDING, "s1asc", "Found in the datacube: t is time."),
    (producers.write_openeo_bands, ASCENDING, "s1asc", "the labels of bands are the bands"),
    (producers.write_stackstac, ASCENDING + DESCENDING, None, "s1asc and s1dsc by sat:orbit_state"),
    (producers.write_odc_stac, DESCENDING, "s1dsc", "vv is VV, vh is VH"),
    (producers.write_xee, ASCENDING, None, "The orbit is s1asc by orbitProperties_pass."),
    (producers.write_hyp3_stack, ASCENDING + DESCENDING, None, "gamma0_vv is VV"),
]


def read_all(cube: Cube) -> np.ndarray:
    height, width = cube.grid.height, cube.grid.width
    spans = (Span(0, np.ones(size, np.float32)) for size in (height, width))
    window = cube.read(Window(*spans))
    assert window is not None
    return window.x


def spec_of(channels: tuple[str, ...]) -> InputSpec:
    return InputSpec(channels, 4, "even", EVENT)


@pytest.mark.parametrize(("write", "channels", "orbit", "note"), LAYOUTS)
def test_a_producers_cube_gives_the_values_of_the_own_layout(
    tmp_path: Path, write: Write, channels: tuple[str, ...], orbit: str | None, note: str
) -> None:
    groups = make_groups(*SIZE)
    groups["s1dsc"]["VH"][3:6, :4, :5] = np.nan
    spec = spec_of(channels)
    own = open_cube(write_netcdf(groups, tmp_path / "own.nc"), spec)
    other = open_cube(write(groups, tmp_path / "other"), spec, orbit=orbit)
    assert other.grid == own.grid
    # Half precision and the packing of integers are the only differences.
    np.testing.assert_allclose(read_all(other), read_all(own), atol=0.02)
    assert any(note in text for text in other.notes), other.notes
    assert other.dates.keys() == own.dates.keys()


@pytest.mark.parametrize("names", [("latitude", "longitude"), ("lat", "lon")])
def test_degrees_are_resampled_from_any_names(tmp_path: Path, names: tuple[str, str]) -> None:
    """Open Data Cube (Digital Earth Africa) and xee write ``latitude``, ``longitude`` or ``lat``, ``lon``."""
    groups, spec = make_groups(*SIZE), spec_of(ASCENDING)
    plain = producers.to_degrees(groups["s1asc"], "y", "x").assign_attrs(crs="EPSG:4326")
    own = open_cube(write_netcdf({"s1asc": plain}, tmp_path / "own.nc"), spec, resample=True)
    path = tmp_path / "other.nc"
    named = producers.to_degrees(groups["s1asc"], *names).rename(VV="vv", VH="vh")
    named.transpose(names[1], names[0], "time").to_netcdf(path)
    with pytest.raises(ValueError, match=r"must be projected, in m, but got WGS 84 .*--resample"):
        open_cube(path, spec, orbit="s1asc")
    other = open_cube(path, spec, resample=True, orbit="s1asc")
    assert other.grid == own.grid
    np.testing.assert_array_equal(read_all(other), read_all(own))
    assert any("degrees are in WGS 84" in note for note in other.notes)


def test_no_data_is_found_by_attribute_zero_power_or_its_value(tmp_path: Path) -> None:
    """``nodata`` is Open Data Cube's, -32768 Planetary Computer's, 0 power the borders of many, -inf its dB."""
    groups, spec = make_groups(*SIZE), spec_of(ASCENDING)
    linear = producers.to_linear(groups["s1asc"]).assign_attrs(modality="s1asc")
    for column, value in enumerate((0.5, 0.0, -0.01, -32768.0, np.nan)):
        linear["VV"][:, 0, column] = value
    linear["VV"].attrs["nodata"] = 0.5
    linear.attrs["crs"] = "EPSG:32654"
    linear.to_netcdf(tmp_path / "linear.nc")
    x = read_all(open_cube(tmp_path / "linear.nc", spec))
    assert np.isnan(x[:, 0, 0, :5]).all()
    assert not np.isnan(x[:, 0, 0, 5:]).any()
    decibel = groups["s1asc"].assign_attrs(modality="s1asc")
    for column, value in enumerate((-np.inf, -32768.0, -9999.0)):
        decibel["VV"][:, 0, column] = value
    decibel.to_netcdf(tmp_path / "db.nc")
    x = read_all(open_cube(tmp_path / "db.nc", spec))
    assert np.isnan(x[:, 0, 0, :3]).all()
    assert not np.isnan(x[:, 0, 0, 3:]).any()


def test_the_slices_of_a_pass_are_one_acquisition(tmp_path: Path) -> None:
    """odc-stac and stackstac give each slice of a pass its own time, 25 s apart, with no data outside the slice."""
    groups, spec = make_groups(*SIZE), spec_of(ASCENDING)
    whole = groups["s1asc"]
    rows = xr.DataArray(np.arange(SIZE[0]), dims="y")
    north, south = whole[["VV", "VH"]].where(rows < 10), whole[["VV", "VH"]].where(rows >= 8)
    south = south.assign_coords(time=whole["time"] + np.timedelta64(25, "s"))
    sliced = xr.concat([south, north], "time").assign_attrs(whole.attrs, modality="s1asc")
    path = tmp_path / "sliced.nc"
    sliced.to_netcdf(path, encoding={"VV": {"chunksizes": (30, 8, 8)}})
    own = open_cube(write_netcdf(groups, tmp_path / "own.nc"), spec)
    joined = open_cube(path, spec)
    np.testing.assert_array_equal(read_all(joined), read_all(own))
    np.testing.assert_array_equal(joined.dates["s1asc"][0].available, whole["time"].values)
    assert "The acquisitions of s1asc were sorted by time." in joined.notes
    assert any("were joined (2018-03-29, " in note and "12 more" in note for note in joined.notes)


def test_a_published_tile_under_another_name_is_a_cube(tmp_path: Path) -> None:
    """Tiles have ``time, x, y`` and the attribute ``satellite``, such as ``s1-asc`` (Sen12Landslides)."""
    groups = make_groups(*SIZE)
    tile = groups["s1asc"].transpose("time", "x", "y").assign_attrs(satellite="s1-asc")
    tile.to_netcdf(tmp_path / "tile.nc")
    own = open_cube(write_netcdf(groups, tmp_path / "own.nc"), spec_of(ASCENDING))
    cube = open_cube(tmp_path / "tile.nc", spec_of(ASCENDING))
    np.testing.assert_array_equal(read_all(cube), read_all(own))


def write_root(change: Any, path: Path) -> Path:
    change(make_groups(*SIZE)["s1asc"]).to_netcdf(path)
    return path


WRONG: list[tuple[str, Any, str | None, str]] = [
    ("no orbit", lambda d: d, None, r"must name its orbit: by groups .*, but got none in .*give --orbit s1asc"),
    ("other orbit", lambda d: d.assign_attrs(orbit_state="DESCENDING"), "s1asc", r"--orbit is for a datacube that does not name its orbit, but got s1dsc by orbit_state .*Leave --orbit out"),
    ("one orbit only", lambda d: d.assign_attrs({"pass": "Descending"}), None, r"modalities s1asc, .*but got s1dsc in .*Add s1asc"),
    ("strange state", lambda d: d.assign_coords({"sat:orbit_state": ("time", ["ascending"] * 14 + ["sideways"])}), None, r"sat:orbit_state must be ascending or descending .*but got 'sideways'.*--orbit"),
    ("two VV", lambda d: d.rename(VV="vv").assign(VV_db=d["VV"]), "s1asc", r"One variable must be VV, but got .*vv, VV_db.*rename it to VV"),
    ("amplitude", lambda d: d.rename(VV="VV_amplitude"), "s1asc", r"must have VV, but got .*VV_amplitude.*docs/maps.md"),
    ("two times", lambda d: d.assign(spare=(("t",), [1.0, 2.0])), "s1asc", r"One dimension must be time, but got .*t.*Drop the others"),
    ("labels", lambda d: d[["VV", "VH"]].to_dataarray("band").assign_coords(band=["1", "2"]).to_dataset(name="s1"), "s1asc", r"labels of band must name VV and VH once, .*but got 1, 2 in s1"),
    ("label twice", lambda d: d[["VV", "VH"]].to_dataarray("band").assign_coords(band=["vv", "VV"]).to_dataset(name="s1"), "s1asc", r"labels of band must name VV and VH once, .*but got vv, VV in s1"),
    ("flat x", lambda d: d.drop_vars("x").assign_coords(x=(("y",), np.arange(24.0))), "s1asc", r"x must be over x alone, but got \('y',\)"),
    ("integers", lambda d: d.assign_coords(time=np.arange(15)), "s1asc", r"time must be dates, but got type int64 .*days since 1990-01-01"),
    ("words", lambda d: d.assign_coords(time=[f"date {n}" for n in range(15)]), "s1asc", r"time must be dates, but got 'date 0'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "orbit", "message"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
)
def test_what_is_not_certain_is_refused(
    tmp_path: Path, change: Any, orbit: str | None, message: str
) -> None:
    path = write_root(change, tmp_path / "cube.nc")
    with pytest.raises(ValueError, match=f"(?s){message}"):
        open_cube(path, spec_of(ASCENDING), orbit=orbit)


def test_sigma_nought_is_mapped_with_a_note(tmp_path: Path) -> None:
    path = write_root(lambda d: d.rename(VV="sigma0_VV", VH="sigma0_VH"), tmp_path / "cube.nc")
    notes = open_cube(path, spec_of(ASCENDING), orbit="s1asc").notes
    assert any("sigma0_VV is sigma nought, but models learn from gamma" in note for note in notes)
    own = open_cube(write_root(lambda d: d, tmp_path / "own.nc"), spec_of(ASCENDING), orbit="s1asc")
    assert not any("sigma" in note for note in own.notes)


def test_groups_name_their_orbits_once(tmp_path: Path) -> None:
    groups, spec = make_groups(*SIZE), spec_of(ASCENDING)
    named = {"Ascending": groups["s1asc"], "descending": groups["s1dsc"]}
    path = write_netcdf(named, tmp_path / "cube.nc")
    own = open_cube(write_netcdf(groups, tmp_path / "own.nc"), spec)
    np.testing.assert_array_equal(read_all(open_cube(path, spec)), read_all(own))
    with pytest.raises(ValueError, match=r"--orbit is for .*got the groups Ascending, descending"):
        open_cube(path, spec, orbit="s1asc")
    twice = write_netcdf(groups | named, tmp_path / "twice.nc")
    with pytest.raises(ValueError, match=r"One group must be s1asc, but got s1asc, Ascending"):
        open_cube(twice, spec)
