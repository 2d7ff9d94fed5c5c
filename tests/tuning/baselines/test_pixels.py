import numpy as np
import pytest

from tuning.baselines.deviation.pixels import coarsen, pad_to_multiple, refine


def test_power_is_averaged_over_blocks_and_gaps_are_skipped() -> None:
    image = np.full((2, 7, 6), -10.0)
    image[0, :3, :3] = [[-10, 0, np.nan]] * 3
    image[1, 3:6, 3:6] = np.nan
    found = coarsen(image, 30)
    assert found.shape == (2, 3, 2)
    assert found[0, 0, 0] == pytest.approx(10 * np.log10((0.1 + 1) / 2), abs=1e-4)
    assert np.isnan(found[1, 1, 1])
    assert found[0, 2, 1] == pytest.approx(-10, abs=1e-4)  # a block of one row
    assert np.isfinite(found).sum() == 11


def test_pixels_of_the_tile_stay_as_they_are() -> None:
    image = np.random.default_rng(0).normal(-9, 2, (2, 5, 5)).astype(np.float32)
    assert np.array_equal(coarsen(image, 10), image)
    assert np.array_equal(refine(image, 10, (5, 5)), image)


def test_each_block_gets_its_value_back() -> None:
    image = np.repeat(np.repeat(np.arange(6.0).reshape(2, 3), 3, 0), 3, 1)[:5, :7]
    np.testing.assert_allclose(refine(coarsen(image, 30), 30, (5, 7)), image, atol=1e-5)


def test_padding_repeats_the_border() -> None:
    image = np.arange(6.0).reshape(1, 2, 3)
    found = pad_to_multiple(image, 4)
    assert found.shape == (1, 4, 4)
    assert np.array_equal(found[:, :2, :3], image)
    assert found[0, 3].tolist() == [3, 4, 5, 5]
    assert pad_to_multiple(found, 4) is found
