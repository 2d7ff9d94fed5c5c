"""A scene on another grid is resampled to 10 m: in power, without seams, where all files have data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyproj
import pytest
import xarray as xr
from scipy.ndimage import map_coordinates

from data.scene.base import InputSpec, Scene
from data.scene.cube import Cube
from data.scene.datacube import open_cube
from data.scene.georeference import MAX_DISTORTION, Frame, Grid, measure_distortion
from data.scene.open import open_scene
from data.scene.resample import choose_grid, measure_pixel, resample_window
from data.scene.windows import Span, Window
from tests.support.cube_files import (
    DIMS,
    NORTH,
    TIMES,
    WEST,
    Groups,
    make_groups,
    write_netcdf,
)
from tests.support.geotiff_files import write_folder, write_geotiff

SPEC = InputSpec(("s1asc:VV", "DEM"), 2, "even")
SIZE = (60, 50)
LARGE = (
    "Its pixels of {} m are larger than the 10 m that models learn from: small landslides are blurred, and speckle "
    "is weaker than in training."
)
Change = Callable[[xr.Dataset], xr.Dataset]


def make_smooth(change: Change = lambda dataset: dataset) -> Groups:
    """Make an ascending series whose VV and heights are smooth, on 3 dates."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    vv = (-10 + 3 * np.sin(rows / 7) + 2 * np.cos(columns / 5)).astype(np.float32)
    dataset = make_groups(*SIZE, TIMES[::7])["s1asc"]
    return {"s1asc": change(dataset.assign(VV=(DIMS, np.repeat(vv[None], 3, axis=0))))}


def at_30_m(dataset: xr.Dataset) -> xr.Dataset:
    """Put the pixels' centres 30 m apart, corners on multiples of 30 m, as OPERA does."""
    x, y = 576_015 + 30.0 * np.arange(SIZE[1]), 4_732_185 - 30.0 * np.arange(SIZE[0])
    return dataset.assign_coords(x=x, y=y)


def in_degrees(dataset: xr.Dataset) -> xr.Dataset:
    x, y = 141.9 + 3e-4 * np.arange(SIZE[1]), 42.8 - 2e-4 * np.arange(SIZE[0])
    return dataset.assign_coords(x=x, y=y).assign_attrs(crs="EPSG:4326")


def read_all(scene: Scene) -> np.ndarray:
    shape = (scene.grid.height, scene.grid.width)
    window_data = scene.read(Window(*(Span(0, np.ones(size, np.float32)) for size in shape)))
    assert window_data is not None
    return window_data.x


def interpolate(cube: Cube, values: np.ndarray) -> np.ndarray:
    """Interpolate a layer of the file at the map's pixels, exactly and bilinearly; NaN beyond its outer centres."""
    (layers, grid) = cube.series["s1asc"].layers[0], cube.grid
    frame = layers.frame
    x, y = np.meshgrid(
        grid.west_m + 10 * (np.arange(grid.width) + 0.5),
        grid.north_m - 10 * (np.arange(grid.height) + 0.5),
    )
    to_file = pyproj.Transformer.from_crs(grid.crs, frame.crs, always_xy=True)
    x, y = to_file.transform(x, y)
    at = [(frame.north - y) / frame.step_y - 0.5, (x - frame.west) / frame.step_x - 0.5]
    return np.asarray(map_coordinates(values, at, order=1, cval=np.nan))


@pytest.mark.parametrize("change", [at_30_m, in_degrees])
def test_backscatter_is_interpolated_in_power_and_heights_in_metres(
    tmp_path: Path, change: Change
) -> None:
    groups = make_smooth(change)
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), SPEC, resample=True)
    x = read_all(cube)
    power = 10 ** (groups["s1asc"]["VV"].values[0] / 10)
    exact = 10 * np.log10(interpolate(cube, power))
    inside = ~np.isnan(exact)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(x[0, 0][inside], exact[inside], atol=0.03)
    heights = interpolate(cube, groups["s1asc"]["DEM"].values.astype(float))
    np.testing.assert_allclose(x[0, 1][inside], heights[inside], atol=0.3)


