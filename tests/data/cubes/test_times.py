"""Times of any form become dates in UTC; slices of one pass become one acquisition."""

from typing import Any

import cftime
import numpy as np
import pytest
import xarray as xr

from data.cubes.times import join_slices, merge_passes, read_times

WANTED = np.array(["2018-09-05T08:00", "2018-09-17T08:00"], "datetime64[ns]")
NAN = np.nan


def make_cube(times: Any) -> xr.Dataset:
    return xr.Dataset(coords={"time": ("time", times)})


@pytest.mark.parametrize(
    "times",
    [
        WANTED.astype("datetime64[s]"),
        [cftime.DatetimeNoLeap(2018, 9, day, 8) for day in (5, 17)],
        ["2018-09-05T08:00:00Z", "2018-09-17T08:00:00+00:00"],
    ],
)
def test_dates_of_any_form_are_read(times: Any) -> None:
    np.testing.assert_array_equal(read_times(make_cube(times), "here"), WANTED)


@pytest.mark.parametrize(
    ("times", "got"),
    [
        ([1.0, 2.0], "type float64"),
        (["5 September"], "'5 September'"),
        ([np.datetime64("NaT"), WANTED[0]], "NaT"),
        ([cftime.Datetime360Day(2018, 2, 30)], "'2018-02-30T00:00:00'"),
    ],
)
def test_what_is_no_date_is_refused(times: Any, got: str) -> None:
    with pytest.raises(ValueError, match=f"time must be dates, but got {got} in here"):
        read_times(make_cube(times), "here")


def test_images_within_an_hour_are_of_one_pass() -> None:
    minutes = np.array([60 * 24, 0, 1, 60, 61]) * np.timedelta64(1, "m")
    notes: list[str] = []
    times, slices = join_slices(WANTED[0] + minutes, range(5), "s1asc", notes)
    assert slices == ((1, 2, 3), (4,), (0,))
    np.testing.assert_array_equal(times - WANTED[0], minutes[[1, 4, 0]])
    assert notes[0] == "The acquisitions of s1asc were sorted by time."
    assert "of one pass were joined (2018-09-05)" in notes[1]


def test_only_the_given_acquisitions_are_joined() -> None:
    notes: list[str] = []
    _, slices = join_slices(np.repeat(WANTED, 2), [1, 3], "s1asc", notes)
    assert slices == ((1,), (3,))
    assert notes == []


def test_a_pixel_is_the_first_slices_that_has_data() -> None:
    first = [[1, NAN, 0, -9999, NAN]]
    second = [[2, 3, 4, 5, NAN]]
    third = [[6, 7, 8, 9, NAN]]
    values = np.array([third, second, first], np.float32)
    merged = merge_passes(values, [[2, 1], [0]])
    np.testing.assert_array_equal(merged, np.array([[[1, 3, 4, 5, NAN]], third], np.float32))
