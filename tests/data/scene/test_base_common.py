"""A scene is read at the days that a network learnt from, where it has them."""

import numpy as np

from data.scene.base import InputSpec, choose_steps

EVENT = np.datetime64("2018-09-05T18:08", "s")
TIMES = EVENT.astype("datetime64[D]").astype("datetime64[s]") + np.arange(
    -89, 80, 12
) * np.timedelta64(1, "D")


def choose(spec: InputSpec, modality: str = "s1asc") -> list[int]:
    return choose_steps(TIMES, spec, EVENT, modality, "here")


def test_learnt_days_are_read_where_the_scene_has_them() -> None:
    learnt = (("s1asc", (-41, -17, 7, 31)),)
    assert choose(InputSpec(("s1asc:VV",), 4, "common", offsets=learnt)) == [4, 6, 8, 10]


def test_other_scenes_are_read_around_the_event() -> None:
    around = choose(InputSpec(("s1asc:VV",), 4, "event"))
    assert around == [6, 7, 8, 9]
    unknown = (("s1asc", (-40, -16, 8, 30)),)
    for offsets in ((), unknown, (("s1dsc", (-41, -17, 7, 31)),)):
        assert choose(InputSpec(("s1asc:VV",), 4, "common", offsets=offsets)) == around
