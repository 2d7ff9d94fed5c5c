"""The transformer with its trained weights, against numbers that ``distmetrics`` 1.0.8 gave for the same input."""

import numpy as np
import pytest
import torch

from tuning.baselines.deviation.expect import convert_to_logit, expect_next
from tuning.baselines.deviation.network import DistS1Network
from tuning.baselines.deviation.weights import OWN_FILE, load_network

# By estimate_normal_params(load_transformer_model("transformer_optimized"), …) of distmetrics 1.0.8 on draw_series(dates):
# dates, stride, then mean and deviation at [:, 3::13, 5::13], the first six of VV and the last three of VH.
PUBLISHED = [
    (
        *(1, 16),
        *(-1.735487, -2.15794, -2.066918, -1.712582, -1.781492, -1.839679, -3.200253, -3.53131),
        *(-3.35825, 0.214805, 0.262632, 0.270615, 0.217171, 0.246213, 0.239444, 0.250687),
        *(0.273825, 0.276421),
    ),
    (
        *(3, 16),
        *(-1.958686, -1.936878, -2.065164, -1.788628, -1.920195, -1.548134, -3.390883, -3.514383),
        *(-3.464475, 0.19555, 0.222553, 0.235231, 0.205309, 0.209756, 0.197532, 0.238198),
        *(0.280606, 0.20078),
    ),
    (
        *(10, 8),
        *(-1.932034, -1.910369, -1.861384, -1.957739, -1.80707, -1.966278, -3.238377, -3.393078),
        *(-3.332109, 0.177628, 0.160099, 0.170669, 0.175216, 0.181001, 0.158163, 0.182176),
        *(0.186738, 0.163838),
    ),
]


@pytest.fixture(scope="module")
def network() -> DistS1Network:
    return load_network(str(OWN_FILE))[0]


def draw_series(dates: int) -> np.ndarray:
    """Return backscatter in dB, shape ``(T, 2, 32, 32)``."""
    rng = np.random.default_rng(0)
    return rng.normal([[[-9.0]], [[-15.0]]], 2.0, (dates, 2, 32, 32))


@pytest.mark.parametrize("published", PUBLISHED)
def test_mean_and_deviation_are_those_of_the_original_package(
    network: DistS1Network, published: tuple[float, ...]
) -> None:
    dates, stride = int(published[0]), int(published[1])
    maps = expect_next(network, convert_to_logit(draw_series(dates)), stride)
    found = [one[:, 3::13, 5::13].ravel()[[*range(6), -3, -2, -1]] for one in maps]
    np.testing.assert_allclose(np.concatenate(found), published[2:], atol=1e-4)
    assert all(one.shape == (2, 32, 32) and one.dtype == np.float32 for one in maps)


def test_logits_are_of_linear_power_and_finite_at_its_bounds() -> None:
    logits = convert_to_logit(np.array([-10.0, 0.0, 10.0, -100.0, np.nan]))
    assert logits[0] == pytest.approx(np.log(0.1 / 0.9))
    assert logits[1] == logits[2] == pytest.approx(np.log(99))
    assert logits[3] == pytest.approx(np.log(1e-7), abs=1e-4)
    assert np.isnan(logits[4])


def test_of_a_long_series_the_last_ten_images_count(network: DistS1Network) -> None:
    logits = convert_to_logit(draw_series(12))
    whole, last = (expect_next(network, one, 16)[0] for one in (logits, logits[2:]))
    assert np.array_equal(whole, last)
    with pytest.raises(ValueError, match=r"reads 1 to 10 dates, but got 11\. Give it the last 10"):
        network(torch.zeros(1, 11, 2, 16, 16))


def test_order_of_the_images_counts(network: DistS1Network) -> None:
    logits = convert_to_logit(draw_series(4))
    forward, backward = (expect_next(network, one, 16)[0] for one in (logits, logits[::-1]))
    assert np.abs(forward - backward).max() > 0.05


def test_constant_series_is_expected_to_go_on(network: DistS1Network) -> None:
    levels = np.array([-9.0, -15.0])[:, None, None]
    logits = convert_to_logit(np.broadcast_to(levels, (10, 2, 32, 32)))
    mean, deviation = expect_next(network, logits, 16)
    assert np.abs(mean - logits[0]).max() < 0.2
    assert deviation.min() > 0
    assert deviation.max() < 0.3
