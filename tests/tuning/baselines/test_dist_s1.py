import re
from dataclasses import replace

import numpy as np
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.baseline_scores import make_config, predict_tiles, score_on_val
from tuning.baselines.baselines import get_baseline
from tuning.baselines.deviation.dist_s1 import combine, measure_deviations
from tuning.baselines.deviation.network import DistS1Network
from tuning.baselines.deviation.weights import OWN_FILE, load_network
from tuning.baselines.measure import Bench, make_predictor

SIDE = 32
FIRST = get_baseline("dist_s1").first


@pytest.fixture(scope="module")
def network() -> DistS1Network:
    return load_network(str(OWN_FILE))[0]


def draw(rng: np.random.Generator, dates: int) -> np.ndarray:
    """Return images of VV and VH in dB with speckle, shape ``(T, 2, H, W)``."""
    return rng.normal([[[-9.0]], [[-15.0]]], 1.5, (dates, 2, SIDE, SIDE)).astype(np.float32)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("dates", [1, 4, 10])
def test_a_step_after_the_event_stands_out(
    network: DistS1Network, rng: np.random.Generator, dates: int, smooth: bool
) -> None:
    before, after = draw(rng, dates), draw(rng, 2)
    after[:, 0, :12] += 6
    after[:, 1, 20:] -= 6
    found = measure_deviations(network, before, after, smooth=smooth)
    assert found.shape == after.shape
    assert found[:, 0, :12].mean() > 2 + found[:, 0, 20:].mean()
    assert found[:, 1, 20:].mean() < found[:, 1, :12].mean() - 2


def test_images_after_the_event_never_reach_what_is_expected(
    network: DistS1Network, rng: np.random.Generator
) -> None:
    before, after = draw(rng, 3), draw(rng, 3)
    found = measure_deviations(network, before, after, smooth=True)
    after[1:] += 9
    again = measure_deviations(network, before, after, smooth=True)
    assert np.array_equal(again[0], found[0])
    assert (again[1:] > found[1:]).mean() > 0.99


def test_order_of_the_images_before_the_event_counts(
    network: DistS1Network, rng: np.random.Generator
) -> None:
    before, after = draw(rng, 4), draw(rng, 1)
    before[-1] += 3
    found, other = (
        measure_deviations(network, one, after, smooth=False) for one in (before, before[::-1])
    )
    assert np.abs(found - other).mean() > 0.1


def test_without_images_on_a_side_there_is_no_value(
    network: DistS1Network, rng: np.random.Generator
) -> None:
    images = draw(rng, 2)
    nothing = measure_deviations(network, images[:0], images, smooth=True)
    assert nothing.shape == images.shape
    assert np.isnan(nothing).all()
    assert measure_deviations(network, images, images[:0], smooth=True).shape == images[:0].shape


def test_pixels_without_data_have_no_value_and_hardly_change_others(
    network: DistS1Network, rng: np.random.Generator
) -> None:
    before, after = draw(rng, 3), draw(rng, 2)
    whole = measure_deviations(network, before, after, smooth=True)
    before[1, :, 4, 4] = np.nan  # one date of three
    before[:, 0, 9, 9] = np.nan  # never VV
    after[0, :, 20, 20] = np.nan
    found = measure_deviations(network, before, after, smooth=True)
    assert np.isfinite(found[:, :, 4, 4]).all()
    assert np.isnan(found[:, 0, 9, 9]).all()
    assert np.isfinite(found[:, 1, 9, 9]).all()
    assert np.isnan(found[0, :, 20, 20]).all()
    assert np.isfinite(found[1, :, 20, 20]).all()
    known = np.isfinite(found)
    assert np.abs(found - whole)[known].mean() < 0.2
    before[:, 1] = np.nan
    assert np.isnan(measure_deviations(network, before, after, smooth=True)).all()


def test_polarisations_are_combined_as_searched() -> None:
    found = np.array([3.0, -4.0])[None, :, None, None]
    values = {
        how: combine(found, {**FIRST, "polarisation": how})[0, 0]
        for how in ("VV", "VH", "mean", "larger")
    }
    assert values == {"VV": 3, "VH": -4, "mean": -0.5, "larger": -4}
    product = {**FIRST, "polarisation": "larger", "direction": "any"}
    assert combine(found, product)[0, 0] == 4


def test_an_orbit_without_data_leaves_the_other_one(pack: Pack, split: Split) -> None:
    tiles = split.test[:1]
    gone = {**pack.bands, "s1dsc": np.full_like(pack.bands["s1dsc"], np.nan)}
    found = predict_tiles("dist_s1", replace(pack, bands=gone), split, tiles)
    alone = predict_tiles("dist_s1", pack, split, tiles, channels=["s1asc:VV", "s1asc:VH"])
    assert np.array_equal(found, alone)
    single = ["s1asc:VV", "s1asc:VH", "s1dsc:VV"]  # of which the other orbit is not whole
    assert np.array_equal(predict_tiles("dist_s1", pack, split, tiles, channels=single), alone)


def test_a_single_polarisation_is_refused(pack: Pack, split: Split) -> None:
    message = "A baseline needs packed channels, both polarisations of an orbit, but got dist_s1 with s1asc:VV s1dsc:VV"
    with pytest.raises(ValueError, match=re.escape(message)):
        predict_tiles("dist_s1", pack, split, split.test, channels=["s1asc:VV", "s1dsc:VV"])


def test_other_weights_than_those_of_the_config_are_refused(pack: Pack, split: Split) -> None:
    config = make_config("dist_s1", pack, split) | {"weights_sha256": "0" * 64}
    with pytest.raises(
        ValueError, match=r"needs the weights of its config, 0{64}, but got ee64.* by"
    ):
        make_predictor(config, pack, split)


def test_a_search_gives_the_same_map_as_a_fresh_start(pack: Pack, split: Split) -> None:
    bench = Bench("dist_s1", pack, split, ["s1asc:VV", "s1asc:VH"], "event", 4)
    tiles = split.val[:1]
    bench.bind(bench.config(0))(pack)(tiles)  # what is remembered for the next sample
    params = {**FIRST, "direction": "any", "window_px": 5}
    kept = bench.bind(bench.config(0, params))(pack)(tiles)
    options = {"channels": ["s1asc:VV", "s1asc:VH"], "steps": "event", "timesteps": 4}
    assert np.array_equal(
        kept, predict_tiles("dist_s1", pack, split, tiles, **options, params=params)
    )


def test_landslides_are_found_without_training(pack: Pack, split: Split) -> None:
    prevalence = pack.mask[pack.rows(split.val)].mean()
    assert score_on_val("dist_s1", pack, split) > 2.5 * prevalence
