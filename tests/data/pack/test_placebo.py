"""Event-free series: nothing of the event or after it is read, and what is read has the usual shape."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from data.pack import Pack
from data.pack.channels import choose_channels, select_even_steps
from data.pack.placebo import (
    Placebo,
    find_placebo_tiles,
    make_placebo_pack,
    pretend_event,
    spread_images,
)
from data.pack.reader import PackReader
from data.tiles import ACQUISITIONS

S1 = choose_channels(["s1"])
EVENT = np.datetime64("2018-09-05T18:08:00", "s")


def days(*numbers: int) -> np.ndarray:
    """Return times by their day before (negative) or after the event."""
    return EVENT + np.array(numbers) * np.timedelta64(1, "D")


def test_pretended_event_is_in_the_middle_of_the_early_images() -> None:
    assert pretend_event([days(-40, -30, -20, -10, 5, 9)], EVENT) == days(-25)[0]


@pytest.mark.parametrize(
    "series",
    [
        (days(-50, -40, -30, -20, -10, 3), days(-12, -2, 4)),
        (days(-50, -49, -1, 3), days(-48, -2, 4)),
        (days(-9, -8, 1), days(-100, -90, -80, -8, 1)),
        (days(-4, 0, 1), days(-3, 0, 1)),  # an image at the event's time is before it
    ],
)
def test_every_series_has_early_images_on_both_sides_of_the_pretended_event(
    series: tuple[np.ndarray, ...],
) -> None:
    pretended = pretend_event(series, EVENT)
    assert pretended is not None
    for times in series:
        early = times[times <= EVENT]
        assert (early <= pretended).any()
        assert (early > pretended).any()


@pytest.mark.parametrize(
    "series",
    [
        (days(-5, 1, 2),),
        (days(-5, -5, -5, 2),),  # one image, repeated
        (days(1, 2, 3),),
        (days(-9, -8, 1), days(-3, 1)),
        (days(-9, -8, 1), days(-7, -6, 1)),  # one series ends before the other begins
        (),
    ],
)
def test_series_without_early_images_on_both_sides_have_no_pretended_event(
    series: tuple[np.ndarray, ...],
) -> None:
    assert pretend_event(series, EVENT) is None


def test_even_choice_repeats_no_early_image_if_there_are_enough() -> None:
    for count, timesteps in product(range(2, ACQUISITIONS + 1), range(1, ACQUISITIONS + 1)):
        images = spread_images(count, "even", timesteps)
        picked = images[select_even_steps(timesteps)]
        assert (np.diff(images) >= 0).all()
        assert images.max() < count
        assert len(set(picked.tolist())) == min(count, timesteps)
        if timesteps > 1:
            assert (picked[0], picked[-1]) == (0, count - 1)


def test_other_choices_have_every_early_image_to_choose_from() -> None:
    for count, steps in product(range(2, ACQUISITIONS + 1), ("event", "all")):
        assert set(spread_images(count, steps, 4).tolist()) == set(range(count))


@pytest.mark.parametrize(
    ("steps", "timesteps"),
    [("even", 4), ("event", 2), ("common", 2), ("all", 15), ("pre:4/post:2", 6)],
)
def test_placebo_reads_no_image_after_the_event(pack: Pack, steps: str, timesteps: int) -> None:
    late = {name: np.array(values) for name, values in pack.bands.items()}
    for index, values in enumerate(late.values()):
        for row, event in enumerate(pack.events):
            values[row, pack.times[row, index] > event] = np.nan
    blind = replace(pack, bands=late)
    ids = find_placebo_tiles(pack, pack.tile_ids, "even", 4).used
    placebo = make_placebo_pack(blind, ids, steps, timesteps)
    assert not placebo.mask.any()
    assert (placebo.times <= blind.events[blind.rows(ids), None, None]).all()
    reader = PackReader(placebo, S1, timesteps, steps)
    out = torch.empty(reader.shape)
    for row in range(len(ids)):
        reader.read(row, out)
        assert reader.shape[0] == timesteps
        assert torch.isfinite(out).all()


def test_placebo_keeps_the_pixels_of_each_image(pack: Pack) -> None:
    ids = list(find_placebo_tiles(pack, pack.tile_ids, "even", 4).used)[::-1][:3]
    placebo = make_placebo_pack(pack, ids, "even", 4)
    for row, tile in enumerate(ids):
        source = int(pack.rows([tile])[0])
        for index, name in enumerate(pack.modalities):
            for place, time in enumerate(placebo.times[row, index]):
                image = int(np.flatnonzero(pack.times[source, index] == time)[0])
                expected = pack.bands[name][source, image]
                assert np.array_equal(placebo.bands[name][row, place], expected, equal_nan=True)


def test_scene_s_event_is_pretended_where_the_user_says_or_in_the_middle() -> None:
    series = [days(-40, -30, -20, -10, 5), days(-41, -31, -21, -11, 4)]
    placebo, middle = Placebo().settle(EVENT, series, "scene")
    assert middle == pretend_event(series, EVENT)
    assert placebo.event == EVENT
    assert np.array_equal(placebo.cut(series[0]), series[0][:4])
    wished = days(-12)[0]
    assert Placebo(wished).settle(EVENT, series, "scene")[1] == wished


@pytest.mark.parametrize(("day", "got"), [(-10, "4 before and 0 after and 3"), (-50, "0 before")])
def test_pretended_event_without_images_on_both_sides_is_refused(day: int, got: str) -> None:
    series = [days(-40, -30, -20, -10, 5), days(-41, -31, -20, -9, 4)]
    rule = r"needs images of each series on both sides, all before the real event \(2018-09-05T18:08:00\)"
    with pytest.raises(ValueError, match=rf"{rule}, but got {got}.* it at .* in scene. Leave out"):
        Placebo(days(day)[0]).settle(EVENT, series, "scene")


def test_scene_with_too_few_early_images_is_refused_with_their_numbers() -> None:
    series = [days(-40, -30, 5), days(-1, 4)]
    rule = "at least 2 images of each series before the event, and a time with images of all series"
    with pytest.raises(ValueError, match=rf"{rule} on both sides, but got 2 and 1 before .* Add"):
        Placebo().settle(EVENT, series, "scene")


def test_tile_with_too_few_early_images_is_left_out_and_named(pack: Pack) -> None:
    events = np.array(pack.events)
    events[0] = pack.times[0, 0, 0]  # one image is left
    early = replace(pack, events=events)
    first, second = pack.tile_ids[:2]
    found = find_placebo_tiles(early, [second, first], "even", 4)
    assert (found.used, found.left_out) == ((second,), (first,))
    rule = "at least 2 images of each series before the event"
    with pytest.raises(
        ValueError, match=rf"{rule}.*got 1 and \d before .* in {first}\. Leave it out"
    ):
        make_placebo_pack(early, [first], "even", 4)


def test_choice_that_repeats_no_image_needs_as_many_as_the_model_reads(pack: Pack) -> None:
    events = np.array(pack.events)
    events[0] = pack.times[0, :, 2].max()  # about three images are left
    early, tile = replace(pack, events=events), pack.tile_ids[:1]
    assert find_placebo_tiles(early, tile, "event", 15).used == tile
    assert find_placebo_tiles(early, tile, "common", 15).left_out == tile
    assert find_placebo_tiles(early, tile, "common", 2).used == tile


def test_each_tile_of_a_placebo_chooses_by_its_own_dates(pack: Pack) -> None:
    ids = find_placebo_tiles(pack, pack.tile_ids, "even", 4).used
    assert make_placebo_pack(pack, ids, "even", 4).regions == ids
