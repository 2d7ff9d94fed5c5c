from dataclasses import replace

import numpy as np
import pytest

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from tests.support.hand_packs import put_by_hand, read_all
from tuning.baselines.inputs import Inputs, group_orbits, pick_channels


def test_channels_are_requested_and_packed(pack: Pack) -> None:
    assert pick_channels(pack) == SAR_CHANNELS
    assert pick_channels(pack, ["s1dsc:VH", "DEM", "s1asc:VV"]) == ("s1asc:VV", "s1dsc:VH")
    single = replace(pack, bands={"s1dsc": pack.bands["s1dsc"]})
    assert pick_channels(single) == ("s1dsc:VV", "s1dsc:VH")


@pytest.mark.parametrize(
    ("steps", "timesteps"), [("even", 4), ("event", 3), ("all", 15), ("pre:4/post:2", 6)]
)
def test_acquisitions_are_the_ones_that_networks_read(
    pack: Pack, steps: str, timesteps: int
) -> None:
    inputs, tile = Inputs(pack, SAR_CHANNELS, steps, timesteps), pack.tile_ids[3]
    chosen = pack.select_steps(steps, timesteps)[3, 1]
    layers = inputs.layers(tile, "s1dsc:VH")
    assert np.array_equal(layers, pack.bands["s1dsc"][3, chosen, 1].astype(np.float32))
    series = inputs.series(tile, "s1dsc:VH")
    assert np.array_equal(np.concatenate([series.before, series.after]), layers)
    times, event = inputs.times(tile, "s1dsc:VH")
    assert times.tolist() == pack.times[3, 1, chosen].tolist()
    assert event == pack.events[3]
    assert (times <= event).sum() == len(series.before)


def test_channels_that_are_not_chosen_cannot_be_read(pack: Pack) -> None:
    inputs = Inputs(pack, ["s1asc:VV"], "all", 15)
    for read in (inputs.series, inputs.layers):
        with pytest.raises(ValueError, match="not in tuple"):
            read(pack.tile_ids[0], "s1asc:VH")
    with pytest.raises(ValueError, match="not in tuple"):
        inputs.terrain(pack.tile_ids[0], "slope")


def test_terrain_without_data_is_unknown(pack: Pack) -> None:
    dem = pack.dem.copy()
    dem[0, 3, 4] = -9999
    inputs = Inputs(replace(pack, dem=dem), [*SAR_CHANNELS, "DEM", "slope"], "all", 15)
    heights = inputs.terrain(pack.tile_ids[0], "DEM")
    assert np.isnan(heights[3, 4])
    assert np.isfinite(heights).sum() == heights.size - 1
    slope = inputs.terrain(pack.tile_ids[0], "slope")
    assert np.array_equal(slope, pack.slope[0].astype(np.float32), equal_nan=True)


def test_bad_acquisitions_are_refused(pack: Pack) -> None:
    with pytest.raises(ValueError, match="Unknown choice of steps 'first'"):
        Inputs(pack, SAR_CHANNELS, "first", 4)
    with pytest.raises(ValueError, match="got timesteps=16"):
        Inputs(pack, SAR_CHANNELS, "even", 16)


def test_only_tiles_to_keep_are_remembered(pack: Pack) -> None:
    inputs, made = Inputs(pack, SAR_CHANNELS, "all", 15, keep=["a"]), []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [inputs.remember_tile("x", tile, make) for tile in "abab"] == [1, 2, 1, 3]
    assert inputs.remember_tile("y", "a", make) == 4


def test_another_pack_is_read_alike(pack: Pack) -> None:
    hand = put_by_hand(pack, dict.fromkeys(SAR_CHANNELS, [1.0, 2, 3, 4] + [5.0] * 11))
    inputs = Inputs(pack, ["s1asc:VV", "slope"], "even", 2)
    other = inputs.of(hand)
    assert inputs.of(pack) is inputs
    assert (other.pack, other.channels, other.maps) == (hand, ("s1asc:VV",), ("slope",))
    assert other.layers("a", "s1asc:VV")[:, 0, 0].tolist() == [1, 5]


def test_orbits_of_a_polarisation(pack: Pack) -> None:
    assert group_orbits(read_all(pack).channels, "VH") == ("s1asc:VH", "s1dsc:VH")
    assert group_orbits(["s1dsc:VV"], "VH") == ()
