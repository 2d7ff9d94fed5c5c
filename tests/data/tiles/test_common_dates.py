"""Dates that all tiles of a region share, nearest to the event."""

import numpy as np
import pytest

from data.tiles.common_dates import (
    SharedDates,
    choose_common_days,
    choose_common_steps,
    choose_learnt_steps,
    find_shared_dates,
)
from data.tiles.tracks import choose_event_steps

EVENT = np.datetime64("2018-09-05T18:08", "s")
DAYS = np.arange(-7, 8) * 12 - 5  # of an acquisition from the event: 8 before it, 7 after


def at(*days: int) -> np.ndarray:
    """Return midnights at these days from the event's."""
    dates = EVENT.astype("datetime64[D]") + np.array(days) * np.timedelta64(1, "D")
    return dates.astype("datetime64[s]")


def offsets(days: np.ndarray | SharedDates) -> list[int]:
    assert not isinstance(days, SharedDates)
    return [int(day) for day in (days - EVENT.astype("datetime64[D]")).astype(int)]


def move(place: int, days: int) -> np.ndarray:
    moved = DAYS.copy()
    moved[place] += days
    return at(*moved)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 15])
def test_equal_series_are_read_as_each_alone(count: int) -> None:
    times = np.stack([at(*DAYS)] * 3)
    days = choose_common_days(times, count, EVENT)
    alone = choose_event_steps(times[0], count, EVENT)
    assert choose_common_steps(times[0], np.asarray(days), EVENT) == alone


def test_a_date_that_one_tile_lacks_is_left_out() -> None:
    times = np.stack([move(7, 3), at(*DAYS), at(*DAYS)])  # -5 days, the last one before the event
    assert offsets(choose_common_days(times, 4, EVENT)) == [-29, -17, 7, 19]
    assert offsets(choose_common_days(times[1:], 4, EVENT)) == [-17, -5, 7, 19]


def test_dates_around_the_event_of_annotated_tiles_alone_are_not_read() -> None:
    annotated = at(*sorted([*DAYS[2:], -4, 6]))
    times = np.stack([at(*DAYS), annotated] * 5)
    days = np.asarray(choose_common_days(times, 6, EVENT))
    read = {tuple(series[choose_common_steps(series, days, EVENT)].tolist()) for series in times}
    assert len(read) == 1


def test_few_tiles_may_lack_a_date_if_too_few_are_in_all() -> None:
    odd = at(*(DAYS + 4))  # shares no date
    times = np.stack([at(*DAYS)] * 19 + [odd])
    days = np.asarray(choose_common_days(times, 4, EVENT))
    assert offsets(days) == [-17, -5, 7, 19]
    assert choose_common_steps(odd, days, EVENT) == choose_event_steps(odd, 4, EVENT)
    assert isinstance(
        choose_common_days(times[1:], 4, EVENT), SharedDates
    )  # 1 of 19 is more than 5 %


def test_dates_on_one_side_of_the_event_do_not_suffice() -> None:
    times = np.stack([at(*DAYS[:8]), at(*DAYS[:8])])
    shared = choose_common_days(times, 4, EVENT)
    assert isinstance(shared, SharedDates)
    assert (len(shared.days), shared.before) == (8, 8)


def test_an_acquisition_on_the_day_of_the_event_is_on_the_side_of_its_time() -> None:
    late = EVENT + np.timedelta64(3, "h")
    times = np.stack([np.sort(np.append(at(-17, -5, 7), late))] * 2)
    assert find_shared_dates(times, EVENT).before == 2
    assert offsets(choose_common_days(times, 2, EVENT, by_track=False)) == [-5, 0]


def test_common_dates_of_sentinel_1_are_of_one_track() -> None:
    days = at(-29, -22, -17, -10, -5, 7, 14, 19)
    times = np.stack([days[days != at(-5)[0]]] * 2)
    assert offsets(choose_common_days(times, 2, EVENT)) == [-17, 7]
    assert offsets(choose_common_days(times, 2, EVENT, by_track=False)) == [-10, 7]


def test_repeated_images_count_once() -> None:
    times = np.stack([at(-17, -5, 7, 7), at(-17, -5, 7, 19)])
    assert len(find_shared_dates(times, EVENT).days) == 3


def test_a_scene_with_the_learnt_days_is_read_at_them_and_others_around_the_event() -> None:
    learnt = [-29, -17, 7, 19]
    steps = choose_learnt_steps(at(*DAYS), 4, EVENT, learnt)
    assert offsets(at(*DAYS)[steps].astype("datetime64[D]")) == learnt
    for other, days in ((at(*(DAYS + 1)), learnt), (at(*DAYS), [])):
        assert choose_learnt_steps(other, 4, EVENT, days) == choose_event_steps(other, 4, EVENT)
