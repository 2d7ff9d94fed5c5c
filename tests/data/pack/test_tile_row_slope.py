"""Slopes of heights as they are published: a 30 m model, rounded to metres and repeated on the 10 m grid."""

from collections.abc import Callable

import netCDF4
import numpy as np
import pytest
from scipy import ndimage

from data.pack.tile_row import SLOPE_REACH_PX, measure_slope, smooth_heights
from tests.support.real_tiles import REAL_TILES

Cells = tuple[np.ndarray, np.ndarray]


def make_hills(rng: np.random.Generator, size: int = 300) -> np.ndarray:
    """Return hills on a 10 m grid with a mean slope of about 20 degrees, as in the real tile's mountains."""
    hills = sum(
        weight * ndimage.gaussian_filter(rng.normal(size=(size, size)), width) * width
        for width, weight in ((4, 2.0), (9, 12.0), (20, 35.0))
    )
    return 400 + 7.5 * np.asarray(hills)


def square_cells(rows: np.ndarray, columns: np.ndarray) -> Cells:
    """Return the centre of each pixel's 30 m square."""
    return 3 * np.floor(rows / 3) + 1, 3 * np.floor(columns / 3) + 1


def arc_second_cells(rows: np.ndarray, columns: np.ndarray) -> Cells:
    """Return the centre of each pixel's arc second at 43 degrees north, turned by 1.5 degrees as UTM is there."""
    cos, sin, tall, wide = np.cos(0.026), np.sin(0.026), 3.09, 2.26  # px
    u, v = columns * cos + rows * sin, rows * cos - columns * sin
    u, v = (np.floor(u / wide) + 0.5) * wide, (np.floor(v / tall) + 0.5) * tall
    return u * sin + v * cos, u * cos - v * sin


def publish(hills: np.ndarray, cells: Cells) -> np.ndarray:
    """Return heights as published: the mean of a 30 m cell in whole metres, at every pixel of the cell."""
    means = ndimage.uniform_filter(hills, 3)
    return np.rint(ndimage.map_coordinates(means, cells, order=1, mode="nearest"))


def measure_true_slope(hills: np.ndarray) -> np.ndarray:
    """Return the slope between the means of the 30 m to each side."""
    means = ndimage.uniform_filter(hills, 3)
    rises = [(np.roll(means, -3, axis) - np.roll(means, 3, axis)) / 60 for axis in (0, 1)]
    return np.asarray(np.degrees(np.arctan(np.hypot(*rises))))


@pytest.mark.parametrize(("lay", "error_deg"), [(square_cells, 0.42), (arc_second_cells, 1.79)])
def test_slope_of_published_heights_is_near_the_true_one(
    lay: Callable[..., Cells], error_deg: float, rng: np.random.Generator
) -> None:
    hills = make_hills(rng)
    rows, columns = np.mgrid[: len(hills), : len(hills)].astype(float)
    heights = publish(hills, lay(rows, columns))
    inner = (slice(10, -10), slice(10, -10))
    true, found = measure_true_slope(hills)[inner], measure_slope(heights)[inner]
    south, east = np.gradient(heights[inner], 10.0)
    stepped = np.degrees(np.arctan(np.hypot(south, east)))

    def rms(slope: np.ndarray) -> float:
        return float(np.sqrt(((slope - true) ** 2).mean()))

    assert 15 < true.mean() < 25
    assert rms(found) == pytest.approx(error_deg, abs=0.05)
    assert rms(stepped) > 5 * rms(found)


def test_a_plane_has_its_own_slope_up_to_the_edges() -> None:
    # 5 m up every 10 m eastwards, none southwards: atan(0.5) = 26.57 degrees
    ramp = np.broadcast_to(5.0 * np.arange(8), (8, 8))
    np.testing.assert_allclose(smooth_heights(ramp), ramp, atol=1e-5)
    np.testing.assert_allclose(measure_slope(ramp), np.degrees(np.arctan(0.5)), rtol=1e-6)


def test_slope_is_unknown_beside_a_gap_and_nowhere_else() -> None:
    heights = np.add.outer(2.0 * np.arange(12), 3.0 * np.arange(12))
    heights[5, 6] = np.nan
    unknown = np.argwhere(np.isnan(measure_slope(heights))).tolist()
    assert unknown == [[4, 6], [5, 5], [5, 6], [5, 7], [6, 6]]


def test_heights_beyond_the_stated_reach_do_not_change_a_slope(rng: np.random.Generator) -> None:
    heights = rng.normal(100, 20, (20, 20))
    changed = heights.copy()
    changed[10, 10] += 50
    rows, columns = np.nonzero(measure_slope(heights) != measure_slope(changed))
    assert max(abs(rows - 10).max(), abs(columns - 10).max()) == SLOPE_REACH_PX


def test_real_heights_are_steps_and_their_slope_is_that_of_the_hills() -> None:
    with netCDF4.Dataset(REAL_TILES / "s1asc" / "italy_s1asc_4120.nc") as file:
        heights = file["DEM"][0].T.astype(np.float32)
    across, down = (np.diff(heights, axis=axis) == 0 for axis in (1, 0))
    assert (across.mean(), down.mean()) == pytest.approx((0.570, 0.685), abs=0.001)
    stepped = np.degrees(np.arctan(np.hypot(*np.gradient(heights, 10.0))))
    slope = measure_slope(heights)
    assert np.corrcoef(stepped.ravel(), slope.ravel())[0, 1] == pytest.approx(0.743, abs=0.002)
    assert (stepped.mean(), slope.mean()) == pytest.approx((16.83, 15.31), abs=0.01)
