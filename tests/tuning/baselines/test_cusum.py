import numpy as np
import pytest

from data.pack.log_ratio import Series
from tuning.baselines.cusum import ORDERS, measure_cusum


def split_series(values: list[float], before: int) -> Series:
    layers = np.array(values, np.float32)[:, None, None]
    return Series(layers[:before], layers[before:])


def test_step_at_the_event_has_its_height_and_full_timing() -> None:
    found = measure_cusum(split_series([0, 0, 0, 0, 3, 3, 3, 3], 4))
    assert found.step_db[0, 0] == pytest.approx(3)
    assert found.timing[0, 0] == pytest.approx(1)
    assert found.confidence[0, 0] > 0.8


def test_step_on_another_date_has_less_timing() -> None:
    found = measure_cusum(split_series([0, 0, 3, 3, 3, 3, 3, 3], 5))
    # Residuals -2.25 and 0.75: S is -4.5 at its extreme and -2.25 at the event.
    assert found.timing[0, 0] == pytest.approx(0.5)
    assert found.step_db[0, 0] == pytest.approx(2.25 * 8 / 15)


def test_season_without_a_step_is_told_by_the_orders() -> None:
    wave = measure_cusum(split_series([0, 3, 0, 3, 0, 3, 0, 3], 4))
    assert wave.step_db[0, 0] == pytest.approx(0)
    assert wave.confidence[0, 0] == 0  # every other order has at least this range
    falls = measure_cusum(split_series([3, 3, 3, 3, 0, 0, 0, 0], 4))
    assert falls.step_db[0, 0] == pytest.approx(-3)


def test_confidence_counts_the_orders_with_a_smaller_range(rng: np.random.Generator) -> None:
    noise = rng.normal(0, 1, (15, 30, 30)).astype(np.float32)
    found = measure_cusum(Series(noise[:7], noise[7:]))
    assert set(np.unique((found.confidence * ORDERS).round(4))) <= set(range(ORDERS + 1))
    assert found.confidence.mean() == pytest.approx(0.5, abs=0.1)  # uniform without a change
    quick = measure_cusum(Series(noise[:7], noise[7:]), orders=False)
    assert (quick.confidence == 1).all()
    assert np.array_equal(quick.step_db, found.step_db)


def test_missing_acquisitions_are_skipped_per_pixel() -> None:
    series = split_series([0, np.nan, 0, 3, np.nan, 3], 3)
    assert measure_cusum(series).step_db[0, 0] == pytest.approx(3)
    one_sided = measure_cusum(split_series([np.nan, np.nan, 3, 2], 2))
    assert all(np.isnan(field[0, 0]) for field in one_sided)