@pytest.mark.parametrize("change", [at_30_m, in_degrees])
def test_resampling_has_no_seams_between_windows(tmp_path: Path, change: Change) -> None:
    cube = open_cube(write_netcdf(make_smooth(change), tmp_path / "c.nc"), SPEC, resample=True)
    whole = read_all(cube)
    for window in cube.list_windows(48, 16):
        window_data = cube.read(window)
        assert window_data is not None
        wanted = whole[..., window.rows.slice, window.columns.slice]
        np.testing.assert_allclose(window_data.x[:, 0], wanted[:, 0], atol=0.02)
        np.testing.assert_allclose(window_data.x[:, 1], wanted[:, 1], atol=0.5)


def test_the_mean_of_finer_pixels_is_that_of_their_power(tmp_path: Path) -> None:
    def at_5_m(dataset: xr.Dataset) -> xr.Dataset:
        bright = np.where(np.arange(SIZE[1]) % 2, 0, -30).astype(np.float32)  # columns 1 and 0.001
        x, y = WEST + 5.0 * np.arange(SIZE[1]), NORTH - 5.0 * np.arange(SIZE[0])
        striped = dataset.assign(VV=xr.zeros_like(dataset["VV"]) + bright)
        return striped.assign_coords(x=x, y=y)

    cube = open_cube(write_netcdf(make_smooth(at_5_m), tmp_path / "c.nc"), SPEC, resample=True)
    x = read_all(cube)[0, 0, 3:-3, 3:-3]
    np.testing.assert_allclose(x, 10 * np.log10(0.5005), atol=0.1)  # dB would average to -15


def test_no_data_stays_no_data_and_has_no_weight(tmp_path: Path) -> None:
    def spoil(dataset: xr.Dataset) -> xr.Dataset:
        flat = xr.full_like(dataset["VV"], -10)
        flat[:, 20:25, 20:25] = -9999
        return at_30_m(dataset.assign(VV=flat))

    cube = open_cube(write_netcdf(make_smooth(spoil), tmp_path / "c.nc"), SPEC, resample=True)
    x = read_all(cube)[0, 0]
    assert np.isnan(x[65:70, 65:70]).all()
    np.testing.assert_allclose(x[~np.isnan(x)], -10, atol=0.01)
    assert 0.005 < np.isnan(x).mean() < 0.012  # 25 of 3,000 pixels


def test_what_resampling_does_is_noted_once(tmp_path: Path) -> None:
    path = write_netcdf(make_smooth(in_degrees), tmp_path / "c.nc")
    notes = open_cube(path, SPEC, resample=True).notes
    assert [note for note in notes if "resampled" in note or "larger" in note] == [
        "s1asc was resampled from 23.3 m to 10 m, in EPSG:32654 instead of EPSG:4326.",
        LARGE.format("23.3"),
    ]
    plain = open_cube(write_netcdf(make_smooth(), tmp_path / "p.nc"), SPEC, resample=True)
    assert not any("resampled" in note for note in plain.notes)
    same = open_cube(tmp_path / "p.nc", SPEC)
    assert plain.grid == same.grid
    np.testing.assert_array_equal(read_all(plain), read_all(same))


