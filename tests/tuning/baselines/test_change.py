import numpy as np
import pytest

from data.pack import Pack
from data.pack.log_ratio import log_ratio
from data.splits import Split
from data.tiles import ACQUISITIONS, TILE_PX
from tests.support.baseline_scores import predict_tiles
from tests.support.hand_packs import put_by_hand, repeat_last
from tuning.baselines.definition import scale_change


def test_change_is_scaled_to_0_to_1() -> None:
    assert scale_change(np.array([-20.0, -10.0, 0.0, 10.0, 20.0])).tolist() == [0, 0, 0.5, 1, 1]
    assert scale_change(np.array([np.nan])).tolist() == [0.5]


@pytest.mark.parametrize("polarisation", ["VV", "VH"])
def test_log_ratio_is_the_mean_change_over_the_orbits(
    pack: Pack, split: Split, polarisation: str
) -> None:
    found = predict_tiles(f"log_ratio_{polarisation.lower()}", pack, split, split.test)
    assert found.dtype == np.float32
    expected = scale_change(log_ratio(pack, split.test, polarisation))
    np.testing.assert_allclose(found, expected, atol=1e-6)


# Two dates before and two after. Of the means: VV rises by 2 and 4 dB, VH falls by 1 and rises by 3. From the last
# before to the first after: VV rises by 1 and 2, VH falls by 3 and rises by 2.
SERIES = {
    "s1asc": ([-10, -8, -7, -7], [-15, -13, -16, -14]),
    "s1dsc": ([-9, -9, -7, -3], [-16, -16, -14, -12]),
}
CHANGE_DB = {
    "log_ratio_vv": 3,
    "log_ratio_vh": 1,
    "log_ratio_vv_asc": 2,
    "log_ratio_vv_dsc": 4,
    "log_ratio_vh_asc": -1,
    "log_ratio_vh_dsc": 3,
    "bi_log_ratio_vv": 1.5,
    "bi_log_ratio_vh": -0.5,
}


@pytest.mark.parametrize("key", CHANGE_DB)
def test_change_reads_the_orbits_and_dates_of_its_name(pack: Pack, split: Split, key: str) -> None:
    series = {
        f"{orbit}:{band}": values
        for orbit, bands in SERIES.items()
        for band, values in zip(("VV", "VH"), bands, strict=True)
    }
    hand = repeat_last(put_by_hand(pack, series, side=TILE_PX), ACQUISITIONS - 4)
    found = predict_tiles(key, hand, split, ["a"])
    assert found.shape == (1, TILE_PX, TILE_PX)
    assert np.allclose(found, 0.5 + CHANGE_DB[key] / 20)


def test_a_wider_window_averages_the_change(pack: Pack, split: Split) -> None:
    hand = put_by_hand(pack, {"s1asc:VV": [0, 0, 0, 0]}, side=TILE_PX)
    hand.bands["s1asc"][0, 2:, 0, 50, 50] = 9
    hand = repeat_last(hand, ACQUISITIONS - 4)
    options = {"channels": ["s1asc:VV"], "params": {"window_px": 3}}
    found = predict_tiles("log_ratio_vv", hand, split, ["a"], **options)[0]
    assert found[50, 50] == pytest.approx(0.5 + 1 / 20)  # 9 dB over nine pixels
    assert (found[49:52, 49:52] == found[50, 50]).all()
    assert np.unique(found).size == 2
