"""A scene is read at the days that a network learnt from, where it has them; with too few dates it is refused."""

import numpy as np
import pytest

from data.scene.base import InputSpec
from data.scene.dates import choose_steps
from data.tiles.map_dates import DatesError, LearntDates

EVENT = np.datetime64("2018-09-05T18:08", "s")
TIMES = EVENT.astype("datetime64[D]").astype("datetime64[s]") + np.arange(
    -89, 80, 12
) * np.timedelta64(1, "D")


def choose(spec: InputSpec, modality: str = "s1asc") -> list[int]:
    return choose_steps(TIMES, spec, EVENT, modality, "here")


def test_learnt_days_are_read_where_the_scene_has_them() -> None:
    learnt = (("s1asc", LearntDates((-41, -17, 7, 31), 2, 2)),)
    assert choose(InputSpec(("s1asc:VV",), 4, "common", learnt=learnt)) == [4, 6, 8, 10]


def test_other_scenes_are_read_around_the_event() -> None:
    around = choose(InputSpec(("s1asc:VV",), 4, "event"))
    assert around == [6, 7, 8, 9]
    other = (("s1asc", LearntDates((-40, -16, 8, 30), 2, 2)),)
    for learnt in ((), other, (("s1dsc", LearntDates((-41, -17, 7, 31), 2, 2)),)):
        assert choose(InputSpec(("s1asc:VV",), 4, "common", learnt=learnt)) == around


def test_a_scene_with_too_few_images_says_what_the_network_needs_and_when_the_next_one_is_due() -> (
    None
):
    learnt = (("s1asc", LearntDates((-17, -5, 7, 19), 2, 2)),)
    spec = InputSpec(("s1asc:VV",), 4, "event", learnt=learnt)
    soon = TIMES[:9]  # one of them after the event
    with pytest.raises(
        DatesError,
        match=r"needs acquisitions before and after the event \(2018-09-05\) like those that the network learnt from, but got "
        r"2018-06-08, .*2018-09-12 in here: there is 1 after it, where the network learnt from 2 or more\. The next pass is "
        r"due about 2018-09-24\. Add dates, or set another event with --event\.",
    ):
        choose_steps(soon, spec, EVENT, "s1asc", "here")
    with pytest.raises(DatesError, match=r"reads 4 acquisitions, but got 3 .* in here\. Add"):
        choose_steps(TIMES[6:9], InputSpec(("s1asc:VV",), 4, "event"), EVENT, "s1asc", "here")
