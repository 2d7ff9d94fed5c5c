"""A datacube is read with its file's values, and converted or refused if it does not fit the network."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import netCDF4
import numcodecs
import numpy as np
import pytest
import xarray as xr

from data.pack.tile_row import measure_slope
from data.scene.base import InputSpec
from data.scene.cube import Cube
from data.scene.datacube import open_cube
from data.scene.dates import choose_steps
from data.scene.georeference import Grid
from data.scene.windows import Span, Window
from data.tiles.rules import BANDS
from tests.support.cube_files import (
    DIMS,
    NORTH,
    TIMES,
    WEST,
    Groups,
    change_all,
    make_groups,
    write_netcdf,
    write_zarr,
)

S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
SPEC = InputSpec(S1, 4, "even")
EVENT = np.datetime64("2018-09-05T18:08", "s")
GRID = Grid("EPSG:32654", WEST, NORTH, 10.0, 64, 80)


def window(top: int, left: int, height: int, width: int) -> Window:
    return Window(Span(top, np.ones(height, np.float32)), Span(left, np.ones(width, np.float32)))


def read(cube: Cube, at: Window) -> np.ndarray:
    window_data = cube.read(at)
    assert window_data is not None
    return window_data.x


def expect(groups: Groups, steps: list[int]) -> np.ndarray:
    layers = [groups[name.split(":")[0]][name.split(":")[1]].values[steps] for name in S1]
    return np.stack(layers, axis=1).astype(np.float16).astype(np.float32)


@pytest.mark.parametrize("kind", ["netcdf", "zarr 2", "zarr 3"])
def test_a_window_holds_the_files_numbers(tmp_path: Path, kind: str) -> None:
    groups = make_groups()
    if kind == "netcdf":
        path = write_netcdf(groups, tmp_path / "cube.nc")
    else:
        path = write_zarr(groups, tmp_path / "cube.zarr", version=int(kind[-1]))
    cube = open_cube(path, SPEC)
    assert cube.grid == GRID
    whole = expect(groups, [0, 5, 9, 14])
    np.testing.assert_array_equal(read(cube, window(3, 7, 32, 48)), whole[..., 3:35, 7:55])
    assert cube.has_heights
    window_data = cube.read(window(3, 7, 32, 48))
    assert window_data is not None
    np.testing.assert_array_equal(window_data.relief, groups["s1asc"]["DEM"].values[3:35, 7:55])


def test_rows_run_south_and_dimensions_are_in_order_for_any_file(
    tmp_path: Path,
) -> None:
    groups = make_groups()
    turned = change_all(
        groups, lambda d: d.isel(y=slice(None, None, -1)).transpose("x", "time", "y")
    )
    cube = open_cube(write_netcdf(turned, tmp_path / "cube.nc"), SPEC)
    assert cube.grid == GRID
    whole = expect(groups, [0, 5, 9, 14])
    np.testing.assert_array_equal(read(cube, window(5, 2, 20, 30)), whole[..., 5:25, 2:32])


def test_coordinates_at_pixel_centres_give_the_same_grid(tmp_path: Path) -> None:
    centred = change_all(make_groups(), lambda d: d.assign_coords(x=d["x"] + 5, y=d["y"] - 5))
    cube = open_cube(write_netcdf(centred, tmp_path / "cube.nc"), SPEC)
    assert cube.grid == GRID
    assert "x and y were taken for the pixels' centres." in cube.notes


def test_coordinates_off_the_grid_are_centres(tmp_path: Path) -> None:
    moved = change_all(make_groups(), lambda d: d.assign_coords(x=d["x"] + 2))
    cube = open_cube(write_netcdf(moved, tmp_path / "cube.nc"), SPEC)
    assert (cube.grid.west_m, cube.grid.north_m) == (WEST - 3, NORTH + 5)
    assert "x and y were taken for the pixels' centres." in cube.notes


@pytest.mark.parametrize(("transform", "west"), [(WEST + 3, 3.0), (WEST - 5, -5.0)])
def test_a_geotransform_defines_the_corner(tmp_path: Path, transform: float, west: float) -> None:
    def add_transform(dataset: xr.Dataset) -> xr.Dataset:
        north = NORTH if west == 3 else NORTH + 5
        text = f"{transform} 10 0 {north} 0 -10"
        moved = dataset.assign_coords(x=dataset["x"] + (3 if west == 3 else 0))
        return moved.assign(spatial_ref=((), 0, {"GeoTransform": text}))

    cube = open_cube(
        write_netcdf(change_all(make_groups(), add_transform), tmp_path / "cube.nc"), SPEC
    )
    assert cube.grid.west_m == WEST + west
    assert not any("taken for" in note for note in cube.notes)


def test_slopes_have_no_seam_between_windows(tmp_path: Path) -> None:
    groups = make_groups()
    spec = InputSpec((*S1, "DEM", "slope"), 4, "even")
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), spec)
    heights = groups["s1asc"]["DEM"].values
    slope = measure_slope(heights).astype(np.float16).astype(np.float32)
    for at in (window(0, 0, 30, 40), window(30, 40, 34, 40)):
        cut = (at.rows.slice, at.columns.slice)
        x = read(cube, at)
        np.testing.assert_array_equal(x[2, 4], heights[cut])
        np.testing.assert_array_equal(x[2, 5], slope[cut])


def test_linear_power_is_converted_and_noted(tmp_path: Path) -> None:
    groups = make_groups()
    linear = change_all(
        groups, lambda d: d.assign(VV=10 ** (d["VV"] / 10), VH=10 ** (d["VH"] / 10))
    )
    cube = open_cube(write_netcdf(linear, tmp_path / "cube.nc"), SPEC)
    whole = expect(groups, [0, 5, 9, 14])
    np.testing.assert_allclose(read(cube, window(0, 0, 64, 80)), whole, atol=0.02)
    assert "Backscatter of s1asc, s1dsc was converted from linear power to dB." in cube.notes


def test_zeros_at_the_edges_do_not_hide_the_unit(tmp_path: Path) -> None:
    groups = make_groups()
    for name in ("VV", "VH"):
        groups["s1asc"][name][:, :40] = 0
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), SPEC)
    assert not any("linear" in note for note in cube.notes)
    np.testing.assert_array_equal(
        read(cube, window(40, 0, 24, 80)), expect(groups, [0, 5, 9, 14])[..., 40:, :]
    )


def test_no_data_is_nan_and_strong_scatterers_are_clipped(tmp_path: Path) -> None:
    groups = make_groups()
    for at, value in (((0, 1, 1), -9999), ((0, 1, 2), 22.0)):
        groups["s1asc"]["VV"][at] = value
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), SPEC)
    x = read(cube, window(0, 0, 8, 8))
    assert np.isnan(x[0, 0, 1, 1])
    assert x[0, 0, 1, 2] == 0


def test_optical_bands_have_no_data_in_scene_class_0(tmp_path: Path) -> None:
    groups = make_groups()
    shape, rng = (15, 64, 80), np.random.default_rng(1)
    bands = {name: (DIMS, rng.integers(1, 4000, shape, np.int16)) for name in BANDS["s2"]}
    scene_class = np.full(shape, 4, np.int16)
    scene_class[14, 2, 3] = 0
    optical = groups["s1asc"][["time", "y", "x"]].assign(bands).assign(SCL=(DIMS, scene_class))
    path = write_netcdf({**groups, "s2": optical}, tmp_path / "cube.nc")
    cube = open_cube(path, InputSpec(("s1asc:VV", "s2:B04"), 2, "even"))
    x = read(cube, window(0, 0, 8, 8))
    assert np.isnan(x[1, 1, 2, 3])
    wanted = optical["B04"].values[0, :8, :8].astype(np.float16)
    np.testing.assert_array_equal(x[0, 1], wanted)
    with pytest.raises(ValueError, match=r"Add s2, or choose a model without"):
        open_cube(
            write_netcdf(groups, tmp_path / "radar.nc"),
            InputSpec(("s1asc:VV", "s2:B04"), 2, "even"),
        )


def test_a_window_without_backscatter_is_none(tmp_path: Path) -> None:
    def empty(dataset: xr.Dataset) -> xr.Dataset:
        for name in ("VV", "VH"):
            dataset[name][:, :20] = np.nan
        return dataset

    cube = open_cube(write_netcdf(change_all(make_groups(), empty), tmp_path / "cube.nc"), SPEC)
    assert cube.read(window(0, 0, 20, 80)) is None
    window_data = cube.read(window(10, 0, 20, 80))
    assert window_data is not None
    assert window_data.valid.any(axis=1).tolist() == [False] * 10 + [True] * 10


def test_acquisitions_are_chosen_evenly_or_around_the_event(tmp_path: Path) -> None:
    times = np.datetime64("2018-06-01", "ns") + 12 * np.arange(20) * np.timedelta64(1, "D")
    path = write_netcdf(make_groups(times=times), tmp_path / "cube.nc")
    even = open_cube(path, SPEC)
    np.testing.assert_array_equal(even.dates["s1asc"][0].chosen, times[[0, 6, 13, 19]])
    near = open_cube(path, InputSpec(S1, 4, "event"))
    chosen = times[[7, 8, 9, 10]]  # two before 5 September, two after
    np.testing.assert_array_equal(near.dates["s1asc"][0].chosen, chosen)
    assert (
        "Of 20 acquisitions of s1asc: 2018-08-24, 2018-09-05, 2018-09-17, 2018-09-29." in near.notes
    )
    other = open_cube(path, InputSpec(S1, 4, "event", np.datetime64("2018-07-10")))
    np.testing.assert_array_equal(other.dates["s1asc"][0].chosen, times[[2, 3, 4, 5]])


@pytest.mark.parametrize(
    ("own", "learnt", "given", "wanted"),
    [
        ("2018-09-20", (), None, "2018-09-20T23:59:59"),  # the end of the day, since dates are days
        ("2018-09-20T06:00", (), None, "2018-09-20T06:00:00"),
        ("2018-09-05", (("hokkaido", EVENT),), None, "2018-09-05T18:08:00"),
        ("2018-09-20", (("hokkaido", EVENT),), None, "2018-09-20T23:59:59"),
        ("2018-09-20", (), "2018-10-01", "2018-10-01T00:00:00"),
        ("", (("hokkaido", EVENT),), None, "2018-09-05T18:08:00"),
    ],
)
def test_a_cubes_event_is_given_its_own_or_the_models(
    tmp_path: Path, own: str, learnt: Any, given: str | None, wanted: str
) -> None:
    groups = change_all(make_groups(20, 20), lambda d: d.assign_attrs(event_date=own))
    event = None if given is None else np.datetime64(given, "s")
    cube = open_cube(
        write_netcdf(groups, tmp_path / "c.nc"), InputSpec(S1, 4, "even", event, learnt)
    )
    assert cube.events == (np.datetime64(wanted, "s"),)
    assert any("names no event; that of hokkaido" in note for note in cube.notes) == (not own)


@pytest.mark.parametrize(
    ("own", "learnt", "message"),
    [
        ("", (), r"needs the time of the event, but got no event_date in .*c\.nc, and a model that learnt from an unknown region"),
        ("", (("a", EVENT), ("b", EVENT + 1)), r"learnt from a, b. Give it with --event"),
        ("soon", (), r"event_date must be a day or a time \(UTC\), but got 'soon' in .*c\.nc.*--event"),
    ],
)  # fmt: skip
def test_an_unknown_event_is_asked_for(tmp_path: Path, own: str, learnt: Any, message: str) -> None:
    groups = change_all(make_groups(20, 20), lambda d: d.assign_attrs(event_date=own))
    path = write_netcdf(groups, tmp_path / "c.nc")
    with pytest.raises(ValueError, match=message):
        open_cube(path, InputSpec(S1, 4, "even", None, learnt))


def test_only_the_twins_mark_makes_a_cube_synthetic(tmp_path: Path) -> None:
    groups = change_all(make_groups(20, 20), lambda d: d.assign_attrs(title="not synthetic at all"))
    assert not open_cube(write_netcdf(groups, tmp_path / "real.nc"), SPEC).synthetic
    groups["s1dsc"].attrs["synthetic"] = "made by data.twin"
    assert open_cube(write_netcdf(groups, tmp_path / "twin.nc"), SPEC).synthetic


def test_one_modality_may_be_in_the_root_group(tmp_path: Path) -> None:
    alone = make_groups()["s1asc"].assign_attrs(modality="s1asc")
    path = tmp_path / "cube.nc"
    alone.to_netcdf(path)
    assert open_cube(path, InputSpec(S1[:2], 4, "even")).grid == GRID
    with pytest.raises(
        ValueError, match=r"reads the modalities s1asc, s1dsc.*got s1asc.*Add s1dsc"
    ):
        open_cube(path, SPEC)


def drop(name: str) -> Any:
    return lambda groups: change_all(groups, lambda d: d.drop_vars(name))


def at_20_m(groups: Groups) -> Groups:
    return change_all(groups, lambda d: d.assign_coords(x=d["x"] * 2))


def shift_one(groups: Groups) -> Groups:
    moved = groups["s1dsc"].assign_coords(x=groups["s1dsc"]["x"] + 10)
    return groups | {"s1dsc": moved}


def in_degrees(groups: Groups) -> Groups:
    return change_all(groups, lambda d: d.assign_attrs(crs="EPSG:4326"))


def before_event(groups: Groups) -> Groups:
    return change_all(groups, lambda d: d.assign_coords(time=TIMES - np.timedelta64(400, "D")))


WRONG: list[tuple[str, Any, str]] = [
    ("no orbit", lambda g: {"s1asc": g["s1asc"]}, r"modalities s1asc, s1dsc.*got s1asc in .*Add s1dsc"),
    ("no VH", drop("VH"), r"must have VH, but got .*VV.* in s1asc of .*docs/maps.md"),
    ("few dates", lambda g: change_all(g, lambda d: d.isel(time=[0, 14])), r"reads 4 acquisitions, but got 2 \(2018-03-29, 2019-02-28\)"),
    ("before", before_event, r"before and after the event \(2018-09-05\), but got 2017-02-22, .* --event"),
    ("20 m", at_20_m, r"Pixels must be 10 m, but got 20 x 10 m in s1asc.*Pass --resample"),
    ("degrees", in_degrees, r"must be projected, in m, but got WGS 84 in .*Pass --resample"),
    ("no crs", lambda g: change_all(g, lambda d: d.assign_attrs(crs="")), r"must name its coordinate system, but got none.*EPSG:32654"),
    ("strange crs", lambda g: change_all(g, lambda d: d.assign_attrs(crs="moon")), r"crs must be a coordinate system, but got 'moon'"),
    ("two grids", shift_one, r"must be on one grid, but got .*576000.* in s1asc of .*576010.* in s1dsc of .*Pass --resample"),
    ("off", lambda g: change_all(g, lambda d: d.assign(spatial_ref=((), 0, {"GeoTransform": f"{WEST + 2} 10 0 {NORTH} 0 -10"}))), r"corners or the centres of the pixels, but got \(576000.00, 4732160.00\).*write_transform"),
    ("no dates", lambda g: change_all(g, lambda d: d.assign_coords(time=np.arange(15.0))), r"time must be dates, but got type float64 .*days since 1990-01-01"),
    ("amplitude", lambda g: change_all(g, lambda d: d.assign(VV=-100 * d["VV"])), r"s1asc VV must be in \[-50, 10\] dB, but got .*Convert it to gamma nought"),
    ("words", lambda g: change_all(g, lambda d: d.assign(VV=d["VV"].astype(str))), r"VV must hold numbers, but got"),
    ("tiny", lambda g: change_all(g, lambda d: d.isel(y=[0])), r"must have 2 x 2 px or more, but got 1 x 80"),
    ("transform", lambda g: change_all(g, lambda d: d.assign(spatial_ref=((), 0, {"GeoTransform": "1 2"}))), r"GeoTransform must be six numbers, but got '1 2'"),
    ("empty", lambda g: change_all(g, lambda d: d.assign(VV=d["VV"] * np.nan)), r"s1asc VV must have data, but got none in \d+ squares all over it in s1asc of"),
    ("flat", lambda g: change_all(g, lambda d: d.assign(VV=d["VV"].isel(time=0))), r"VV must be over time, y, x, but got \('y', 'x'\)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
)
def test_a_cube_that_does_not_fit_the_network_is_refused(
    tmp_path: Path, change: Any, message: str
) -> None:
    path = write_netcdf(change(make_groups()), tmp_path / "cube.nc")
    with pytest.raises(ValueError, match=f"(?s){message}"):
        open_cube(path, SPEC)


def test_a_network_that_reads_heights_needs_a_dem(tmp_path: Path) -> None:
    path = write_netcdf(drop("DEM")(make_groups()), tmp_path / "cube.nc")
    assert not open_cube(path, SPEC).has_heights
    with pytest.raises(ValueError, match=r"reads heights: a datacube must have DEM, but got .*VV"):
        open_cube(path, InputSpec((*S1, "slope"), 4, "even"))


def test_infinite_backscatter_is_refused_with_its_window(tmp_path: Path) -> None:
    groups = make_groups(200, 80)
    groups["s1dsc"]["VH"][0, 150, 3] = np.inf
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), SPEC)
    read(cube, window(0, 0, 100, 80))
    with pytest.raises(
        ValueError,
        match=r"must be finite or NaN, but got inf in VH of s1dsc of .*, rows 100 to 199",
    ):
        cube.read(window(100, 0, 100, 80))


def test_a_file_that_is_no_datacube_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cube.nc"
    path.write_bytes(b"no cube")
    with pytest.raises(
        ValueError, match=r"must be readable NetCDF or Zarr, but got OSError.*cube.nc"
    ):
        open_cube(path, SPEC)
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "other"}))
    with pytest.raises(ValueError, match="must be readable NetCDF or Zarr"):
        open_cube(tmp_path / "z", SPEC)


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("dtype", ["object", "f8"])
def test_nothing_in_a_zarr_store_is_unpickled(tmp_path: Path, dtype: str) -> None:
    path = write_zarr(make_groups(), tmp_path / "cube.zarr", version=2)
    place, trap = path / "s1asc" / "x", numcodecs.Pickle()
    meta = json.loads((place / ".zarray").read_text())
    kind = {"object": "|O", "f8": "<f8"}[dtype]
    meta |= {"dtype": kind, "filters": [trap.get_config()], "compressor": None, "fill_value": 0}
    (place / ".zarray").write_text(json.dumps(meta))
    bomb = np.array([Bomb(tmp_path / "exploded")] * 80, dtype=object)
    (place / "0").write_bytes(trap.encode(bomb))
    with pytest.raises(ValueError, match="pickle"):
        open_cube(path, SPEC)
    assert not (tmp_path / "exploded").exists()
    pickle.loads((place / "0").read_bytes())  # noqa: S301 - shows that the bomb works
    assert (tmp_path / "exploded").exists()


def test_too_large_chunks_are_refused(tmp_path: Path) -> None:
    groups, side = make_groups(2, 2, TIMES), 9000
    path = write_netcdf({"s1asc": groups["s1asc"]}, tmp_path / "cube.nc")
    with netCDF4.Dataset(path, "w") as file:
        group = file.createGroup("s1asc")
        for name, size in (("time", 4), ("y", side), ("x", side)):
            group.createDimension(name, size)
            group.createVariable(name, "f8", (name,))[:] = np.arange(size)
        for name in ("VV", "VH"):
            group.createVariable(name, "f4", DIMS, chunksizes=(1, side, side), zlib=True)
    with pytest.raises(
        ValueError, match="chunk must have at most 268,435,456 bytes, but got 324,000,000"
    ):
        open_cube(path, InputSpec(S1[:2], 4, "even"))


@pytest.mark.parametrize("name", ["x", "lat"])
def test_too_long_coordinates_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "cube.nc"
    with netCDF4.Dataset(path, "w") as file:
        group = file.createGroup("s1asc")
        group.createDimension(name, 2**31)
        group.createVariable(name, "f8", (name,), chunksizes=(2**16,))
    with pytest.raises(
        ValueError, match=f"{name} must have at most 1,048,576 values, but got 2,147,483,648"
    ):
        open_cube(path, InputSpec(S1[:2], 4, "even"))


def test_dates_before_and_after_the_event_are_chosen_as_in_training() -> None:
    with pytest.raises(ValueError, match="reads 5 acquisitions, but got 2"):
        choose_steps(TIMES[:2], InputSpec(S1, 5, "even"), EVENT, "s1asc", "here")


def test_days_of_a_window_are_those_of_the_images_that_it_has(tmp_path: Path) -> None:
    groups = make_groups()
    groups["s1dsc"] = groups["s1dsc"].assign_coords(time=TIMES + np.timedelta64(2, "D"))
    groups["s1asc"]["VV"][0, :, :32] = groups["s1asc"]["VH"][0, :, :32] = np.nan
    for orbit in groups.values():
        orbit["VV"][14, :, :32] = orbit["VH"][14, :, :32] = np.nan
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), replace(SPEC, event=EVENT))
    own = (TIMES[[0, 5, 9, 14]] - EVENT) / np.timedelta64(1, "D")
    west, east = cube.read_all([window(0, 0, 32, 32), window(0, 32, 32, 32)])
    assert west is not None
    assert east is not None
    np.testing.assert_allclose(east.days, own + 1, atol=1e-4)
    np.testing.assert_allclose(west.days, [own[0] + 2, *(own[1:3] + 1), np.nan], atol=1e-4)
