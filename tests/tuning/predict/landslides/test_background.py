"""What an orbit must exceed to show a landslide is what patches of its size in the background keep."""

import numpy as np
import pytest

from tuning.predict.landslides.background import BAND_PX, LEAST_SQUARES, BackgroundChange


def measure(change: np.ndarray, background: np.ndarray | None = None) -> BackgroundChange:
    found = BackgroundChange(*change.shape)
    known = np.ones(change.shape, bool) if background is None else background
    found.add(0, change.astype(np.float32), known)
    return found


def test_limits_are_quantiles_of_the_means_of_squares() -> None:
    rng = np.random.default_rng(0)
    change = 0.5 + rng.normal(0, 2, (512, 640))
    found = measure(change)
    assert found.median_db == pytest.approx(0.5, abs=0.03)
    limits = found.list_limits()
    assert list(limits) == [1, 4, 16, 64, 256, 1024]
    for (
        size,
        limit,
    ) in limits.items():  # independent pixels: the spread falls with the root of the area
        side = int(size**0.5)
        means = change.reshape(512 // side, side, 640 // side, side).mean(axis=(1, 3))
        wanted = np.quantile(np.abs(means - np.median(change)), 0.95)
        assert limit == pytest.approx(wanted, abs=0.03)
        assert limit == pytest.approx(1.96 * 2 / side, rel=0.2, abs=0.03)


def test_one_in_twenty_background_patches_exceeds_its_limit() -> None:
    rng = np.random.default_rng(1)
    found = measure(rng.normal(0, 2, (256, 256)))
    fresh = rng.normal(0, 2, (256, 256)).reshape(64, 4, 64, 4).mean(axis=(1, 3)).ravel()
    shown = found.find_shown(fresh, np.full(fresh.size, 16))
    assert shown.mean() == pytest.approx(0.05, abs=0.012)


def test_limits_between_sizes_are_interpolated_and_beyond_them_kept() -> None:
    rng = np.random.default_rng(2)
    found = measure(rng.normal(0, 2, (256, 256)))
    limits = found.list_limits()
    assert max(limits) == 256  # squares of 32 px are too few
    for size, limit in ((4, limits[4]), (8, (limits[4] + limits[16]) / 2), (9000, limits[256])):
        near = np.array([limit - 0.02, limit + 0.02, -limit - 0.02, np.nan]) + found.median_db
        shown = found.find_shown(near, np.full(4, size))
        assert shown.tolist() == [False, True, True, False]


def test_landslides_and_gaps_are_no_background() -> None:
    rng = np.random.default_rng(3)
    change = rng.normal(0, 1, (128, 128)).astype(np.float32)
    background = np.ones(change.shape, bool)
    background[:64], change[64:70] = False, np.nan
    before = change.copy()
    change[:64] += 20
    one, other = measure(change, background), measure(before, background)
    assert one.list_limits() == other.list_limits()
    assert one.median_db == other.median_db


def test_strips_add_up_where_no_square_reaches_beyond_them() -> None:
    rng = np.random.default_rng(4)
    change = rng.normal(0, 1, (4 * BAND_PX, 90)).astype(np.float32)
    whole, parts = measure(change), BackgroundChange(*change.shape)
    for first in range(0, len(change), BAND_PX):
        rows = change[first : first + BAND_PX]
        parts.add(first, rows, np.ones(rows.shape, bool))
    assert parts.list_limits() == whole.list_limits()


def test_a_large_map_is_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.predict.landslides.background.SAMPLE_PX", 30_000)
    change = np.zeros((12 * BAND_PX, 400), np.float32)  # 153,600 px: every fifth band
    change[np.arange(len(change)) // BAND_PX % 5 == 0] = 3
    found = BackgroundChange(*change.shape)
    for first in range(0, len(change), 50):  # strips that are no multiple of a band
        rows = change[first : first + 50]
        found.add(first, rows, np.ones(rows.shape, bool))
    assert found.median_db == 3


def test_a_map_with_hardly_any_background_shows_nothing() -> None:
    background = np.zeros((40, 40), bool)
    background.flat[: LEAST_SQUARES - 1] = True
    found = measure(np.zeros((40, 40)), background)
    assert found.median_db is None
    assert found.list_limits() == {}
    assert found.find_shown(np.array([30.0]), np.array([50])).tolist() == [False]
