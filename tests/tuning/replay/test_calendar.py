"""The calendar after an event: days of new acquisitions, and what each tile holds by then."""

from dataclasses import replace

import numpy as np
import torch

from data.pack import Pack
from data.pack.reader import PackReader
from data.splits import Split
from tuning.replay.calendar import MOST_DAYS, Calendar, make_calendar

FOUR = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")


def of_split(
    pack: Pack, split: Split, timesteps: int = 4, channels: tuple[str, ...] = FOUR
) -> Calendar:
    return make_calendar(pack, split.test, split.val, channels, "event", timesteps)


def test_days_are_those_of_the_acquisitions_that_are_read(pack: Pack, split: Split) -> None:
    calendar, rows = of_split(pack, split), pack.rows(split.test)
    selected = pack.select_steps("event", 4)
    times = np.take_along_axis(pack.times, selected, axis=2)[rows]
    late = times[times > np.broadcast_to(pack.events[rows][:, None, None], times.shape)]
    days = np.ceil((late - pack.events[rows[0]]) / np.timedelta64(1, "D"))
    assert calendar.days.tolist() == [0, *np.unique(days)]
    assert (calendar.after[0, rows] == 0).all()
    assert (np.diff(calendar.after, axis=0) >= 0).all()
    assert (
        calendar.after[-1, rows] == (times > pack.events[rows][:, None, None]).sum(axis=2)
    ).all()


def test_a_model_of_one_orbit_has_the_days_of_that_orbit(pack: Pack, split: Split) -> None:
    both, one = of_split(pack, split), of_split(pack, split, channels=("s1dsc:VV", "DEM"))
    assert one.modalities == ("s1dsc",)
    assert set(one.days) < set(both.days)
    assert both.average(pack, pack.rows(split.test))[-1].tolist() == [2, 2]


def test_val_has_as_many_acquisitions_as_test_whatever_its_own_dates(
    pack: Pack, split: Split
) -> None:
    times = pack.times.copy()
    times[pack.rows(split.val)] += np.timedelta64(300, "D")
    calendar = of_split(replace(pack, times=times), split)
    val, test = (calendar.after[:, pack.rows(ids)] for ids in (split.val, split.test))
    assert (val == np.median(test, axis=1)[:, None]).all()


def test_a_long_calendar_is_thinned_evenly_and_keeps_its_ends(pack: Pack, split: Split) -> None:
    times = pack.times.copy()
    for place, row in enumerate(pack.rows(split.test)):
        times[row] += np.timedelta64(place, "D")
    calendar = of_split(replace(pack, times=times), split, timesteps=14)
    assert len(calendar.days) == MOST_DAYS
    assert calendar.days[0] == 0
    rows = pack.rows(split.test)
    selected = np.take_along_axis(times, pack.select_steps("event", 14), axis=2)[rows]
    assert (
        calendar.after[-1, rows] == (selected > pack.events[rows][:, None, None]).sum(axis=2)
    ).all()


def test_a_day_later_than_all_acquisitions_reads_the_whole_series(pack: Pack, split: Split) -> None:
    rows = pack.rows(split.test)
    calendar = of_split(pack, split)
    last = PackReader(pack, FOUR, 4, "event", after=calendar.after[-1])
    whole = PackReader(pack, FOUR, 4, "event")
    np.testing.assert_array_equal(last.days[rows], whole.days[rows])


def test_before_the_first_acquisition_the_last_image_before_the_event_is_repeated(
    pack: Pack, split: Split
) -> None:
    calendar, row = of_split(pack, split), int(pack.rows(split.test)[0])
    reader = PackReader(pack, FOUR, 4, "event", after=calendar.after[0])
    tile = torch.empty(reader.shape)
    reader.read(row, tile)
    for place in (2, 3):
        torch.testing.assert_close(tile[place], tile[1], rtol=0, atol=0, equal_nan=True)
    assert np.isnan(reader.days[row, 2:]).all()
    assert (reader.days[row, :2] < 0).all()
