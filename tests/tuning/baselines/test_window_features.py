import numpy as np

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from tests.support.hand_packs import VV, put_by_hand, read_all
from tuning.baselines.features import make_features
from tuning.baselines.window_features import (
    WIDTHS,
    make_window_features,
    name_window_features,
    width_of,
)


def test_features_of_windows_come_after_those_of_the_pixel(pack: Pack) -> None:
    hand = put_by_hand(pack, {VV: [0, 0, 0, 0]})
    hand.bands["s1asc"][0, 2:, 0, 1, 1] = 9
    inputs = read_all(hand, [VV])
    names, values = name_window_features(inputs), make_window_features(inputs, "a")[2, 2]
    found = dict(zip(names, values.tolist(), strict=True))
    assert values[:7].tolist() == make_features(inputs, "a")[2, 2].tolist()
    assert found["s1asc:VV change 3 px"] == 1  # one of nine pixels
    assert round(found["s1asc:VV spread 3 px"] ** 2, 3) == 8  # 81 / 9 - 1
    assert round(found["s1asc:VV change 31 px"], 5) == 9 / 25  # the whole tile


def test_terrain_is_a_feature_where_it_is_chosen(pack: Pack) -> None:
    tile = pack.tile_ids[0]
    plain, terrain = (
        read_all(pack, channels) for channels in (SAR_CHANNELS, [*SAR_CHANNELS, "DEM", "slope"])
    )
    values = make_window_features(terrain, tile)
    assert name_window_features(terrain) == (*name_window_features(plain), "DEM", "slope")
    assert np.array_equal(values[..., -2], terrain.terrain(tile, "DEM"))
    assert np.array_equal(values[..., :-2], make_window_features(plain, tile))
    assert values.dtype == np.float32


def test_names_tell_the_width(pack: Pack) -> None:
    widths = {width_of(name) for name in name_window_features(read_all(pack))}
    assert widths == {1, *WIDTHS}
    assert width_of("slope") == 1
