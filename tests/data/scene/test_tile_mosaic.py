"""Adjacent tiles become one scene, with the values of training."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from data.pack import make_pack
from data.pack.channels import select_even_steps
from data.pack.dataset import TileDataset
from data.pack.normalisation import Normalisation
from data.pack.reader import PackReader
from data.scene.base import InputSpec
from data.scene.georeference import Grid
from data.scene.tile_mosaic import Mosaic, open_mosaic
from data.tiles import ORBITS, tile_path
from data.tiles.map_dates import DatesError
from tests.support.tile_files import make_dataset, shift, to_linear, write
from tuning.serving.tile_input import ModelInput, read_tile

S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
SPEC = InputSpec((*S1, "DEM", "slope"), 4, "even")
EVENTS = {"hokkaido": "2018-09-05T18:08:00"}


def read_all(scene: Mosaic) -> dict[tuple[int, int], np.ndarray]:
    """Read every window, by its first row and column."""
    found = {}
    for window in scene.list_windows(512, 32):
        window_data = scene.read(window)
        assert window_data is not None
        found[window.rows.start, window.columns.start] = window_data.x
    return found


def copy_tiles(root: Path, to: Path, *tile_ids: str) -> Path:
    """Copy some tiles into another folder."""
    for path in (tile_path(Path(), tile_id, orbit) for tile_id in tile_ids for orbit in ORBITS):
        (to / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, to / path)
    return to


def test_a_tile_is_read_as_training_and_serving_read_it(quad: Path, tmp_path: Path) -> None:
    scene, pack = open_mosaic(quad, SPEC), make_pack(quad, tmp_path)
    reader, windows = PackReader(pack, SPEC.channels, 4), read_all(scene)
    for (row, column), tile_id in scene.tiles.items():
        x = windows[row * 128, column * 128]
        packed = torch.empty(reader.shape)
        reader.read(int(pack.rows([tile_id])[0]), packed)
        np.testing.assert_array_equal(x, packed.numpy())
        wanted = ModelInput(SPEC.channels, 4, "even", EVENTS)
        served = read_tile(tile_path(quad, tile_id, "s1asc"), wanted).x
        np.testing.assert_array_equal(x, served[0, select_even_steps(4)])


def test_the_days_of_a_tile_are_those_of_training_and_serving(quad: Path, tmp_path: Path) -> None:
    spec, pack = InputSpec(S1, 4, "event"), make_pack(quad, tmp_path)
    scene, norm = open_mosaic(quad, spec), Normalisation(S1, (0.0,) * 4, (1.0,) * 4)
    served = ModelInput(S1, 4, "event", EVENTS)
    for window in scene.list_windows(128, 32):
        cell = window.rows.start / 128, window.columns.start / 128
        if cell not in scene.tiles:
            continue
        tile_id, found = scene.tiles[cell], scene.read(window)
        tiles = TileDataset(pack, [tile_id], norm, 4, torch.device("cpu"), "event")
        assert found is not None
        np.testing.assert_allclose(found.days, tiles.batch([0]).days[0], rtol=1e-5)
        days = read_tile(tile_path(quad, tile_id, "s1asc"), served).days
        np.testing.assert_allclose(found.days, days[0], rtol=1e-5)
        assert (found.days[:2] <= 0).all()
        assert (found.days[2:] > 0).all()


@pytest.mark.parametrize("steps", ["event", "pre:3/post:1", "pre:1/post:3"])
def test_event_steps_are_the_dates_of_the_served_model(quad: Path, steps: str) -> None:
    scene = open_mosaic(quad, InputSpec(S1, 4, steps))
    wanted = ModelInput(S1, 4, steps, EVENTS)
    served = read_tile(tile_path(quad, "hokkaido_579", "s1asc"), wanted).x
    np.testing.assert_array_equal(read_all(scene)[0, 0], served[0])


def test_the_grid_follows_the_files_coordinates(quad: Path) -> None:
    scene = open_mosaic(quad, SPEC)
    assert scene.grid == Grid("EPSG:32654", 576_000, 4_732_160, 10.0, 256, 256)
    assert scene.tiles == {
        (0, 0): "hokkaido_579",
        (0, 1): "hokkaido_619",
        (1, 0): "hokkaido_578",
        (1, 1): "hokkaido_618",
    }
    assert scene.synthetic


def test_a_window_over_a_corner_holds_a_quarter_of_each_tile(quad: Path) -> None:
    windows = read_all(open_mosaic(quad, SPEC))
    assert len(windows) == 9
    corner = windows[64, 64]
    np.testing.assert_array_equal(corner[..., :64, :64], windows[0, 0][..., 64:, 64:])
    np.testing.assert_array_equal(corner[..., :64, 64:], windows[0, 128][..., 64:, :64])
    np.testing.assert_array_equal(corner[..., 64:, :64], windows[128, 0][..., :64, 64:])
    np.testing.assert_array_equal(corner[..., 64:, 64:], windows[128, 128][..., :64, :64])


def test_no_window_covers_a_missing_tile(quad: Path, tmp_path: Path) -> None:
    three = copy_tiles(quad, tmp_path, "hokkaido_579", "hokkaido_619", "hokkaido_578")
    windows = open_mosaic(three, SPEC).list_windows(512, 32)
    assert [(w.rows.start, w.columns.start) for w in windows] == [
        *((0, 0), (0, 64), (0, 128), (64, 0), (128, 0))
    ]


def test_an_unreadable_tile_is_excluded_with_its_windows(quad: Path, tmp_path: Path) -> None:
    two = copy_tiles(quad, tmp_path, "hokkaido_579", "hokkaido_619")
    path = tile_path(two, "hokkaido_619", "s1dsc")
    with xr.open_dataset(path) as dataset:
        spoiled = dataset.load()
    spoiled["VV"][:] = 0.01  # linear power
    spoiled.to_netcdf(path)
    scene = open_mosaic(two, SPEC)
    read: dict[int, object] = {
        window.columns.start: scene.read(window) for window in scene.list_windows(128, 32)
    }
    assert [start for start, window_data in read.items() if window_data is not None] == [0]
    assert list(scene.excluded) == ["hokkaido_619"]
    assert "VV must be dB on every date" in scene.excluded["hokkaido_619"]


def test_a_tile_that_lacks_an_orbit_is_excluded(quad: Path, tmp_path: Path) -> None:
    two = copy_tiles(quad, tmp_path, "hokkaido_579", "hokkaido_619")
    tile_path(two, "hokkaido_619", "s1dsc").unlink()
    assert open_mosaic(two, SPEC).excluded == {"hokkaido_619": "It lacks a file of s1asc or s1dsc."}


def test_a_file_opens_its_tile(quad: Path) -> None:
    scene = open_mosaic(tile_path(quad, "hokkaido_618", "s1dsc"), SPEC)
    assert list(scene.tiles.values()) == ["hokkaido_618"]
    assert (scene.grid.west_m, scene.grid.north_m) == (577_280, 4_730_880)


def test_a_folder_of_linear_power_is_converted_and_noted(tmp_path: Path) -> None:
    for orbit in ORBITS:
        write(make_dataset(orbit), tmp_path / "dB", orbit)
        write(to_linear(make_dataset(orbit)), tmp_path / "linear", orbit)
    wanted = read_all(open_mosaic(tmp_path / "dB", SPEC))[0, 0]
    scene = open_mosaic(tmp_path / "linear", SPEC)
    np.testing.assert_allclose(read_all(scene)[0, 0], wanted, atol=0.02)
    assert scene.notes == [
        "The unit of the backscatter, linear, was found from its values.",
        "Backscatter was converted from linear power to dB.",
    ]


def move(east_m: float) -> Callable[[xr.Dataset], xr.Dataset]:
    return lambda dataset: dataset.assign_coords(x=dataset["x"] + east_m)


def test_tiles_off_the_grid_or_overlapping_are_refused(tmp_path: Path) -> None:
    for orbit in ORBITS:
        write(make_dataset(orbit), tmp_path, orbit)
        write(move(15 * 1280 + 50.0)(make_dataset(orbit)), tmp_path, orbit, number=999_999)
    with pytest.raises(
        ValueError, match=r"on one grid of 1280 m, but hokkaido_999999 is 19250 m east"
    ):
        open_mosaic(tmp_path, SPEC)
    for orbit in ORBITS:
        write(make_dataset(orbit), tmp_path, orbit, number=999_999)
    with pytest.raises(ValueError, match="not overlap, but hokkaido_579 and hokkaido_999999"):
        open_mosaic(tmp_path, SPEC)


def test_tiles_in_two_coordinate_systems_are_refused(tmp_path: Path) -> None:
    for orbit in ORBITS:
        for region, crs in (("chile", "EPSG:32719"), ("peru", "EPSG:32718")):
            write(make_dataset(orbit).assign_attrs(crs=crs), tmp_path, orbit, region=region)
    rule = (
        r"one coordinate system, but got EPSG:32718 \(peru_579\) and .* Map the regions one by one"
    )
    with pytest.raises(ValueError, match=rule):
        open_mosaic(tmp_path, SPEC)


def test_a_folder_without_a_usable_tile_is_refused(tmp_path: Path) -> None:
    for orbit in ORBITS:
        path = write(make_dataset(orbit), tmp_path, orbit)
        path.write_text("no NetCDF")
    with pytest.raises(
        ValueError, match=r"needs a usable tile, but .* has none. The first reason: .*readable"
    ):
        open_mosaic(tmp_path, SPEC)
    with pytest.raises(FileNotFoundError, match="no folder s1asc/"):
        open_mosaic(tmp_path / "s1asc", SPEC)


def test_tiles_without_dates_around_the_event_are_refused_on_opening(tmp_path: Path) -> None:
    for orbit in ORBITS:
        write(shift(-400)(make_dataset(orbit)), tmp_path, orbit)
    with pytest.raises(DatesError, match="needs acquisitions before and after the event"):
        open_mosaic(tmp_path, SPEC)


def test_tiles_of_both_origins_are_refused(quad: Path, tmp_path: Path) -> None:
    two = copy_tiles(quad, tmp_path, "hokkaido_579", "hokkaido_619")
    assert open_mosaic(two, SPEC).synthetic
    for orbit in ORBITS:
        path = tile_path(two, "hokkaido_619", orbit)
        with xr.open_dataset(path) as dataset:
            copied = dataset.load()
        del copied.attrs["synthetic"]
        copied.to_netcdf(path)
    with pytest.raises(ValueError, match=r"all real or all synthetic, but hokkaido_579 is the"):
        open_mosaic(two, SPEC)


def test_unmarked_tiles_are_synthetic_if_their_manifest_says_so(tmp_path: Path) -> None:
    for orbit in ORBITS:
        write(make_dataset(orbit), tmp_path, orbit)
    assert not open_mosaic(tmp_path, SPEC).synthetic
    (tmp_path / "twin.json").write_text('{"synthetic": true, "version": "harmonized"}')
    assert open_mosaic(tmp_path, SPEC).synthetic


def test_each_tile_has_its_own_event(tmp_path: Path) -> None:
    for orbit in ORBITS:
        dated = make_dataset(orbit).assign_attrs(event_date="2018-08-01")
        write(dated, tmp_path, orbit)
        write(move(1280)(make_dataset(orbit)), tmp_path, orbit, number=619)
    scene = open_mosaic(tmp_path, InputSpec(S1, 4, "event"))
    days = {tile: str(event) for tile, event in scene.tile_events.items()}
    assert days == {"hokkaido_579": "2018-08-01T23:59:59", "hokkaido_619": "2018-09-05T18:08:00"}
    first, second = (read_all(scene)[0, column] for column in (0, 128))
    assert not np.array_equal(first, second)  # the same images, chosen around two events
    given = open_mosaic(tmp_path, InputSpec(S1, 4, "event", np.datetime64("2018-08-01", "s")))
    np.testing.assert_array_equal(read_all(given)[0, 0], first)
    np.testing.assert_array_equal(read_all(given)[0, 128], first)


def test_tiles_of_an_unknown_region_without_dates_get_the_models_event(tmp_path: Path) -> None:
    (tmp_path / "s1asc").mkdir()
    path = write(make_dataset("s1asc").drop_attrs().assign_attrs(crs="EPSG:32654"), tmp_path)
    path.rename(path.with_name("newland_s1asc_579.nc"))
    event = np.datetime64("2018-09-05T18:08", "s")
    spec = InputSpec(S1[:2], 4, "even", None, (("hokkaido", event),))
    scene = open_mosaic(tmp_path, spec)
    assert scene.events == (event,)
    assert "that of hokkaido is used" in scene.notes[0]
    with pytest.raises(ValueError, match=r"no event_date in newland in .*Give it with --event"):
        open_mosaic(tmp_path, InputSpec(S1[:2], 4, "even"))
