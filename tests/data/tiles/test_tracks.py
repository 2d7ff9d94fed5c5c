"""Tracks of date lists, real ones included, and the acquisitions that are compared over an event."""

import netCDF4
import numpy as np
import pytest

from data.tiles.tracks import (
    choose_event_steps,
    describe_tracks,
    find_repeats,
    find_tracks,
    rank_tracks,
)
from tests.support.real_tiles import REAL_TILES, read_dates

EVENT = np.datetime64("2023-05-16T23:59:59")


def dates(*days: int) -> np.ndarray:
    """Return times that are so many days after the event's day, at midnight."""
    return np.datetime64("2023-05-16", "s") + np.array(days, "m8[D]")


def read_times(orbit: str) -> np.ndarray:
    with netCDF4.Dataset(REAL_TILES / orbit / f"italy_{orbit}_4120.nc") as file:
        time = file["time"]
        stamps = netCDF4.num2date(time[:], time.units, time.calendar)
    return np.array([str(stamp)[:10] for stamp in stamps], "M8[s]")


def test_one_satellite_returns_to_its_track_after_12_days_and_two_after_6() -> None:
    assert find_tracks(dates(-36, -24, 12, 120)).tolist() == [0, 0, 0, 0]
    assert find_tracks(dates(-30, -24, -18, 6)).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("offset", [2, 5, 7, 10])
def test_neighbouring_tracks_are_told_apart(offset: int) -> None:
    assert find_tracks(dates(-24, -24 + offset, -12, -12 + offset)).tolist() == [0, 1, 0, 1]


def test_the_time_of_day_does_not_make_a_track() -> None:
    hours = np.array([9, 9, 20, 9], "m8[h]")
    assert find_tracks(dates(-24, -12, 0, 12) + hours).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("orbit", "mixed"), [("s1asc", 584), ("s1dsc", 911)])
def test_real_date_lists_span_the_published_tracks(orbit: str, mixed: int) -> None:
    lists = read_dates()[orbit]
    counts = [(tiles, find_tracks(days).max() + 1) for tiles, days in lists]
    assert sum(tiles for tiles, _ in counts) == 1281
    assert sum(tiles for tiles, tracks in counts if tracks == 2) == mixed
    assert max(tracks for _, tracks in counts) == 2


def test_the_real_descending_pair_is_of_two_tracks_and_is_replaced() -> None:
    ascending, descending = read_times("s1asc"), read_times("s1dsc")
    assert (find_tracks(ascending) == 0).all()
    assert describe_tracks(ascending, EVENT) == ""
    assert find_tracks(descending).tolist() == [0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0]
    assert choose_event_steps(ascending, 2, EVENT) == [9, 10]
    assert choose_event_steps(descending, 2, EVENT) == [7, 10]  # 36 days; the other track has 48
    assert choose_event_steps(descending, 4, EVENT) == [6, 7, 10, 11]
    assert describe_tracks(descending, EVENT) == (
        "Dates span 2 tracks of 8 and 7 acquisitions; the nearest to the event are of two tracks, "
        "so 2023-04-16 and 2023-05-22 of one track are compared."
    )


def test_the_track_with_the_shortest_pair_comes_first() -> None:
    times = dates(-14, -12, -2, 10, 12, 24)  # tracks: 4 and 0 modulo 6
    assert find_tracks(times).tolist() == [0, 1, 0, 0, 1, 1]
    assert rank_tracks(times, EVENT) == [0, 1]
    assert rank_tracks(dates(-14, -12), EVENT) == []


def test_a_side_that_its_track_cannot_fill_takes_the_others() -> None:
    times = dates(-17, -12, -5, 7, 12, 24)  # the track of -12 has one date before the event
    assert find_tracks(times).tolist() == [0, 1, 0, 0, 1, 1]
    assert choose_event_steps(times, 2, EVENT) == [2, 3]
    assert choose_event_steps(times, 4, EVENT) == [0, 2, 3, 4]
    assert choose_event_steps(times, 6, EVENT) == list(range(6))


def test_without_a_track_on_both_sides_the_nearest_dates_are_chosen() -> None:
    times = dates(-17, -5, 2, 14)
    assert rank_tracks(times, EVENT) == []
    assert choose_event_steps(times, 2, EVENT) == [1, 2]
    assert describe_tracks(times, EVENT) == (
        "Dates span 2 tracks of 2 and 2 acquisitions; none has dates on both sides of the event, "
        "so 2023-05-11 and 2023-05-18 of two tracks are compared."
    )


def test_a_series_on_one_side_of_the_event_fills_up_from_it() -> None:
    assert choose_event_steps(dates(-36, -24, -12), 2, EVENT) == [1, 2]
    assert choose_event_steps(dates(12, 24, 36), 2, EVENT) == [0, 1]
    assert (
        describe_tracks(dates(12, 17, 24), EVENT) == "Dates span 2 tracks of 2 and 1 acquisitions."
    )


def test_repeated_images_are_chosen_last() -> None:
    times = dates(-36, -24, -12, 12, 24, 24, 24)
    assert find_repeats(times).tolist() == [False] * 5 + [True, True]
    assert choose_event_steps(times, 4, EVENT) == [1, 2, 3, 4]
    assert choose_event_steps(times, 5, EVENT) == [0, 1, 2, 3, 4]  # three after it would repeat one
    assert choose_event_steps(times, 6, EVENT) == [0, 1, 2, 3, 4, 5]
    assert choose_event_steps(times, 7, EVENT) == list(range(7))


def test_a_pair_of_one_track_that_is_nearest_is_told() -> None:
    assert describe_tracks(dates(-17, -12, 12), EVENT) == (
        "Dates span 2 tracks of 1 and 2 acquisitions; 2023-05-04 and 2023-05-28 of one track are the "
        "nearest to the event."
    )
