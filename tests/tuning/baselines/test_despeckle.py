import numpy as np
import pytest

from tuning.baselines.deviation.despeckle import REACH_PX, despeckle

# By denoise_tv_bregman(image, weight=0.2, isotropic=True, eps=1e-6, max_num_iter=2000) of scikit-image 0.26 on draw_image(), at
# [9:40:10, 9:40:10].
SCIKIT_IMAGE = [
    *(-4.5658, -5.2315, -5.2213, -4.8108, -5.4317, -5.2345, -5.0952, -4.9257),
    *(-8.9091, -9.3715, -9.2213, -8.874, -9.2975, -9.43, -8.8499, -9.2343),
]


def draw_image(size: int = 48) -> np.ndarray:
    """Return speckle of 2 dB over a step of 4 dB between the upper and the lower half."""
    image = np.random.default_rng(2).normal(-9, 2, (size, size))
    image[: size // 2] += 4
    return image


def test_result_is_that_of_scikit_image_away_from_the_border() -> None:
    found = despeckle(draw_image())
    np.testing.assert_allclose(found[9:40:10, 9:40:10].ravel(), SCIKIT_IMAGE, atol=0.02)


def test_speckle_is_removed_and_steps_stay() -> None:
    found = despeckle(draw_image())
    assert found.dtype == np.float32
    assert found[:20].std() < 0.5
    assert found[:20].mean() - found[28:].mean() == pytest.approx(4, abs=0.3)
    assert found.mean() == pytest.approx(draw_image().mean(), abs=1e-4)


def test_each_image_is_despeckled_alone() -> None:
    images = np.stack([draw_image(), draw_image().T, np.full((48, 48), -7.0)])
    found = despeckle(images)
    np.testing.assert_allclose(found[0], despeckle(images[0]), atol=1e-5)
    np.testing.assert_allclose(found[0].T, found[1], atol=1e-4)
    np.testing.assert_allclose(found[2], -7, atol=1e-4)


def test_pixels_beyond_the_reach_do_not_count() -> None:
    image, changed = draw_image(96), draw_image(96)
    changed[40:48, 40:48] += 5
    difference = np.abs(despeckle(image) - despeckle(changed))
    assert difference[44, 44] > 1
    assert difference[:, 47 + REACH_PX :].max() < 1e-4
    assert difference[:, 47 : 47 + REACH_PX // 2].max() > 1e-3


def test_more_iterations_change_little() -> None:
    difference = despeckle(draw_image()) - despeckle(draw_image(), 200)
    assert np.sqrt((difference**2).mean()) < 0.005
