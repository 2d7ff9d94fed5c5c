"""A scene is read as in training, and soon after the event from the images that there are."""

import numpy as np
import pytest

from data.tiles.map_dates import DatesError, LearntDates, choose_map_steps, find_next_pass
from data.tiles.tracks import choose_event_steps

EVENT = np.datetime64("2018-09-05T18:08", "s")
LEARNT = LearntDates((-16, -4, 8, 32), 2, 1)


def at(*days: int) -> np.ndarray:
    noon = EVENT.astype("datetime64[D]").astype("datetime64[s]") + np.timedelta64(12, "h")
    return noon + np.array(days) * np.timedelta64(1, "D")


def choose(
    times: np.ndarray, learnt: LearntDates = LEARNT, steps: str = "event", count: int = 4
) -> list[int]:
    return choose_map_steps(times, steps, count, EVENT, learnt, by_track=True)


def test_a_whole_series_is_read_as_in_training() -> None:
    times = at(-40, -28, -16, -4, 8, 20, 32, 44)
    assert choose(times) == choose_event_steps(times, 4, EVENT) == [2, 3, 4, 5]
    assert choose(times, steps="common") == [2, 3, 4, 6]
    even = LearntDates((-40, -16, 20, 44), 2, 2)
    assert choose(times, even, "even") == [0, 2, 5, 7]


def test_the_last_image_takes_the_places_of_those_to_come() -> None:
    assert choose(at(-28, -16, -4, 8)) == [1, 2, 3, 3]
    assert choose(at(-28, -16, -4, 8), steps="common") == [1, 2, 3, 3]
    even = LearntDates((-40, -16, 20, 44), 2, 1)
    assert choose(at(-40, -28, -16, -4, 20), even, "even") == [0, 2, 4, 4]


def test_three_images_after_the_event_fill_four_places_in_their_order() -> None:
    learnt = LearntDates((-16, -4, 8, 20, 32, 44), 4, 1)
    assert choose(at(-16, -4, 8, 20, 32), learnt, count=6) == [0, 1, 2, 3, 4, 4]


def test_a_missing_image_before_the_event_is_replaced_by_the_earliest() -> None:
    assert choose(at(-4, 8, 20)) == [0, 0, 1, 2]


def test_images_of_the_track_with_both_sides_come_first() -> None:
    assert choose(at(-28, -17, -16, 8)) == [0, 2, 3, 3]


@pytest.mark.parametrize(
    ("days", "learnt", "message"),
    [
        ((8, 20, 32), LEARNT, r"^there is none before it$"),
        ((-28, -16, -4), LEARNT, r"there are 0 after it, .* from 1 or more\. .* about 2018-09-13"),
        ((-28, -16, -4, 8), LearntDates(LEARNT.days, 2, 2), r"1 after it, .* about 2018-09-25"),
        (
            (-160, -150, -4, 8, 20),
            LEARNT,
            "that of 2018-0.-.. is 1.0 days before it, .* one of 16 days",
        ),
        ((-16, -4, 150), LEARNT, "that of 2019-02-02 is 150 days after it, .* one of 8 days"),
        (
            (-16, -4, 8, 20),
            LearntDates((-160, -150, 150, 160), 2, 2),
            "that of 2018-08-20 is 16 days before it, .* one of 160 days",
        ),
    ],
)
def test_other_acquisitions_than_those_learnt_from_are_refused(
    days: tuple[int, ...], learnt: LearntDates, message: str
) -> None:
    with pytest.raises(DatesError, match=message):
        choose(at(*days), learnt)


def test_images_nearer_than_in_training_are_those_of_a_cut_series() -> None:
    days = (-160, -100, 100, 160)
    times = at(-160, -100, 6)
    assert choose(times, LearntDates(days, 2, 1)) == [0, 1, 2, 2]
    with pytest.raises(DatesError, match="is 6 days after it"):
        choose(at(-160, -100, 6, 18), LearntDates(days, 2, 2))


def test_a_model_of_an_earlier_version_reads_what_training_would_choose() -> None:
    times = at(-400, -390, -4, 8, 20)
    assert choose(times, LearntDates()) == choose_event_steps(times, 4, EVENT)


def test_the_next_pass_is_on_the_track_of_the_last_one() -> None:
    assert find_next_pass(at(-28, -16, -4, 8), EVENT) == "2018-09-25"
    assert find_next_pass(at(-16, -10, -4, 2, 8), EVENT) == "2018-09-19"  # two satellites
    assert find_next_pass(at(-40, -16, 8), EVENT) == "2018-09-25"  # gaps of two cycles
    assert find_next_pass(at(-60), EVENT) == "2018-09-17"  # the first pass that is after the event
