from dataclasses import replace

import numpy as np
import pytest

from data.pack import Pack
from data.pack.log_ratio import average_change, measure_means
from tests.support.hand_packs import VV, put_by_hand, read_all, repeat_last
from tests.support.tile_files import EVENT
from tuning.baselines.features import (
    FEATURES,
    N_FEATURES,
    make_features,
    measure_pair,
    name_features,
)


def describe(pack: Pack, channel: str = VV, at: tuple[int, int] = (2, 2)) -> dict[str, float]:
    values = make_features(read_all(pack, [channel]), "a")[at]
    return dict(zip(FEATURES, values.tolist(), strict=True))


def test_features_are_levels_spreads_and_changes(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4, -5]})
    assert describe(hand) == pytest.approx(
        {
            "before": -9,  # (-10 - 8) / 2
            "after": -5,  # (-6 - 4 - 5) / 3
            "change": 4,
            "spread_before": 1,
            "spread_after": (2 / 3) ** 0.5,  # squares of -1, 1, 0 over 3
            "pair": 2,  # -6 - (-8)
            "window": 4,
        }
    )


def test_window_averages_the_change_of_neighbouring_pixels(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [0, 0, 0, 0]})
    hand.bands["s1asc"][0, 2:, 0, 1, 1] = 9
    window = make_features(read_all(hand, [VV]), "a")[..., FEATURES.index("window")]
    assert window[2, 2] == 1  # one of nine pixels
    assert window[0, 0] == 9 / 4  # the corner has four
    assert window[3, 3] == 0


def test_missing_acquisitions_are_ignored_per_pixel(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4]})
    hand.bands["s1asc"][0, 1:3, 0, 2, 2] = np.nan  # the last date before and the first one after
    found, neighbour = describe(hand), describe(hand, at=(0, 0))
    assert (found["before"], found["after"], found["change"]) == (-10, -4, 6)
    assert found["pair"] == 6  # the nearest dates with data: -4 - (-10)
    assert np.isnan([found["spread_before"], found["spread_after"]]).all()  # one date has no spread
    assert found["window"] == pytest.approx((8 * 4 + 6) / 9)
    assert (neighbour["change"], neighbour["pair"]) == (4, 2)


def test_pixel_without_data_before_has_features_of_after(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4]})
    hand.bands["s1asc"][0, :2, 0, 2, 2] = np.nan
    found = describe(hand)
    assert (found["after"], found["spread_after"], found["window"]) == (-5, 1, 4)
    unknown = ("before", "change", "spread_before", "pair")
    assert np.isnan([found[name] for name in unknown]).all()


@pytest.mark.parametrize(("before", "known"), [(0, "after"), (4, "before")])
def test_series_on_one_side_of_the_event_has_no_change(pack: Pack, before: int, known: str) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4]}, before)
    found = describe(hand)
    assert (found[known], found[f"spread_{known}"]) == pytest.approx((-7, 5**0.5))
    assert np.isnan([found[name] for name in ("change", "pair", "window")]).all()
    for measure in (measure_means, measure_pair):
        assert not average_change(hand, ["a"], [VV], measure).any()


def test_features_are_ordered_by_channel_as_named(pack: Pack) -> None:
    hand = put_by_hand(pack, {"s1asc:VV": [1] * 4, "s1asc:VH": [2] * 4, "s1dsc:VV": [3] * 4})
    channels = ("s1asc:VV", "s1asc:VH", "s1dsc:VV")
    names, values = name_features(channels), make_features(read_all(hand, channels), "a")[0, 0]
    assert len(names) == len(values) == 3 * N_FEATURES
    found = dict(zip(names, values.tolist(), strict=True))
    assert [found[f"{channel} before"] for channel in channels] == [1, 2, 3]


def test_features_are_float32_and_finite_on_a_whole_tile(pack: Pack) -> None:
    values = make_features(read_all(pack), pack.tile_ids[0])
    assert values.shape == (128, 128, 4 * N_FEATURES)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


def test_no_feature_contains_a_date(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4]})
    later = hand.times + np.array([-90, -40, 50, 80]).astype(
        "m8[D]"
    )  # on the same sides of the event
    assert describe(replace(hand, times=later)) == describe(hand)


def test_repeated_images_weigh_nothing(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4, -5]})
    assert describe(repeat_last(hand, 4)) == describe(hand)
    before = put_by_hand(pack, {VV: [-10, -8, -6]}, before=3)
    assert describe(repeat_last(before, 3)) == pytest.approx(describe(before), nan_ok=True)
    for measure in (measure_means, measure_pair):
        same = average_change(repeat_last(hand, 4), ["a"], [VV], measure)
        assert np.array_equal(same, average_change(hand, ["a"], [VV], measure))


def test_pair_is_of_the_track_with_the_shortest_pair(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4]})
    hand.times[0, 0] = EVENT + np.array([-12, -2, 7, 12], "m8[D]")  # -12 and 12 are of one track
    assert describe(hand)["pair"] == 6  # -4 - (-10); the nearest dates would give 2
    hand.bands["s1asc"][0, 3, 0, 2, 2] = np.nan
    assert describe(hand)["pair"] == 2  # no track has a pair there
    assert describe(hand, at=(0, 0))["pair"] == 6


def test_pair_of_the_next_track_counts_where_the_first_has_no_data(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [-10, -8, -6, -4]})
    hand.times[0, 0] = EVENT + np.array([-14, -6, 6, 16], "m8[D]")  # pairs -6 and 6, -14 and 16
    hand.bands["s1asc"][0, 1, 0, 2, 2] = np.nan
    assert describe(hand)["pair"] == 6
    assert describe(hand, at=(0, 0))["pair"] == 2


def test_brightness_changes_only_the_levels(pack: Pack) -> None:
    dark, bright = (put_by_hand(pack, {VV: [x, x + 1, x + 5, x + 2]}) for x in (-12, -8))
    moved = {name: describe(bright)[name] - describe(dark)[name] for name in FEATURES}
    assert {name for name, by in moved.items() if by == 4} == {"before", "after"}
    assert sum(by != 0 for by in moved.values()) == 2


def test_change_averages_the_channels_with_data(pack: Pack) -> None:
    hand = put_by_hand(pack, {"s1asc:VV": [0, 0, 2, 4], "s1dsc:VV": [0, 1, 6, 6]})
    hand.bands["s1dsc"][0, :, 0, 0, 0] = np.nan
    channels = ["s1asc:VV", "s1dsc:VV"]
    means = average_change(hand, ["a"], channels, measure_means)[0]
    assert (means[0, 0], means[1, 1]) == (3, 4.25)  # 3 and (3 + 5.5) / 2
    pair = average_change(hand, ["a"], channels, measure_pair)[0]
    assert (pair[0, 0], pair[1, 1]) == (2, 3.5)  # 2 and (2 + 5) / 2
