"""Every pixel of a datacube is checked as it is read, and its unit is found from all bands and orbits together."""

import zlib
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import xarray as xr

from data.scene import series
from data.scene.base import InputSpec
from data.scene.cube import Cube
from data.scene.datacube import open_cube
from data.scene.series import list_squares
from data.scene.windows import Span, Window
from tests.support.cube_files import Groups, change_all, make_groups, write_netcdf, write_zarr
from tests.support.own_process import run_apart

S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
SPEC = InputSpec(S1, 4, "even")
DAYS = ("2018-03-29", "2018-07-27", "2018-10-31", "2019-02-28")
CORNER = (slice(None), slice(0, 40), slice(100, 160))  # off the diagonal


def fill(value: float, *names: str) -> Groups:
    groups = make_groups(160, 160)
    for dataset in groups.values():
        for name in names or ("VV", "VH"):
            dataset[name].values[CORNER] = value
    return groups


def read_in_rows(cube: Cube, side: int = 64) -> list[np.ndarray]:
    """Read all windows as a map does."""
    windows = cube.list_windows(side, 16)
    rows = {window.rows.start: [] for window in windows}
    for window in windows:
        rows[window.rows.start].append(window)
    found = [data for row in rows.values() for data in cube.read_all(row)]
    return [data.x for data in found if data is not None]


@pytest.mark.parametrize("value", [-32768, -3.4028235e38, 9.969209968386869e36, 0, np.inf])
def test_a_filled_corner_off_the_diagonal_is_no_data_and_reported(
    value: float, tmp_path: Path
) -> None:
    cube = open_cube(write_netcdf(fill(value), tmp_path / "cube.nc"), SPEC)
    whole = Window(Span(0, np.ones(160, np.float32)), Span(0, np.ones(160, np.float32)))
    data = cube.read(whole)
    assert data is not None
    assert np.isnan(data.x[..., :40, 100:]).all()
    assert not np.isnan(data.x[..., 40:, :]).any()
    assert not data.valid[:40, 100:].any()
    share = {"fills" if value else "zeros": 40 * 60 / 160**2}
    assert cube.no_data.list_shares() == dict.fromkeys(S1, dict.fromkeys(DAYS, share))
    (note, *_) = cube.no_data.add_notes(cube.notes)
    assert note.startswith(
        f"s1asc VV holds {np.float32(value):.8g} where there is no image, though"
    )
    assert note.endswith("(9.4 % on 2018-03-29, 9.4 % on 2018-07-27, …, 9.4 % on 2019-02-28).")
    assert cube.no_data.add_notes(cube.notes) == []  # each once


def test_windows_find_what_the_whole_scene_holds(tmp_path: Path) -> None:
    path = write_netcdf(fill(-32768, "VV"), tmp_path / "cube.nc")
    cube = open_cube(path, SPEC)
    read_in_rows(cube)
    shares = cube.no_data.list_shares()
    assert list(shares) == ["s1asc:VV", "s1dsc:VV"]
    assert shares["s1asc:VV"][DAYS[0]]["fills"] == pytest.approx(40 * 60 / 160**2)


def test_a_date_that_is_no_backscatter_is_refused_while_it_is_read(tmp_path: Path) -> None:
    groups = make_groups(160, 160)
    groups["s1dsc"]["VH"].values[5, 70:90, :40] = -77  # between the squares of the sample
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), SPEC)
    with pytest.raises(
        ValueError, match=r"VH must be in \[-50, 10\] dB, but got -77 to .* s1dsc of"
    ):
        read_in_rows(cube)


def test_a_date_in_another_unit_is_refused(tmp_path: Path) -> None:
    groups = make_groups(160, 160)
    groups["s1asc"]["VV"].values[9] = 10 ** (groups["s1asc"]["VV"].values[9] / 10)
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), SPEC)
    with pytest.raises(ValueError, match=r"VV must be dB on every date, .* date 3 in s1asc of"):
        read_in_rows(cube)


def to_power(groups: Groups, *names: str) -> Groups:
    def convert(dataset: xr.Dataset) -> xr.Dataset:
        return dataset.assign({name: 10 ** (dataset[name] / 10) for name in names})

    return change_all(groups, convert)


def test_linear_power_with_negative_pixels_is_linear_and_said(tmp_path: Path) -> None:
    groups = to_power(make_groups(), "VV", "VH")
    wanted = read_in_rows(open_cube(write_netcdf(groups, tmp_path / "a.nc"), SPEC))[0]
    for dataset in groups.values():
        dataset["VV"].values[:, 20, 20:23] = -1e-4
    cube = open_cube(write_netcdf(groups, tmp_path / "b.nc"), SPEC)
    assert "Backscatter of s1asc, s1dsc was converted from linear power to dB." in cube.notes
    text = "The unit of the backscatter, linear power, was found from its values: median 0.0"
    assert any(note.startswith(text) for note in cube.notes)
    wanted[:, [0, 2], 20, 20:23] = np.nan
    np.testing.assert_array_equal(read_in_rows(cube)[0], wanted)


@pytest.mark.parametrize(
    ("change", "units", "message"),
    [
        (lambda g: to_power(g, "VV"), None, "in one unit, but got s1asc VV like linear power"),
        (lambda g: g | {"s1dsc": to_power(g, "VV", "VH")["s1dsc"]}, None, "in one unit, .* s1dsc VV"),
        (lambda g: to_power(to_power(g, "VV", "VH"), "VV"), None, "dB or linear power|in one unit"),
        (lambda g: to_power(g, "VV", "VH"), "dB", "probably linear power .* --units linear"),
        (lambda g: g, "linear", "probably dB .* --units dB"),
        (lambda g: change_all(g, lambda d: d.assign(VV=10 ** (d["VV"] / 20), VH=10 ** (d["VH"] / 20))), None, "beyond doubt, .* with --units dB or --units linear; amplitude must be"),
    ],
)  # fmt: skip
def test_a_unit_that_the_values_contradict_or_leave_open_is_refused(
    change: Any, units: Any, message: str, tmp_path: Path
) -> None:
    path = write_netcdf(change(make_groups()), tmp_path / "cube.nc")
    with pytest.raises(ValueError, match=message):
        open_cube(path, SPEC, units)


def test_squares_lie_all_over_a_scene() -> None:
    squares = list_squares(1000, 600, 4)
    assert len(squares) == 16
    assert {(rows.start, columns.start) for rows, columns in squares} >= {(117, 67), (819, 469)}
    assert list_squares(20, 30, 4) == [(slice(0, 20), slice(0, 30))]


def inflate(tmp_path: Path) -> None:
    series.SPARE_BYTES = 2**26  # of this process alone
    gzip = {name: {"compressors": [numcodecs.GZip()]} for name in ("VV", "VH")}
    path = write_zarr(make_groups(), tmp_path / "cube.zarr", version=2, encoding=gzip)
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(2**24)) for _ in range(16)) + packer.flush()
    (path / "s1asc" / "VV" / "0.0.0").write_bytes(bomb)  # 268 MB of zeros
    with pytest.raises(ValueError, match=r"must be readable, but got MemoryError: .* in s1asc of"):
        open_cube(path, SPEC)


def test_a_zarr_chunk_that_inflates_is_refused(tmp_path: Path) -> None:
    run_apart(inflate, tmp_path)
