"""A block is the first valid pixel of a pass's frames, on the grid of the scene, as linear power until it becomes dB."""

import threading
from pathlib import Path

import numpy as np
import pyproj
import pytest
from odc.geo.geobox import GeoBox
from shapely.geometry import box

from data.assemble.blocks import HEIGHTS, Block, list_blocks
from data.assemble.grid import make_grid
from data.assemble.load import choose_items, keep_first, load_block, to_db
from tests.support.scene_assets import (
    DAYS,
    NORTH,
    WEST,
    PlainSource,
    find_area,
    find_one_pass,
    make_found,
    make_frame,
    make_item,
    make_pass,
    make_power,
    write_cog,
)

FIRST = Block("s1asc", 0, 0, 0)


def load(found: object, grid: GeoBox, block: Block = FIRST) -> dict[str, np.ndarray]:
    return load_block(found, PlainSource(), block, grid, threading.Event())  # type: ignore[arg-type]


def place(grid: GeoBox) -> tuple[int, int]:
    """Return row and column of the frames' pixel in the upper left corner of a grid."""
    west, _, _, north = grid.boundingbox
    return round((NORTH - north) / 10), round((west - WEST) / 10)


def cut(values: np.ndarray, grid: GeoBox) -> np.ndarray:
    (row, column), (height, width) = place(grid), grid.shape.yx
    return values[row : row + height, column : column + width]


def db(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(power.astype(np.float64))


def test_pixels_of_the_same_grid_become_decibels_without_resampling(tmp_path: Path) -> None:
    power = make_power(300, 300)
    found = find_one_pass(find_area(200, 220, 30, 40), make_frame(tmp_path, "a", power))
    grid = make_grid(found.area)
    loaded = load(found, grid)
    np.testing.assert_allclose(loaded["VV"], db(cut(power, grid)), atol=2e-5)
    np.testing.assert_allclose(loaded["VH"], db(cut(power, grid)) - 10, atol=2e-5)


@pytest.mark.parametrize("nodata", [None, 0.0, -32768.0, float("nan")])
def test_what_is_no_data_or_no_power_is_nan(tmp_path: Path, nodata: float | None) -> None:
    power = make_power(300, 300)
    power[:, :80] = 0 if nodata is None else nodata
    power[100, 120:123] = (0.0, -0.01, np.nan)  # noise removal leaves zero and less
    frame = make_frame(tmp_path, "a", power, nodata=nodata)
    found = find_one_pass(find_area(200, 220, 30, 40), frame)
    grid = make_grid(found.area)
    valid = cut(power, grid) > 0
    assert not valid.all()
    for values in load(found, grid).values():
        np.testing.assert_array_equal(np.isfinite(values), valid)


def test_frames_of_a_pass_are_joined_by_their_first_valid_pixel(tmp_path: Path) -> None:
    north, south = make_power(200, 300, 1), make_power(200, 300, 2)
    north[150:] = 0  # the frame ends here, and nothing declares it
    items = [
        make_frame(tmp_path, "north", north),
        make_frame(tmp_path, "south", south, north=NORTH - 1000),
    ]
    found = find_one_pass(find_area(250, 220, 20, 40), *items)
    grid = make_grid(found.area)
    whole = np.zeros((300, 300), np.float32)
    whole[100:] = south
    whole[:150] = north[:150]
    np.testing.assert_allclose(load(found, grid)["VV"], db(cut(whole, grid)), atol=2e-5)
    turned = find_one_pass(found.area, *items[::-1])
    whole[100:] = south
    np.testing.assert_allclose(load(turned, grid)["VV"], db(cut(whole, grid)), atol=2e-5)


def test_frames_of_another_zone_are_resampled_as_power(tmp_path: Path) -> None:
    # A frame in the neighbouring zone, whose power rises along x: its mean between two pixels is that of power.
    area = find_area(100, 100, 150, 150)
    lon, lat = area.centroid.x, area.centroid.y
    east, north = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32653", always_xy=True).transform(
        lon, lat
    )
    west, top = round(east, -1) - 3000, round(north, -1) + 3000
    ramp = np.tile(np.linspace(0.05, 0.5, 600, dtype=np.float32), (600, 1))
    frame = make_frame(tmp_path, "b", ramp, crs="EPSG:32653", west=west, north=top)
    found = find_one_pass(area, frame)
    grid = make_grid(area)
    loaded = load(found, grid)["VV"]
    assert np.isfinite(loaded).all()
    x0, _, _, y0 = grid.boundingbox
    height, width = grid.shape.yx
    x, y = np.meshgrid(x0 + 5 + 10 * np.arange(width), y0 - 5 - 10 * np.arange(height))
    other, _ = pyproj.Transformer.from_crs("EPSG:32654", "EPSG:32653", always_xy=True).transform(
        x, y
    )
    wanted = np.interp((other - west) / 10 - 0.5, np.arange(600), ramp[0])
    power = 10 ** (loaded / 10)
    np.testing.assert_allclose(power, wanted, rtol=0.01)  # GDAL places pixels within an eighth


def test_bursts_of_thirty_metres_are_interpolated_as_power(tmp_path: Path) -> None:
    power = np.tile(np.array([[0.1, 0.4]], np.float32), (60, 30))
    found = find_one_pass(find_area(90, 90, 30, 30), make_frame(tmp_path, "c", power, step=30.0))
    loaded = 10 ** (load(found, make_grid(found.area))["VV"] / 10)
    row = loaded[45] / 0.1
    # Of 30-m pixels of 1 and 4, those of 10 m are 1, 2, 3, 4: the mean of power, not of decibels.
    assert set(np.round(row, 2)) == {1.0, 2.0, 3.0, 4.0}


