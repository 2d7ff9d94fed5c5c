"""So many acquisitions before an event, and so many after it."""

import numpy as np
import pytest

from data.tiles.map_dates import DatesError, LearntDates, choose_map_steps
from data.tiles.tracks import choose_window_steps

EVENT = np.datetime64("2018-09-05T18:08", "s")


def at(*days: int) -> np.ndarray:
    noon = EVENT.astype("datetime64[D]").astype("datetime64[s]") + np.timedelta64(12, "h")
    return noon + np.array(days) * np.timedelta64(1, "D")


TIMES = at(-40, -28, -16, -4, 8, 20, 32, 44)


def test_each_side_has_its_number_from_the_event_outwards() -> None:
    assert choose_window_steps(TIMES, 1, 1, EVENT) == [3, 4]
    assert choose_window_steps(TIMES, 3, 2, EVENT) == [1, 2, 3, 4, 5]
    assert choose_window_steps(TIMES, 1, 4, EVENT) == [3, 4, 5, 6, 7]


def test_one_side_does_not_depend_on_the_number_of_the_other() -> None:
    two_tracks = np.sort(np.concatenate([TIMES, TIMES + np.timedelta64(5, "D")]))
    for after in range(1, 9):
        chosen = choose_window_steps(two_tracks, 3, after, EVENT)
        assert chosen[:3] == choose_window_steps(two_tracks, 3, 1, EVENT)[:3]
        assert set(chosen) >= set(choose_window_steps(two_tracks, 3, max(1, after - 1), EVENT))


def test_one_track_comes_first() -> None:
    times = at(-28, -16, -9, -4, 3, 8, 20)  # the days -9 and 3 are of another track
    assert choose_window_steps(times, 2, 2, EVENT) == [1, 3, 5, 6]
    assert choose_window_steps(times, 2, 2, EVENT, by_track=False) == [2, 3, 4, 5]
    assert choose_window_steps(times, 4, 3, EVENT) == [0, 1, 2, 3, 4, 5, 6]


def test_a_side_that_has_too_few_repeats_its_farthest_acquisition() -> None:
    assert choose_window_steps(TIMES, 6, 6, EVENT) == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 7, 7]


def test_a_side_without_any_repeats_the_nearest_of_the_other() -> None:
    assert choose_window_steps(at(-16, -4), 2, 2, EVENT) == [0, 1, 1, 1]
    assert choose_window_steps(at(8, 20), 2, 2, EVENT) == [0, 0, 0, 1]


def test_repeated_images_count_once() -> None:
    times = at(-16, -16, -4, 8, 20, 20)
    assert choose_window_steps(times, 2, 2, EVENT) == [0, 2, 3, 4]
    assert choose_window_steps(times, 3, 3, EVENT) == [0, 0, 2, 3, 4, 4]


def choose(times: np.ndarray, learnt: LearntDates) -> list[int]:
    return choose_map_steps(times, "pre:2/post:3", 5, EVENT, learnt, by_track=True)


def test_a_scene_is_read_as_in_training() -> None:
    learnt = LearntDates((-16, -4, 8, 20, 32), 3, 3)
    assert choose(TIMES, learnt) == choose_window_steps(TIMES, 2, 3, EVENT)
    assert choose(TIMES, LearntDates()) == choose_window_steps(TIMES, 2, 3, EVENT)


def test_soon_after_the_event_the_last_image_takes_the_places_of_those_to_come() -> None:
    learnt = LearntDates((-16, -4, 8, 20, 32), 3, 1)
    assert choose(at(-28, -16, -4, 8), learnt) == [1, 2, 3, 3, 3]


def test_fewer_images_after_the_event_than_it_learnt_from_are_refused() -> None:
    learnt = LearntDates((-16, -4, 8, 20, 32), 3, 3)
    with pytest.raises(DatesError, match="there are 2 after it, where the network learnt from 3"):
        choose(at(-16, -4, 8, 20), learnt)
    with pytest.raises(DatesError, match="there is none before it"):
        choose(at(8, 20, 32), learnt)
