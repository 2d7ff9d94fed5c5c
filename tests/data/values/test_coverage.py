"""A pixel is mapped where each orbit has acquisitions before and after the event, and each acquisition counts once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data.pack.placebo import Placebo
from data.scene.base import InputSpec, WindowData
from data.scene.datacube import open_cube
from data.scene.tile_mosaic import open_mosaic
from data.scene.windows import Span, Window
from data.tiles import ORBITS
from data.values.coverage import (
    NO_BACKSCATTER,
    Coverage,
    FilledDates,
    OrbitDates,
    count_acquisitions,
)
from tests.support.cube_files import change_all, make_groups, write_netcdf
from tests.support.tile_files import make_dataset, write

S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
EVENT = np.datetime64("2018-09-05T18:08")
LATE = np.datetime64("2018-09-06")


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[ns]")


def make_x(channels: int, dates: int, seed: int = 0) -> np.ndarray:
    """Make an input of which half of the values are missing, and heights."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-10, 2, (dates, channels, 7, 9)).astype(np.float32)
    x[rng.random(x.shape) < 0.5] = np.nan
    x[:, :, 0] = np.nan  # no backscatter at all
    return x


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_the_orbit_with_fewer_complete_acquisitions(seed: int) -> None:
    x = make_x(5, 4, seed)
    orbits = [
        OrbitDates("s1asc", days("2018-08-01", "2018-09-01", "2018-09-13", "2018-10-01"), EVENT),
        OrbitDates("s1dsc", days("2018-08-02", "2018-09-14", "2018-09-20", "2018-10-02"), EVENT),
    ]
    found = count_acquisitions((*S1, "DEM"), x, orbits)
    for row, column in np.ndindex(7, 9):
        data = ~np.isnan(x[:, :4, row, column])
        if not data.any():
            assert (found.counts[:, row, column] == NO_BACKSCATTER).all()
            assert not found.mapped[row, column]
            continue
        whole = data.reshape(4, 2, 2).all(axis=2)  # date, orbit
        before = min(whole[:2, 0].sum(), whole[:1, 1].sum())
        after = min(whole[2:, 0].sum(), whole[1:, 1].sum())
        assert found.counts[:, row, column].tolist() == [before, after]
        assert found.mapped[row, column] == (before >= 1 and after >= 1)


def test_without_gaps_all_pixels_have_all_acquisitions() -> None:
    x = np.zeros((3, 2, 4, 5), np.float32)
    orbits = [OrbitDates("s1asc", days("2018-08-01", "2018-08-13", "2018-09-18"), EVENT)]
    found = count_acquisitions(S1[:2], x, orbits)
    assert (found.counts[0] == 2).all()
    assert (found.counts[1] == 1).all()
    assert found.mapped.all()
    assert set(found.filled.values()) == {20}


def test_a_repeated_acquisition_counts_once() -> None:
    times = days("2018-08-01", "2018-09-18", "2018-09-18", "2018-09-18")
    x = np.zeros((4, 1, 2, 2), np.float32)
    for gap in (0.0, np.nan):
        x[0, 0, 0, 0] = gap
        found = count_acquisitions(("s1asc:VV",), x, [OrbitDates("s1asc", times, EVENT)])
        assert found.counts[:, 1, 1].tolist() == [1, 1]
        wanted = [0 if np.isnan(gap) else 1, 1]
        assert found.counts[:, 0, 0].tolist() == wanted


def test_an_acquisition_at_the_time_of_the_event_is_before_it() -> None:
    times = np.array([EVENT, EVENT + np.timedelta64(1, "m")]).astype("datetime64[ns]")
    found = count_acquisitions(
        ("s1asc:VV",), np.zeros((2, 1, 1, 1), np.float32), [OrbitDates("s1asc", times, EVENT)]
    )
    assert found.counts.ravel().tolist() == [1, 1]


def test_a_network_that_learnt_from_more_images_after_the_event_needs_as_many() -> None:
    times = days("2018-08-01", "2018-09-18", "2018-09-30")
    x = np.zeros((3, 1, 1, 2), np.float32)
    x[2, 0, 0, 1] = np.nan
    found = count_acquisitions(("s1asc:VV",), x, [OrbitDates("s1asc", times, EVENT, 2)])
    assert found.counts[1].tolist() == [[2, 1]]
    assert found.mapped.tolist() == [[True, False]]


