"""`common`: all tiles of a region read the same dates."""

import numpy as np
import pytest

from data.pack.channels import select_steps
from data.pack.pack import Pack
from data.pack.placebo import make_placebo_pack
from data.pack.profile import measure_offsets
from tests.support.tile_files import EVENT

DAYS = EVENT + np.arange(-7, 8) * np.timedelta64(12 * 24 * 60, "m") + np.timedelta64(60, "m")


def make_times(places: tuple[int, ...], tiles: int = 6) -> np.ndarray:
    """Make series of two orbits; every second tile has its own ascending dates at these places."""
    times = np.tile(DAYS, (tiles, 2, 1)).astype("datetime64[s]")
    times[1::2, 0, places] += np.timedelta64(5, "D")
    return times


def select(times: np.ndarray, count: int, regions: str, events: np.ndarray | None = None) -> list:
    events = np.repeat(EVENT, len(times)).astype("datetime64[s]") if events is None else events
    return select_steps(times, "common", count, events, ("s1asc", "s1dsc"), tuple(regions)).tolist()


def test_all_tiles_of_a_region_read_the_same_dates() -> None:
    assert select(make_times((6, 7)), 4, "aaaaaa") == [[[4, 5, 8, 9], [5, 6, 7, 8]]] * 6


def test_regions_have_their_own_dates() -> None:
    times = make_times((6,))
    # The tiles of b are alike, and their date before the event is of another track.
    assert select(times, 2, "ababab") == [[[6, 7], [6, 7]], [[5, 7], [6, 7]]] * 3


def test_tiles_of_other_events_read_the_dates_of_the_most_frequent_one() -> None:
    events = np.repeat(EVENT, 6).astype("datetime64[s]")
    events[0] += np.timedelta64(24, "D")
    assert select(make_times(()), 2, "aaaaaa", events) == [[[6, 7], [6, 7]]] * 6


@pytest.mark.parametrize(
    ("places", "count", "message"),
    [
        (
            (6, 7),
            15,
            r"timesteps=15, .* 6 tiles of a share 13 dates of s1asc: 6 .* 7 .*--timesteps 13",
        ),
        (tuple(range(15)), 2, r"share 0 dates of s1asc: 0 before .* Choose --steps event"),
    ],
)
def test_too_few_shared_dates_are_an_error_with_the_numbers(
    places: tuple[int, ...], count: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        select(make_times(places), count, "aaaaaa")


def test_a_profile_keeps_the_days_from_the_event() -> None:
    times = make_times(())[:, 0, [6, 7]]
    assert measure_offsets(times, np.repeat(EVENT, 6)) == [-12, 0]


def test_series_with_a_pretended_event_are_read_around_it(pack: Pack) -> None:
    free = make_placebo_pack(pack, pack.tile_ids[:2], "common", 4)
    assert free.select_steps("common", 4).tolist() == free.select_steps("event", 4).tolist()
