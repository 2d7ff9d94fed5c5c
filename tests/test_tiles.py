"""Tiles: what is read is what was written, and every broken file is refused by name."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data.tiles import (
    EVENT,
    ORBITS,
    TileError,
    hash_file,
    list_tiles,
    list_unpaired,
    open_tile,
    tile_id_of,
    tile_path,
)

BANDS = ("VV", "VH", "MASK", "DEM")


def make_dataset() -> xr.Dataset:
    rng = np.random.default_rng(0)
    shape = (15, 128, 128)
    mask = np.repeat((rng.random((1, 128, 128)) < 0.1).astype(np.uint8), 15, axis=0)
    dem = np.repeat(rng.integers(0, 700, (1, 128, 128), np.int16), 15, axis=0)
    bands = {
        "VV": rng.normal(-8, 3, shape).clip(-50, 10).astype(np.float32),
        "VH": rng.normal(-14, 3, shape).clip(-50, 10).astype(np.float32),
        "MASK": mask,
        "DEM": dem,
    }
    return xr.Dataset(
        {name: (("time", "x", "y"), values) for name, values in bands.items()},
        coords={
            "time": np.datetime64("2018-03-29", "ns") + 24 * np.arange(15) * np.timedelta64(1, "D"),
            "x": 576_000 + 10.0 * np.arange(128),
            "y": 4_732_160 - 10.0 * np.arange(128),
        },
        attrs={"crs": "EPSG:32654"},
    )


def to_linear(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign(VV=10 ** (dataset["VV"] / 10), VH=10 ** (dataset["VH"] / 10))


def write(dataset: xr.Dataset, root: Path, orbit: str = "s1asc", number: int = 579) -> Path:
    path = tile_path(root, f"hokkaido_{number}", orbit)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.to_netcdf(path)
    return path


def put(name: str, index: object, value: float) -> Callable[[xr.Dataset], xr.Dataset]:
    def change(dataset: xr.Dataset) -> xr.Dataset:
        dataset[name][index] = value
        return dataset

    return change


def fill(value: float, *names: str) -> Callable[[xr.Dataset], xr.Dataset]:
    return lambda d: d.assign({name: xr.full_like(d[name], value) for name in names or ("VV",)})


def cast(name: str, dtype: str) -> Callable[[xr.Dataset], xr.Dataset]:
    return lambda d: d.assign({name: d[name].astype(dtype)})


BROKEN = {
    "no VV": (lambda d: d.drop_vars("VV"), r"must have VV, but got none in .*579\.nc"),
    "no MASK, DEM": (lambda d: d.drop_vars(["MASK", "DEM"]), r"must have MASK, DEM, but got none"),
    "no crs": (lambda d: d.assign_attrs(crs=""), r"attribute crs, but got none"),
    "dims": (lambda d: d.transpose("time", "y", "x"), r"VV must have \('time', 'x', 'y'\) of"),
    "steps": (lambda d: d.isel(time=slice(14)), r"of \(14, 128, 128\) in"),
    "pixels": (lambda d: d.isel(x=slice(64)), r"of \(15, 64, 128\) in"),
    "float mask": (cast("MASK", "float32"), r"MASK must be integer, but got float32"),
    "whole dB": (cast("VH", "int16"), r"VH must be floating point, but got int16"),
    "NaN only": (fill(np.nan), r"VV must have data, but got no usable pixel"),
    "no data only": (fill(-9999), r"VV must have data, but got no usable pixel"),
    "infinite": (put("VV", (0, 0, 0), np.inf), r"VV must be finite or NaN, but got inf"),
    "loud": (put("VV", (0, 0, 0), 10.5), r"VV must be in \[-50, 10\] dB, but got .* to 10\.5"),
    "quiet": (put("VH", (0, 0, 0), -50.5), r"VH must be in \[-50, 10\] dB, but got -50\.5"),
    "mask 2": (put("MASK", (slice(None), 0, 0), 2), r"MASK must be 0 or 1, but got \[0 1 2\]"),
    "moving mask": (
        lambda d: d.assign(MASK=d["MASK"] * (d["time"] > d["time"][0])),
        r"same in every",
    ),
    "deep": (fill(-1, "DEM"), r"DEM must be in \(0, 8800\) m, but got -1 to -1"),
    "time back": (
        lambda d: d.isel(time=slice(None, None, -1)),
        r"time must ascend without repeats",
    ),
    "time twice": (
        lambda d: d.assign_coords(time=d["time"].to_numpy()[[0, 0, *range(2, 15)]]),
        r"time must ascend without repeats",
    ),
    "time no date": (lambda d: d.assign_coords(time=np.arange(15.0)), r"time must be dates"),
    "time no calendar": (
        lambda d: d.assign_coords(time=("time", np.arange(15.0), {"units": "days since never"})),
        r"time must be dates, but got .*never",
    ),
    "x back": (lambda d: d.isel(x=slice(None, None, -1)), r"x must go by \+10 m"),
    "y up": (lambda d: d.isel(y=slice(None, None, -1)), r"y must go by -10 m"),
    "20 m": (lambda d: d.assign_coords(x=2 * d["x"]), r"x must go by \+10 m, but got .* in"),
    "linear": (to_linear, r"looks like linear power \(raw release\): use --units linear"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_tile_is_refused_by_name_and_rule(case: str, tmp_path: Path) -> None:
    change, message = BROKEN[case]
    path = write(change(make_dataset()), tmp_path)
    with pytest.raises(TileError, match=message) as caught:
        open_tile(path)
    assert str(path) in str(caught.value)


def test_tile_is_a_map_with_north_up(tmp_path: Path) -> None:
    dataset = make_dataset()
    tile = open_tile(write(dataset, tmp_path))
    assert (tile.tile_id, tile.orbit, tile.crs) == ("hokkaido_579", "s1asc", "EPSG:32654")
    assert tile.backscatter.shape == (15, 2, 128, 128)
    assert tile.backscatter.dtype == np.float32
    assert tile.backscatter[3, 0, 5, 7] == dataset["VV"].to_numpy()[3, 7, 5]
    assert tile.backscatter[3, 1, 5, 7] == dataset["VH"].to_numpy()[3, 7, 5]
    np.testing.assert_array_equal(tile.mask, dataset["MASK"].to_numpy()[0].T)
    np.testing.assert_array_equal(tile.dem, dataset["DEM"].to_numpy()[0].T)
    assert (tile.mask.dtype, tile.dem.dtype) == (np.uint8, np.int16)
    assert tile.y[0] > tile.y[-1]
    assert tile.times.dtype == np.dtype("datetime64[ns]")
    assert 0 < (tile.times > EVENT).sum() < 15


def test_tile_has_nan_where_the_file_has_no_data(tmp_path: Path) -> None:
    path = write(put("VV", (2, 7, 5), -9999)(make_dataset()), tmp_path)
    tile = open_tile(path)
    assert np.isnan(tile.backscatter[2, 0, 5, 7])
    assert np.isnan(tile.backscatter).sum() == 1


def test_tile_is_the_same_in_db_when_read_from_linear_power(tmp_path: Path) -> None:
    decibels = open_tile(write(make_dataset(), tmp_path, "s1asc"))
    linear = open_tile(write(to_linear(make_dataset()), tmp_path, "s1dsc"), units="linear")
    np.testing.assert_allclose(linear.backscatter, decibels.backscatter, atol=1e-4)


def test_power_of_zero_is_nan_and_strong_scatterers_are_bounded(tmp_path: Path) -> None:
    dataset = to_linear(make_dataset())
    dataset["VV"][0, 0, 0], dataset["VV"][0, 1, 0] = 0, 100
    tile = open_tile(write(dataset, tmp_path), units="linear")
    assert np.isnan(tile.backscatter[0, 0, 0, 0])
    assert tile.backscatter[0, 0, 0, 1] == 10


@pytest.mark.parametrize(
    ("power", "message"),
    [
        (None, "looks like dB .* use --units dB"),
        (0.0, "no usable pixel"),
        (300.0, "24.77 dB|dB, but"),
    ],
)
def test_linear_power_is_refused_by_rule(power: float | None, message: str, tmp_path: Path) -> None:
    dataset = make_dataset() if power is None else fill(power, "VV", "VH")(make_dataset())
    with pytest.raises(TileError, match=message):
        open_tile(write(dataset, tmp_path), units="linear")


@pytest.mark.parametrize("keep", [0, 7, 5_000, -1_000])
def test_tile_is_refused_when_truncated(keep: int, tmp_path: Path) -> None:
    path = write(make_dataset(), tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TileError, match=r"must be readable NetCDF, but got .* Get the file again"):
        open_tile(path)


def test_tile_is_refused_when_missing_or_misnamed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must exist, but got .*hokkaido_s1asc_1\.nc"):
        open_tile(tile_path(tmp_path, "hokkaido_1", "s1asc"))
    with pytest.raises(TileError, match=r"must be named hokkaido_<orbit>_<number>\.nc, but got"):
        open_tile(tmp_path / "italy_s1asc_1.nc")
    with pytest.raises(ValueError, match="Units must be 'dB' or 'linear', but got 'db'"):
        open_tile(tmp_path / "hokkaido_s1asc_1.nc", units="db")  # type: ignore[arg-type]


def test_tile_path_and_id_are_inverse(tmp_path: Path) -> None:
    path = tile_path(tmp_path, "hokkaido_42", "s1dsc")
    assert path == tmp_path / "s1dsc" / "hokkaido_s1dsc_42.nc"
    assert tile_id_of(path) == "hokkaido_42"
    with pytest.raises(ValueError, match="orbit must be one of s1asc, s1dsc, but got 's2'"):
        tile_path(tmp_path, "hokkaido_42", "s2")
    with pytest.raises(ValueError, match="tile id must look like hokkaido_579, but got '42'"):
        tile_path(tmp_path, "42", "s1asc")


def touch(root: Path, *names: str) -> None:
    for orbit in ORBITS:
        (root / orbit).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).touch()


def test_list_has_pairs_only_and_names_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = [f"{orbit}/hokkaido_{orbit}_{n}.nc" for orbit in ORBITS for n in (20, 3)]
    touch(tmp_path, *pair, "s1asc/hokkaido_s1asc_7.nc", "s1dsc/copy_of_1.nc")
    with caplog.at_level(logging.WARNING):
        assert list_tiles(tmp_path) == ["hokkaido_20", "hokkaido_3"]
    assert "one orbit only: hokkaido_7" in caplog.text
    assert re.search(r"not a tile's name: copy_of_1\.nc", caplog.text)
    assert list_unpaired(tmp_path) == ["hokkaido_7"]


def test_list_explains_the_layout_when_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder s1asc/ .*--data twin` works without"):
        list_tiles(tmp_path)
    touch(tmp_path, "s1asc/hokkaido_s1asc_7.nc")
    with pytest.raises(
        FileNotFoundError, match=r"must hold s1asc/.* but got no tile that has both"
    ):
        list_tiles(tmp_path)


def test_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert hash_file(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")