def test_a_network_without_sentinel_1_has_no_coverage() -> None:
    with pytest.raises(ValueError, match=r"needs a band of Sentinel-1, but got s2:B04\."):
        count_acquisitions(("s2:B04",), np.zeros((2, 1, 1, 1)), [])


def test_acquisitions_with_clearly_fewer_pixels_are_named_with_their_share() -> None:
    filled = FilledDates()
    for whole, half in ((100, 0), (100, 100)):
        pixels = {("s1asc", "2018-08-01"): whole, ("s1asc", "2018-09-18"): half}
        pixels |= {("s1dsc", "2018-08-02"): 50, ("s1dsc", "2018-09-19"): 48}
        filled.add(Coverage(np.zeros((2, 10, 10), np.uint8), np.ones((10, 10), bool), pixels))
    (note,) = filled.list_notes()
    assert note.startswith("The acquisition of s1asc of 2018-09-18 has data on 50% of the scene, ")
    assert note.endswith("others of its orbit on up to 100%: a slice may be missing.")


def drop_late(dataset: xr.Dataset, late: np.datetime64 = LATE, column: int = 40) -> xr.Dataset:
    """Remove what is east of a column and after a day."""
    kept = (dataset["time"] < late) | (dataset["x"] < dataset["x"][column])
    return dataset.assign({band: dataset[band].where(kept) for band in ("VV", "VH")})


def read(scene_path: Path, spec: InputSpec) -> tuple[WindowData, FilledDates]:
    cube = open_cube(scene_path, spec)
    whole = Window(Span(0, np.ones(64, np.float32)), Span(0, np.ones(80, np.float32)))
    data = cube.read(whole)
    assert data is not None
    return data, cube.filled


def test_an_area_without_images_after_the_event_of_one_orbit_is_not_mapped(tmp_path: Path) -> None:
    groups = make_groups()
    groups["s1dsc"] = drop_late(groups["s1dsc"])
    data, filled = read(write_netcdf(groups, tmp_path / "cube.nc"), InputSpec(S1, 4, "even"))
    assert data.valid[:, :40].all()
    assert not data.valid[:, 40:].any()
    assert (data.coverage[:, :, :40] == 2).all()
    assert (data.coverage[0, :, 40:] == 2).all()
    assert (data.coverage[1, :, 40:] == 0).all()
    first, second = filled.list_notes()
    assert "s1dsc of 2018-10-31 has data on 50% of the scene" in first
    assert "s1dsc of 2019-02-28 has data on 50% of the scene" in second


def test_of_a_placebo_the_pretended_event_counts(tmp_path: Path) -> None:
    pretended = np.datetime64("2018-06-15")
    groups = change_all(make_groups(), lambda d: drop_late(d, pretended))
    path = write_netcdf(groups, tmp_path / "cube.nc")
    spec = replace(InputSpec(S1, 4, "even"), placebo=Placebo(pretended))
    data, _ = read(path, spec)
    assert data.valid[:, :40].all()
    assert not data.valid[:, 40:].any()
    assert (data.coverage[1, :, 40:] == 0).all()


def test_each_tile_counts_around_its_own_event(tmp_path: Path) -> None:
    for orbit in ORBITS:
        write(make_dataset(orbit).assign_attrs(event_date="2018-12-01"), tmp_path, orbit)
        beside = make_dataset(orbit)
        east = beside.assign_coords(x=beside["x"] + 1280)
        write(east, tmp_path, orbit, number=619)
    scene = open_mosaic(tmp_path, InputSpec(S1, 4, "even"))
    found = {}
    for window in scene.list_windows(128, 16):
        data = scene.read(window)
        assert data is not None
        found[window.columns.start] = data.coverage
    assert (found[0] == [[[3]], [[1]]]).all()
    assert (found[128] == 2).all()
    np.testing.assert_array_equal(
        found[64], np.concatenate([found[0][..., 64:], found[128][..., :64]], axis=-1)
    )