def test_a_block_without_frames_is_nan_and_opens_nothing(tmp_path: Path) -> None:
    frame, far = make_frame(tmp_path, "a"), find_area(100, 100, 4000, 4000)
    found = find_one_pass(far, frame)
    for asset in frame.assets.values():
        Path(asset.href).unlink()
    assert np.isnan(load(found, make_grid(far))["VV"]).all()


def test_only_frames_that_reach_a_block_are_opened(tmp_path: Path) -> None:
    near, far = (
        make_frame(tmp_path, name, north=NORTH - shift)
        for name, shift in (("near", 0), ("far", 40_000))
    )
    found = find_one_pass(find_area(4200, 100), near, far)
    grid = make_grid(found.area)
    assert [item.id for item in choose_items(found, FIRST, grid)] == ["near"]
    third = Block("s1asc", 0, 4096, 0)
    assert [item.id for item in choose_items(found, third, grid)] == ["far"]


def test_heights_are_bilinear_and_zero_is_one(tmp_path: Path) -> None:
    lon, lat = find_area(300, 300).centroid.coords[0]
    step = 1 / 3600
    heights = np.tile(np.arange(200, dtype=np.float32)[:, None] * -2 + 200, (1, 200))
    file = write_cog(
        tmp_path / "dem.tif",
        heights,
        crs="EPSG:4326",
        west=lon - 100 * step,
        north=lat + 100 * step,
        step=step,
    )
    item = make_item("dem", {"DEM": file})
    found = find_one_pass(find_area(200, 200, 50, 50), heights=[item])
    grid = make_grid(found.area)
    loaded = load(found, grid, Block(HEIGHTS, 0, 0, 0))[HEIGHTS]
    x0, _, _, y0 = grid.boundingbox
    x, y = np.meshgrid(
        x0 + 5 + 10 * np.arange(loaded.shape[1]), y0 - 5 - 10 * np.arange(loaded.shape[0])
    )
    _, latitude = pyproj.Transformer.from_crs(str(grid.crs), "EPSG:4326", always_xy=True).transform(
        x, y
    )
    wanted = 200 - 2 * ((lat + 100 * step - latitude) / step - 0.5)
    np.testing.assert_allclose(loaded, wanted, atol=0.3)  # an eighth of a pixel
    assert (np.abs(loaded) < 1).any()  # sea level is a height


def test_an_area_across_the_antimeridian_is_loaded_from_both_sides(tmp_path: Path) -> None:
    area = box(179.98, -16.52, 180.02, -16.48)
    grid = make_grid(area)
    west, _, _, north = grid.boundingbox
    height, width = grid.shape.yx
    crs = str(grid.crs)
    left, right = make_power(height, width // 2, 3), make_power(height, width - width // 2, 4)
    items = [
        make_frame(tmp_path, "west", left, crs=crs, west=west, north=north),
        make_frame(tmp_path, "east", right, crs=crs, west=west + 10 * (width // 2), north=north),
    ]
    items[0].geometry = {"type": "Polygon", "coordinates": [[[179.9, -17], [180, -17], [180, -16], [179.9, -16], [179.9, -17]]]}  # fmt: skip
    items[1].geometry = {"type": "Polygon", "coordinates": [[[-180, -17], [-179.9, -17], [-179.9, -16], [-180, -16], [-180, -17]]]}  # fmt: skip
    step = 1 / 3600
    tiles = [
        write_cog(tmp_path / f"{name}.tif", np.full((180, 180), value, np.float32), crs="EPSG:4326", west=edge, north=-16.475, step=step)
        for name, value, edge in (("e", 10, 180 - 180 * step), ("w", 20, -180))
    ]  # fmt: skip
    dem = [make_item(file.stem, {"DEM": file}) for file in tiles]
    found = find_one_pass(area, *items, heights=dem)
    loaded = load(found, grid)["VV"]
    np.testing.assert_allclose(loaded, db(np.concatenate([left, right], axis=1)), atol=2e-5)
    heights = load(found, grid, Block(HEIGHTS, 0, 0, 0))[HEIGHTS]
    assert set(np.unique(heights)) == {10.0, 20.0}
    assert (heights[:, :5] == 10).all()
    assert (heights[:, -5:] == 20).all()


def test_power_becomes_decibels_exactly() -> None:
    power = np.array([1, 0.1, 100, 0, -1, np.nan, np.inf, 3.4e38], np.float32)
    wanted = np.array([0, -10, 20, *[np.nan] * 5], np.float32)
    np.testing.assert_allclose(to_db(power), wanted, atol=1e-6)


def test_a_mosaic_keeps_what_it_has() -> None:
    joined = np.array([[1, 0, np.nan, -2, 3]], np.float32)
    keep_first(joined, np.array([[9, 5, 6, 7, np.nan]], np.float32))
    np.testing.assert_array_equal(joined, [[1, 5, 6, 7, 3]])
    keep_first(joined, np.full((1, 5), np.nan, np.float32))
    np.testing.assert_array_equal(joined, [[1, 5, 6, 7, 3]])


def test_every_block_of_each_acquisition_is_listed_once_and_none_outside_the_area() -> None:
    area = find_area(2100, 2100).union(find_area(100, 2100, 6000))  # nothing in between
    found = make_found([make_pass([], day) for day in DAYS], area)
    grid = make_grid(area)
    blocks = list_blocks(found, grid)
    assert len(blocks) == len(set(blocks))
    rows = {block.row for block in blocks}
    assert rows == {0, 2048, 4096}
    assert {block.step for block in blocks} == {0, 1, 2}
