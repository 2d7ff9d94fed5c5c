import numpy as np
import pytest

from tuning.baselines.deviation.mahalanobis import (
    FLOOR_DB2,
    group_polarisations,
    measure_distance,
)

SIDE = 24


def draw(rng: np.random.Generator, dates: int, correlation: float = 0.0) -> np.ndarray:
    """Return images of VV and VH in dB with a deviation of 2 dB, shape ``(T, 2, H, W)``."""
    cov = 4 * np.array([[1, correlation], [correlation, 1]])
    noise = rng.multivariate_normal([-9, -15], cov, (dates, SIDE, SIDE))
    return np.moveaxis(noise, -1, 1).astype(np.float32)


def test_distance_is_that_of_the_definition(rng: np.random.Generator) -> None:
    before, after = draw(rng, 3, 0.6), draw(rng, 2, 0.6)
    found = measure_distance(before, after, 1)
    samples, values = before[:, :, 5, 7].astype(np.float64), after[:, :, 5, 7]
    cov = np.cov(samples.T, bias=True) + FLOOR_DB2 * np.eye(2)
    change = values - samples.mean(axis=0)
    expected = np.sqrt(np.einsum("ti,ij,tj->t", change, np.linalg.inv(cov), change))
    np.testing.assert_allclose(found[:, 5, 7], np.sign(change[:, 0]) * expected, rtol=1e-4)


def test_single_polarisation_is_measured_in_its_own_deviations(rng: np.random.Generator) -> None:
    before = draw(rng, 40)[:, :1]
    step = np.full((1, 1, SIDE, SIDE), -9 + 6.0, np.float32)
    assert measure_distance(before, step, 5).mean() == pytest.approx(6 / 2, rel=0.1)


def test_a_step_stands_out_and_has_its_sign(rng: np.random.Generator) -> None:
    before, after = draw(rng, 4, 0.5), draw(rng, 2, 0.5)
    after[:, 0, :8] += 8
    after[:, 0, 16:] -= 8
    found = measure_distance(before, after, 3)
    assert found[:, :8].mean() > 3 > -3 > found[:, 16:].mean()
    assert abs(found[:, 9:15].mean()) < 1


def test_order_of_the_images_before_the_event_does_not_matter(rng: np.random.Generator) -> None:
    before, after = draw(rng, 5), draw(rng, 1)
    found = measure_distance(before, after, 3)
    np.testing.assert_allclose(measure_distance(before[::-1], after, 3), found, rtol=1e-4)


def test_an_image_after_the_event_changes_no_other_distance(rng: np.random.Generator) -> None:
    before, after = draw(rng, 5), draw(rng, 3)
    found = measure_distance(before, after, 3)
    after[2] = 0
    again = measure_distance(before, after, 3)
    assert np.array_equal(again[:2], found[:2])
    assert not np.array_equal(again[2], found[2])


def test_gaps_are_skipped_and_nothing_before_gives_nothing(rng: np.random.Generator) -> None:
    before, after = draw(rng, 3), draw(rng, 2)
    before[0, 0, 3, 3] = np.nan
    before[:, :, 12:] = np.nan
    after[1, 1, 0, 0] = np.nan
    found = measure_distance(before, after, 3)
    assert np.isfinite(found[0, :12]).all()
    assert np.isnan(found[1, 0, 0])
    assert np.isnan(found[:, 14:]).all()
    assert np.isnan(measure_distance(before[:0], after, 3)).all()
    assert measure_distance(before, after[:0], 3).shape == (0, SIDE, SIDE)


def test_polarisations_of_an_orbit_are_read_together() -> None:
    names = ("s1asc:VV", "s1asc:VH", "s1dsc:VV")
    assert group_polarisations(names, "both") == [names[:2], names[2:]]
    assert group_polarisations(names, "VV") == [("s1asc:VV",), ("s1dsc:VV",)]
    assert group_polarisations(names, "VH") == [("s1asc:VH",), ("s1dsc:VV",)]