def test_files_of_several_extents_and_zones_meet_in_their_common_area(tmp_path: Path) -> None:
    """A producer's frames differ from date to date, and a neighbouring track may be in another UTM zone."""
    values = np.full((60, 60), -9, np.float32)
    to_53 = pyproj.Transformer.from_crs("EPSG:32654", "EPSG:32653", always_xy=True)
    west, north = (round(value, -1) for value in to_53.transform(WEST - 100, NORTH + 100))
    files = [
        write_geotiff(tmp_path / "asc_20180401_VV.tif", {"VV": values}),
        write_geotiff(tmp_path / "asc_20180901_VV.tif", {"VV": values}, corner=(WEST + 100, NORTH)),
        write_geotiff(tmp_path / "asc_20181001_VV.tif", {"VV": values}, crs="EPSG:32653", corner=(west, north)),
    ]  # fmt: skip
    spec = InputSpec(("s1asc:VV",), 3, "even")
    with pytest.raises(ValueError, match=r"must be on one grid, but got .*Pass --resample"):
        open_scene(files, spec)
    scene = open_scene(files, spec, resample=True)
    assert (scene.grid.crs, scene.grid.west_m) == ("EPSG:32654", WEST + 100)
    assert scene.grid.width <= 50
    x = read_all(scene)
    assert np.isfinite(x[:2]).all()
    assert np.isfinite(x[2]).mean() > 0.5
    far = write_geotiff(
        tmp_path / "asc_20181101_VV.tif", {"VV": values}, corner=(WEST + 6e4, NORTH)
    )
    with pytest.raises(ValueError, match=r"All files must cover a common area, but got 60 x 60 px"):
        open_scene([*files[:2], far], spec, resample=True)


def test_geotiffs_of_30_m_are_read_as_a_cube_of_30_m(tmp_path: Path) -> None:
    groups = make_smooth(at_30_m)
    cube = open_cube(write_netcdf(groups, tmp_path / "c.nc"), SPEC, resample=True)
    folder = write_folder(groups, tmp_path / "t", corner=(576_000, 4_732_200), step=30)
    with pytest.raises(
        ValueError, match=r"Pixels must be 10 m, but got 30 x 30 m in .*Pass --resample"
    ):
        open_scene(folder, SPEC)
    scene = open_scene(folder, SPEC, resample=True)
    assert scene.grid == cube.grid == Grid("EPSG:32654", 576_000, 4_732_200, 10, 180, 150)
    np.testing.assert_array_equal(read_all(scene), read_all(cube))


def test_web_mercator_is_not_taken_for_metres() -> None:
    frame = Frame("EPSG:3857", 15_800_000.0, 5_300_000.0, 10.0, 10.0, 80, 80)
    grid = choose_grid([frame], "here")
    assert grid.crs == "EPSG:32654"
    assert measure_pixel(frame, grid) == pytest.approx(10 * np.cos(np.radians(42.9)), rel=0.01)


def test_a_window_beyond_the_file_has_no_data() -> None:
    frame = Frame("EPSG:32654", WEST, NORTH, 30.0, 30.0, 10, 10)
    grid = Grid("EPSG:32654", WEST + 9_000, NORTH, 10.0, 10, 10)
    read = lambda rows, columns: np.ones((2, 1, 1), np.float32)
    x = resample_window(read, frame, grid, slice(0, 10), slice(0, 10))
    assert x.shape == (2, 10, 10)
    assert np.isnan(x).all()


@pytest.mark.parametrize(
    ("west", "north", "crs"),
    [
        (179.98, 52.0, "EPSG:32601"),  # across 180 degrees
        (10.0, 85.0, "EPSG:5041"),
        (10.0, -85.0, "EPSG:5042"),
        (20.0, 69.5, "EPSG:32634"),
    ],
)
def test_degrees_become_a_grid_that_is_true_to_scale(west: float, north: float, crs: str) -> None:
    frame = Frame("EPSG:4326", west, north, 2e-4, 1e-4, 300, 300)
    grid = choose_grid([frame], "here")
    assert grid.crs == crs
    assert measure_distortion(pyproj.CRS(grid.crs), grid.frame) < MAX_DISTORTION


def test_a_scene_is_true_to_scale_up_to_its_corners() -> None:
    """Lambert's Europe is off by 0.2 % in the middle of this frame, and by more than 1 % at its corners."""
    frame = Frame("EPSG:3034", 4_000_000.0, 4_450_000.0, 10.0, 10.0, 40_000, 100)
    crs = pyproj.CRS(frame.crs)
    middle = Frame("EPSG:3034", 4_000_000.0, 4_250_000.0, 10.0, 10.0, 1, 1)
    assert measure_distortion(crs, middle) < MAX_DISTORTION < measure_distortion(crs, frame)
