import numpy as np
import pytest

from data.pack.channels import (
    CHANNELS,
    SAR_CHANNELS,
    choose_channels,
    list_modalities,
    select_even_steps,
    select_event_steps,
    select_steps,
)
from data.tiles import ORBITS
from tests.support.tile_files import EVENT

DAYS = EVENT + np.arange(-7, 8) * np.timedelta64(12 * 24 * 60, "m") + np.timedelta64(60, "m")


def test_groups_expand_to_channels_in_order() -> None:
    assert choose_channels(["s1"]) == SAR_CHANNELS
    assert choose_channels(["VH", "s1asc"]) == ("s1asc:VV", "s1asc:VH", "s1dsc:VH")
    assert choose_channels(["slope", "DEM", "s1dsc:VV"]) == ("s1dsc:VV", "DEM", "slope")


def test_published_input_has_56_channels_on_four_dates() -> None:
    published = choose_channels(["published"])
    assert len(published) * 4 == 56
    assert published == CHANNELS[:14]
    assert list_modalities(published) == ("s1asc", "s1dsc", "s2")


def test_channels_need_only_their_own_modalities() -> None:
    assert list_modalities(choose_channels(["s1dsc", "DEM"])) == ("s1dsc",)


def test_unknown_channel_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match=r"Unknown channel 's1acs'\. Did you mean 's1asc'\?"):
        choose_channels(["s1acs"])


def test_input_without_sentinel_1_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"needs a band of Sentinel-1, but got DEM slope\. Add one"
    ):
        choose_channels(["slope", "DEM"])


def test_four_even_steps_are_the_published_ones() -> None:
    assert select_even_steps(4) == [0, 5, 9, 14]
    assert select_even_steps(15) == list(range(15))


@pytest.mark.parametrize("timesteps", [0, 16])
def test_number_of_steps_must_be_1_to_15(timesteps: int) -> None:
    with pytest.raises(ValueError, match=f"15 acquisitions, but got timesteps={timesteps}"):
        select_even_steps(timesteps)


def test_event_steps_are_on_both_sides_of_the_event() -> None:
    # Dates 0 to 6 before the event, 7 to 14 after.
    assert select_event_steps(DAYS, 2, EVENT, "s1asc") == [6, 7]
    assert select_event_steps(DAYS, 4, EVENT, "s1asc") == [5, 6, 7, 8]
    assert select_event_steps(DAYS, 5, EVENT, "s1asc") == [5, 6, 7, 8, 9]
    assert select_event_steps(DAYS, 1, EVENT, "s1asc") == [7]
    assert select_event_steps(DAYS, 15, EVENT, "s1asc") == list(range(15))


def test_event_steps_fill_up_from_the_other_side() -> None:
    month = np.timedelta64(30 * 24 * 60, "m")
    assert select_event_steps(DAYS + 3 * month, 4, EVENT, "s1asc") == [0, 1, 2, 3]  # nothing before
    assert select_event_steps(DAYS - 4 * month, 4, EVENT, "s1asc") == [
        11,
        12,
        13,
        14,
    ]  # nothing after


def test_all_steps_are_all_acquisitions() -> None:
    times = np.broadcast_to(DAYS, (3, 2, 15))
    assert select_steps(times, "all", 15, np.repeat(EVENT, 3), ORBITS, "abc")[
        2, 1
    ].tolist() == list(range(15))
    with pytest.raises(ValueError, match=r"Steps 'all' are the 15 .* but got timesteps=4\. Omit"):
        select_steps(times, "all", 4, np.repeat(EVENT, 3), ORBITS, "abc")


def test_unknown_choice_of_steps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unknown choice of steps 'evn'\. Did you mean 'even'\?"):
        select_steps(
            np.broadcast_to(DAYS, (1, 1, 15)), "evn", 4, np.repeat(EVENT, 1), ["s1asc"], "a"
        )


def test_every_tile_is_split_at_its_own_event() -> None:
    times = np.broadcast_to(DAYS, (2, 1, 15))
    events = np.array([EVENT, EVENT + np.timedelta64(24, "D")])
    assert select_steps(times, "event", 2, events, ["s1asc"], "ab")[:, 0].tolist() == [
        [6, 7],
        [8, 9],
    ]


def test_event_steps_of_sentinel_1_are_of_one_track() -> None:
    # Every second acquisition is of a track five days later; 6 and 7 are the nearest to the event.
    times = DAYS + np.arange(15) % 2 * np.timedelta64(5, "D")
    assert select_event_steps(times, 2, EVENT, "s1dsc") == [6, 8]
    assert select_event_steps(times, 2, EVENT, "s2") == [6, 7]
    both = np.stack([times, times])[None]
    found = select_steps(both, "event", 2, np.repeat(EVENT, 1), ["s1asc", "s2"], "a")
    assert found.tolist() == [[[6, 8], [6, 7]]]
