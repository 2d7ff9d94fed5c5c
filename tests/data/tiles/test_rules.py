"""Every broken file is refused with its path, verdict and message."""

import os
from pathlib import Path

import numpy as np
import pytest

from data.tiles import TileError, open_tile, tile_path
from tests.support.tile_files import cast, fill, make_dataset, put, to_linear, write

BROKEN = {
    "no VV": (
        lambda d: d.drop_vars("VV"),
        "missing-variable",
        r"must have the variables VV, but got none in .*579\.nc",
    ),
    "no MASK, DEM": (
        lambda d: d.drop_vars(["MASK", "DEM"]),
        "missing-variable",
        r"must have the variables MASK, DEM, but got none",
    ),
    "no y": (
        lambda d: d.drop_vars("y"),
        "missing-variable",
        r"must have the variables y, but got none",
    ),
    "no crs": (
        lambda d: d.assign_attrs(crs=""),
        "missing-attribute",
        r"attribute crs, but got none",
    ),
    "another crs": (
        lambda d: d.assign_attrs(crs="EPSG:32653"),
        "wrong-crs",
        r"crs must be EPSG:32654, but got 'EPSG:32653'",
    ),
    "dims": (
        lambda d: d.assign(VV=d["VV"].rename(x="east")),
        "wrong-dims",
        r"VV must have dims \('time', 'x', 'y'\) of shape \(15, 128, 128\), but got \('time', 'east', 'y'\)",
    ),
    "flat x": (
        lambda d: d.drop_vars("x").assign(x=(("y", "x"), np.zeros((128, 128)))),
        "wrong-dims",
        r"x must have dims \('x',\) of shape \(128,\), but got",
    ),
    "steps": (lambda d: d.isel(time=slice(14)), "wrong-shape", r"of shape \(14, 128, 128\) in"),
    "pixels": (lambda d: d.isel(x=slice(64)), "wrong-shape", r"of shape \(15, 64, 128\) in"),
    "float mask": (
        cast("MASK", "float32"),
        "wrong-dtype",
        r"MASK must be integer, but got float32",
    ),
    "whole dB": (cast("VH", "int16"), "wrong-dtype", r"VH must be floating point, but got int16"),
    "x in words": (
        lambda d: d.assign_coords(x=[str(i) for i in range(128)]),
        "wrong-dtype",
        r"x must be numeric, but got <class 'str'>",
    ),
    "NaN only": (fill(np.nan), "no-data", r"VV must have data, but got no valid pixel"),
    "no data only": (fill(-9999), "no-data", r"VV must have data, but got no valid pixel"),
    "infinite": (
        put("VV", (0, 0, 0), np.inf),
        "infinite",
        r"VV must be finite or NaN, but got inf",
    ),
    "loud": (
        put("VV", (0, 0, 0), 10.5),
        "out-of-range",
        r"VV must be in \[-50, 10\] dB, but got .* to 10\.5",
    ),
    "quiet": (
        put("VH", (0, 0, 0), -50.5),
        "out-of-range",
        r"VH must be in \[-50, 10\] dB, but got -50\.5",
    ),
    "mask 2": (
        put("MASK", (slice(None), 0, 0), 2),
        "mask-not-binary",
        r"MASK must be 0 or 1, but got \[0 1 2\]",
    ),
    "moving mask": (
        lambda d: d.assign(MASK=d["MASK"] * (d["time"] > d["time"][0])),
        "mask-changes",
        r"MASK must not change over time, but got a change",
    ),
    "deep": (
        fill(-1, "DEM"),
        "dem-out-of-range",
        r"DEM must be in \(0, 8800\) m, but got -1 to -1",
    ),
    "time back": (
        lambda d: d.isel(time=slice(None, None, -1)),
        "time-unsorted",
        r"time must be ascending, but got",
    ),
    "time twice": (
        lambda d: d.assign_coords(time=d["time"].to_numpy()[[0, 0, *range(2, 15)]]),
        "time-duplicate",
        r"Acquisitions of one time must have one image, but got two in VV of 2018-03-29 in .*579",
    ),
    "time unknown": (
        lambda d: d.assign_coords(time=np.append(d["time"][:-1], np.datetime64("NaT"))),
        "time-not-dates",
        r"time must be dates, but got NaT",
    ),
    "time no date": (
        lambda d: d.assign_coords(time=np.arange(15.0)),
        "time-not-dates",
        r"time must be dates, but got units None",
    ),
    "time no calendar": (
        lambda d: d.assign_coords(time=("time", np.arange(15.0), {"units": "days since never"})),
        "time-not-dates",
        r"time must be dates, but got .*never",
    ),
    "time far off": (
        lambda d: d.assign_coords(
            time=("time", 1e6 * np.arange(15.0), {"units": "days since 2018-03-29"})
        ),
        "time-not-dates",
        r"time must be dates, but got units",
    ),
    "x back": (
        lambda d: d.isel(x=slice(None, None, -1)),
        "wrong-grid",
        r"x must have steps of \+10 m",
    ),
    "y up": (
        lambda d: d.isel(y=slice(None, None, -1)),
        "wrong-grid",
        r"y must have steps of -10 m",
    ),
    "20 m": (
        lambda d: d.assign_coords(x=2 * d["x"]),
        "wrong-grid",
        r"x must have steps of \+10 m, but got .* in",
    ),
    "x and y swapped": (
        lambda d: d.assign_coords(x=d["y"].to_numpy(), y=d["x"].to_numpy()),
        "wrong-grid",
        r"x must have steps of \+10 m, but got 4732160\.0, 4732150\.0",
    ),
    "a tile to the south": (
        lambda d: d.assign_coords(y=d["y"] - 1280),
        "elsewhere",
        r"corner at \(576000, 4732160\) m, but got \(576000, 4730880\)",
    ),
    "linear": (
        to_linear,
        "wrong-unit",
        r"probably linear power \(raw release\): use --units linear",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_tile_is_refused_by_path_and_rule(case: str, tmp_path: Path) -> None:
    change, verdict, message = BROKEN[case]
    path = write(change(make_dataset()), tmp_path)
    with pytest.raises(TileError, match=message) as caught:
        open_tile(path)
    assert caught.value.verdict == verdict
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("power", "verdict", "message"),
    [
        (
            None,
            "wrong-unit",
            r"must be linear power, but got a median -.*probably dB .* use --units dB if all",
        ),
        (0.0, "no-data", "no valid pixel"),
        (300.0, "out-of-range", r"VV must be in \[-50, 10\] dB, but got 24\.77 to 24\.77"),
    ],
)
def test_linear_power_is_refused_by_rule(
    power: float | None, verdict: str, message: str, tmp_path: Path
) -> None:
    dataset = make_dataset() if power is None else fill(power, "VV", "VH")(make_dataset())
    with pytest.raises(TileError, match=message) as caught:
        open_tile(write(dataset, tmp_path), units="linear")
    assert caught.value.verdict == verdict


@pytest.mark.parametrize("keep", [0, 7, 5_000, -1_000])
def test_tile_is_refused_when_truncated(keep: int, tmp_path: Path) -> None:
    path = write(make_dataset(), tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    match = r"must be readable NetCDF, but got .* Get the file again, or remove the tile from all"
    with pytest.raises(TileError, match=match) as caught:
        open_tile(path)
    assert caught.value.verdict == "unreadable"


def test_a_folder_is_not_a_tile(tmp_path: Path) -> None:
    path = tile_path(tmp_path, "hokkaido_579", "s1asc")
    path.mkdir(parents=True)
    with pytest.raises(TileError, match=r"must be readable NetCDF, but got \w+: .*in ") as caught:
        open_tile(path)
    assert caught.value.verdict == "unreadable"


def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    path = write(make_dataset(), tmp_path)
    path.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:  # root reads everything
            os.seteuid(65534)
        with pytest.raises(TileError, match="must be readable NetCDF, but got Perm") as caught:
            open_tile(path)
    finally:
        os.seteuid(user)
    assert caught.value.verdict == "unreadable"


def test_a_number_that_overflows_float32_is_infinite(tmp_path: Path) -> None:
    path = write(put("VV", (0, 0, 0), 1e300)(cast("VV", "float64")(make_dataset())), tmp_path)
    with pytest.raises(TileError, match="VV must be finite or NaN, but got inf"):
        open_tile(path)
