"""A tile's packed values are decoded, and a chunk that holds more than the file says is refused."""

import resource
import zlib
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from data.tiles import TileError, netcdf, open_tile, survey_tile
from tests.support.own_process import run_apart
from tests.support.tile_files import cast, make_dataset, put, write


def pack(dataset: xr.Dataset, **attributes: object) -> xr.Dataset:
    for name in ("VV", "VH"):
        dataset[name].attrs.update(attributes)
    return dataset


def test_packed_integers_are_decoded_and_named(tmp_path: Path) -> None:
    dataset, plain = make_dataset(), open_tile(write(make_dataset(), tmp_path, "s1dsc"))
    for name in ("VV", "VH"):
        dataset[name] = (dataset[name] / 0.001).round().astype("i2")
    tile = open_tile(write(pack(dataset, scale_factor=0.001), tmp_path))
    np.testing.assert_allclose(tile.bands, plain.bands, atol=6e-4)
    texts = [warning.text for warning in tile.warnings]
    assert texts == [f"{name} is stored as int16, published as float32." for name in ("VV", "VH")]


def test_integers_that_are_not_packed_are_no_backscatter(tmp_path: Path) -> None:
    with pytest.raises(TileError, match="VV must be floating point, but got int16"):
        open_tile(write(cast("VV", "int16")(make_dataset()), tmp_path))


def test_a_declared_fill_is_no_data_in_bands_and_heights(tmp_path: Path) -> None:
    dataset = put("DEM", (slice(None), 5, 6), -32768)(put("VV", (2, 7, 5), -40)(make_dataset()))
    dataset["DEM"].attrs["_FillValue"] = np.int16(-32768)
    tile = open_tile(write(pack(dataset, missing_value=np.float32(-40)), tmp_path))
    assert np.argwhere(np.isnan(tile.bands)).tolist() == [[2, 0, 5, 7]]
    assert np.argwhere(tile.dem == -9999).tolist() == [[6, 5]]


def test_a_mask_with_no_data_is_refused(tmp_path: Path) -> None:
    dataset = put("MASK", (slice(None), 5, 6), 255)(make_dataset())
    dataset["MASK"].attrs["_FillValue"] = np.uint8(255)
    with pytest.raises(TileError, match="MASK must be 0 or 1, but got no data in 15 pixels"):
        open_tile(write(dataset, tmp_path))


def test_pixel_centres_are_moved_to_corners(tmp_path: Path) -> None:
    centred = make_dataset()
    centred = centred.assign_coords(x=centred["x"] + 5, y=centred["y"] - 5)
    path = write(centred, tmp_path)
    tile, survey = open_tile(path), survey_tile(path)
    assert (tile.x[0], tile.y[0]) == (survey.west_m, survey.north_m) == (576_000, 4_732_160)
    assert [warning.name for warning in tile.warnings] == ["pixel-centres"]


def test_a_geotransform_that_contradicts_the_coordinates_is_named(tmp_path: Path) -> None:
    text = "576040 10 0 4732160 0 -10"
    dataset = make_dataset().assign(spatial_ref=((), 0, {"GeoTransform": text}))
    tile = open_tile(write(dataset, tmp_path))
    assert [warning.name for warning in tile.warnings] == ["geotransform-differs"]
    dataset["spatial_ref"].attrs["GeoTransform"] = "1 2"
    with pytest.raises(TileError, match="GeoTransform must be six numbers, but got '1 2'"):
        open_tile(write(dataset, tmp_path))


def test_a_chunk_larger_than_a_tile_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write(make_dataset().drop_vars("time"), tmp_path)
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("time", "f8", ("time",))
    with netCDF4.Dataset(path) as file:
        assert file["VV"].chunking() == "contiguous"
    path.unlink()
    with netCDF4.Dataset(path, "w") as file:
        file.crs = "EPSG:32654"
        for name, size in (("time", None), ("x", 128), ("y", 128)):
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,))[: size or 15] = np.arange(size or 15)
        for name, dtype in (("VV", "f4"), ("VH", "f4"), ("MASK", "u1"), ("DEM", "i2")):
            chunks = {"chunksizes": (1100, 128, 128)} if name == "VH" else {}
            file.createVariable(name, dtype, ("time", "x", "y"), zlib=True, **chunks)[:15] = 0
    with pytest.raises(
        TileError, match="A chunk of VH must have at most 67,108,864 bytes, but got 72,0"
    ):
        open_tile(path)


def inflate(tmp_path: Path) -> None:
    path, limited = write_with_bomb(tmp_path), netcdf.limited_memory
    netcdf.limited_memory = lambda: limited(2**26)  # of this process alone
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TileError, match="must be readable NetCDF") as caught:
        open_tile(path)
    assert caught.value.verdict == "unreadable"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 110_000  # KB


def test_a_chunk_that_inflates_is_refused_before_it_is_whole(tmp_path: Path) -> None:
    """HDF5 inflates a chunk to its end, whatever size the file states: so a longer stream is put in place of one."""
    run_apart(inflate, tmp_path)


def write_with_bomb(root: Path) -> Path:
    """Write a tile whose chunk of VV, incompressible and thus long enough, becomes a stream of 134 MB of zeros."""
    dataset = make_dataset()
    whole = {"zlib": True, "complevel": 1, "shuffle": False, "chunksizes": (15, 128, 128)}
    path = write(dataset, root)
    dataset.to_netcdf(path, encoding={"VV": whole})
    stored = zlib.compress(dataset["VV"].values.tobytes(), 1)
    content = path.read_bytes()
    at = content.index(stored)
    packer = zlib.compressobj(1)
    bomb = b"".join(packer.compress(bytes(2**24)) for _ in range(8)) + packer.flush()
    assert len(bomb) <= len(stored)
    path.write_bytes(content[:at] + bomb.ljust(len(stored), b"\0") + content[at + len(stored) :])
    return path
