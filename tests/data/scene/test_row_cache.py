"""Windows read in order equal windows read alone, and each chunk of the file is read once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from data.scene.base import InputSpec
from data.scene.datacube import open_cube
from data.scene.row_cache import ChunkLayout, RowCache, read_acquisitions, read_chunk_layout
from tests.support.cube_files import Groups, change_all, make_groups, write_netcdf, write_zarr

SPEC = InputSpec(("s1asc:VV", "s1dsc:VH"), 4, "even")
CHUNK = 48


def write_cube(groups: Groups, folder: Path, kind: str) -> Path:
    """Write a cube in chunks of ``CHUNK`` rows."""
    if kind == "north up":
        groups = change_all(groups, lambda dataset: dataset.isel(y=slice(None, None, -1)))
    dates = 15 if kind == "all dates" else 1
    for dataset in groups.values():
        for band in ("VV", "VH"):
            dataset[band].encoding = {"chunks": (dates, CHUNK, CHUNK)}
            if kind == "netcdf":
                dataset[band].encoding = {"chunksizes": (1, CHUNK, CHUNK), "zlib": True}
    if kind == "netcdf":
        return write_netcdf(groups, folder / "cube.nc")
    return write_zarr(groups, folder / "cube.zarr")


@pytest.mark.parametrize("kind", ["zarr", "netcdf", "north up", "all dates"])
def test_windows_read_in_order_equal_windows_read_alone(tmp_path: Path, kind: str) -> None:
    path = write_cube(make_groups(200, 112), tmp_path, kind)
    cube, alone = open_cube(path, SPEC), open_cube(path, SPEC)
    assert cube.series["s1asc"].layout.rows == CHUNK
    for number in range(2):  # a scene can be mapped again
        for window in cube.list_windows(64, 16):
            window_data, wanted = cube.read(window), alone.read(window)
            assert window_data is not None
            assert wanted is not None
            np.testing.assert_array_equal(window_data.x, wanted.x, err_msg=f"{number}: {window}")
            np.testing.assert_array_equal(window_data.relief, wanted.relief)


@pytest.mark.parametrize(("kind", "first"), [("zarr", 48), ("netcdf", 48), ("north up", 200 % 48)])
def test_no_chunk_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, first: int
) -> None:
    cube = open_cube(write_cube(make_groups(200, 112), tmp_path, kind), SPEC)
    original, read = cube._read_band, []

    def watch(channel: str, rows: slice, columns: slice) -> np.ndarray:
        if (channel, columns.start) == ("s1asc:VV", 0):
            read.append((rows.start, rows.stop))
        return original(channel, rows, columns)

    monkeypatch.setattr(cube, "_read_band", watch)
    for window in cube.list_windows(64, 16):
        cube.read(window)
    tops, bottoms = zip(*read, strict=True)
    assert tops == (0, *bottoms[:-1])
    assert bottoms[-1] == 200
    assert {bottom % CHUNK for bottom in bottoms[:-1]} == {first % CHUNK}


def test_windows_may_be_read_in_any_order(tmp_path: Path) -> None:
    path = write_cube(make_groups(200, 112), tmp_path, "zarr")
    cube, alone = open_cube(path, SPEC), open_cube(path, SPEC)
    windows = cube.list_windows(64, 16)
    for at in np.random.default_rng(0).permutation(len(windows)):
        window_data, wanted = cube.read(windows[at]), alone.read(windows[at])
        assert window_data is not None
        assert wanted is not None
        np.testing.assert_array_equal(window_data.x, wanted.x)


@pytest.mark.parametrize(
    ("row", "height", "wanted"), [(0, 99, 8), (8, 99, 8), (9, 99, 24), (24, 99, 24), (90, 99, 99)]
)
def test_next_edge_is_the_first_one_to_the_south(row: int, height: int, wanted: int) -> None:
    assert ChunkLayout(16, 8, 1).next_edge(row, height) == wanted
    assert ChunkLayout(1, 0, 1).next_edge(row, height) == row


def test_dates_that_share_chunks_are_read_together() -> None:
    calls: list[Any] = []

    class Band(xr.DataArray):
        __slots__ = ()

        def __getitem__(self, key: Any) -> Any:
            calls.append(key)
            return super().__getitem__(key)

    values = np.arange(5 * 3 * 2.0).reshape(5, 3, 2)
    band = Band(values, dims=("time", "y", "x"))
    for dates, reads in ((5, 0), (1, 2)):
        calls.clear()
        found = read_acquisitions(band, [1, 4], ChunkLayout(1, 0, dates))
        np.testing.assert_array_equal(found, values[[1, 4]])
        assert len(calls) == reads


def test_an_unchunked_file_has_an_edge_at_every_row() -> None:
    band = xr.DataArray(np.zeros((2, 3, 4)), {"y": [3, 2, 1]}, ("time", "y", "x"))
    assert read_chunk_layout(band) == ChunkLayout(1, 0, 1)


def test_only_rows_of_the_next_windows_are_cached() -> None:
    strip = RowCache(
        lambda rows, columns: np.zeros((1, 64, 10), np.float32), ChunkLayout(64, 0, 1), 64, [0, 48]
    )
    strip.read(slice(0, 56), slice(0, 10))
    ((first, kept),) = strip._cached.values()
    assert (first, kept.shape, kept.dtype) == (48, (1, 16, 10), np.float16)
    strip.read(slice(48, 64), slice(0, 10))
    assert not strip._cached
