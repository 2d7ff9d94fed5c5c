"""Slices of one pass become one acquisition; a date that lacks a slice has no data there."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.scene.base import InputSpec, Scene, WindowData
from data.scene.open import open_scene
from data.scene.windows import Span, Window
from tests.support.cube_files import NORTH, TIMES, WEST, make_groups
from tests.support.geotiff_files import list_dates, write_folder, write_geotiff

SPEC = InputSpec(("s1asc:VV", "s1asc:VH"), 2, "even")
GROUP = make_groups(40, 50, TIMES[::14])["s1asc"]
Slice = tuple[slice, slice]
TOP, BOTTOM = (slice(0, 25), slice(0, 50)), (slice(20, 40), slice(0, 50))  # they share five rows


def write_slices(
    root: Path,
    slices: Sequence[Slice],
    dates: Sequence[int] = (0, 1),
    hour: str = "",
    **options: Any,
) -> Path:
    """Write slices of the dates, a file for each polarisation."""
    for index in dates:
        for number, (rows, columns) in enumerate(slices):
            for band in ("VV", "VH"):
                name = f"s1asc/S1_{list_dates(GROUP)[index]}{hour}_{number}_{band}.tif"
                corner = (WEST + 10 * columns.start, NORTH - 10 * rows.start)
                values = GROUP[band].values[index, rows, columns]
                write_geotiff(root / name, {band: values}, **({"corner": corner} | options))
    return root


def read(scene: Scene, rows: slice | None = None) -> WindowData:
    cut = rows or slice(0, scene.grid.height)
    spans = Span(cut.start, np.ones(cut.stop - cut.start, np.float32)), Span(0, np.ones(scene.grid.width, np.float32))  # fmt: skip
    data = scene.read(Window(*spans))
    assert data is not None
    return data


def test_slices_of_a_pass_hold_the_numbers_of_the_whole(tmp_path: Path) -> None:
    whole = open_scene(write_folder({"s1asc": GROUP}, tmp_path / "whole"), SPEC)
    joined = open_scene(write_slices(tmp_path / "slices", [TOP, BOTTOM]), SPEC)
    assert joined.grid == whole.grid
    np.testing.assert_array_equal(read(joined).x, read(whole).x)
    for rows in (slice(0, 16), slice(16, 32), slice(32, 40)):
        np.testing.assert_array_equal(read(joined, rows).x, read(whole, rows).x)
    days = ", ".join(str(time)[:10] for time in GROUP["time"].values)
    assert f"Several files of s1asc of one pass were joined ({days})" in "\n".join(joined.notes)


def test_where_slices_overlap_the_first_that_has_data_counts(tmp_path: Path) -> None:
    write_slices(tmp_path, [TOP, BOTTOM])
    for band in ("VV", "VH"):
        values = np.full((25, 50), -9, np.float32)
        values[22:] = np.nan  # the slice's edge
        first = tmp_path / f"s1asc/S1_{list_dates(GROUP)[0]}_0_{band}.tif"
        write_geotiff(first, {band: values})
    x = read(open_scene(tmp_path, SPEC)).x
    assert (x[0, :, :22] == -9).all()
    wanted = GROUP["VV"].values[0, 22:].astype(np.float16)
    np.testing.assert_array_equal(x[0, 0, 22:], wanted)


def test_a_date_that_lacks_a_slice_is_no_data_there(tmp_path: Path) -> None:
    write_slices(tmp_path, [TOP, BOTTOM], dates=[0])
    scene = open_scene(write_slices(tmp_path, [TOP], dates=[1]), SPEC)
    data = read(scene)
    assert scene.grid.height == 40
    assert data.valid[:25].all()
    assert not data.valid[25:].any()
    assert (data.coverage[:, 25:] == [[[1]], [[0]]]).all()
    (note,) = scene.filled.list_notes()
    assert f"s1asc of {str(TIMES[14])[:10]} has data on 62% of the scene" in note


def test_slices_along_a_slanted_track_leave_corners_without_data(tmp_path: Path) -> None:
    slices = [(slice(0, 25), slice(10, 50)), (slice(20, 40), slice(0, 40))]
    data = read(open_scene(write_slices(tmp_path, slices), SPEC))
    assert data.valid.shape == (40, 50)
    assert not data.valid[:20, :10].any()
    assert not data.valid[25:, 40:].any()
    assert data.valid.sum() == 25 * 40 + 20 * 40 - 5 * 30


def test_slices_are_resampled_as_one_image(tmp_path: Path) -> None:
    """Bursts of 30 m; the scene is the area around both."""
    write_slices(tmp_path, [(slice(0, 25), slice(0, 50))], step=30.0, corner=(WEST, NORTH))
    for path in list(tmp_path.rglob("*_0_V*.tif")):
        path.rename(path.with_name(path.name.replace("_0_", "_north_")))
    write_slices(tmp_path, [(slice(20, 40), slice(0, 50))], step=30.0, corner=(WEST, NORTH - 600))
    scene = open_scene(tmp_path, SPEC, resample=True)
    assert (scene.grid.height, scene.grid.width) == (120, 150)
    assert read(scene).valid.all()


def test_slices_of_one_hour_are_one_pass_and_others_are_refused(tmp_path: Path) -> None:
    write_slices(tmp_path, [TOP], hour="T083510")
    assert read(open_scene(write_slices(tmp_path, [BOTTOM], hour="T083535"), SPEC)).valid.all()
    write_slices(tmp_path, [BOTTOM], hour="T101500")
    with pytest.raises(
        ValueError, match=r"one file of V. per day and orbit, or slices of one pass"
    ):
        open_scene(tmp_path, SPEC)


def rewrite_second(root: Path, **options: Any) -> None:
    """Write the southern slices anew, with another place or coordinate system."""
    for path in root.rglob("*_1_V*.tif"):
        values = np.full((20, 50), -9, np.float32)
        write_geotiff(path, {"band": values}, **({"corner": (WEST, NORTH - 200)} | options))


WRONG: list[tuple[str, Callable[[Path], object], str]] = [
    ("the same area twice", lambda root: rewrite_second(root, corner=(WEST, NORTH - 20)), r"one file of a polarisation per day and orbit, or slices of one pass, but got S1_\d+_0_V"),
    ("half a pixel off", lambda root: rewrite_second(root, corner=(WEST + 5, NORTH - 200)), r"Slices of a pass must have the same pixels, but got .*rasterio merge"),
    ("another resolution", lambda root: rewrite_second(root, step=20.0), r"Slices of a pass must have the same pixels, but got .* of 10 x 10 .* of 20 x 20"),
    ("another system", lambda root: rewrite_second(root, crs="EPSG:32653"), r"Slices of a pass must have the same pixels, but got .*EPSG:32654.*EPSG:32653"),
    ("far apart", lambda root: rewrite_second(root, corner=(WEST + 1e5, NORTH)), r"Slices of a pass must be adjacent, but got .*Map them one by one"),
    ("a polarisation of a slice is missing", lambda root: next(root.rglob("*_1_VH.tif")).unlink(), r"one file of VV per day and orbit, or slices of one pass, but got s1asc/S1_\d+_0_VV.tif, s1asc/S1_\d+_1_VV.tif"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
)
def test_files_that_are_no_slices_of_one_pass_are_refused(
    tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    write_slices(tmp_path, [TOP, BOTTOM])
    change(tmp_path)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        open_scene(tmp_path, SPEC)
