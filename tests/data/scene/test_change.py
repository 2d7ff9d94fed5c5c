"""The change of an orbit is what its acquisitions show, each once, before and after the event."""

from pathlib import Path

import numpy as np
import pytest

from data.scene.base import InputSpec
from data.scene.change import STEPS_PER_DB, measure_change
from data.scene.datacube import open_cube
from data.scene.tile_mosaic import open_mosaic
from data.tiles import ORBITS
from data.values.coverage import OrbitDates
from tests.support.cube_files import make_groups, write_netcdf

S1 = ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
EVENT = np.datetime64("2018-09-05T18:08")
HALF_STEP = 0.5 / STEPS_PER_DB + 1e-5


def days(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[ns]")


def make_orbits() -> list[OrbitDates]:
    """Return two orbits; the second one repeats its last acquisition."""
    return [
        OrbitDates("s1asc", days("2018-08-01", "2018-09-01", "2018-09-13", "2018-10-01"), EVENT),
        OrbitDates("s1dsc", days("2018-08-02", "2018-09-14", "2018-09-20", "2018-09-20"), EVENT),
    ]


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_change_is_the_mean_after_less_the_mean_before_over_whole_acquisitions(
    missing: float,
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(-12, 3, (4, 5, 7, 9)).astype(np.float32)
    x[rng.random(x.shape) < missing] = np.nan
    x[3, 2:4] = x[2, 2:4]  # the repeated acquisition
    found = measure_change((*S1, "DEM"), x, make_orbits())
    assert found.shape == (2, 7, 9)
    for row, column in np.ndindex(7, 9):
        for orbit, (before, after) in enumerate((([0, 1], [2, 3]), ([0], [1, 2]))):
            pairs = x[:, 2 * orbit : 2 * orbit + 2, row, column].mean(axis=1)
            sides = [pairs[side][~np.isnan(pairs[side])] for side in (before, after)]
            wanted = sides[1].mean() - sides[0].mean() if all(map(len, sides)) else np.nan
            assert found[orbit, row, column] == pytest.approx(wanted, abs=HALF_STEP, nan_ok=True)
    assert np.isnan(found).any() == (missing > 0)


def test_heights_without_data_hide_no_change() -> None:
    x = np.full((4, 5, 3, 3), -10, np.float32)
    x[2:, :2], x[:, 4] = -7, np.nan
    found = measure_change((*S1, "DEM"), x, make_orbits())
    assert (found[0] == 3).all()
    assert (found[1] == 0).all()


def test_an_orbit_with_one_side_alone_has_no_change() -> None:
    early = OrbitDates("s1asc", days("2018-08-01", "2018-08-13"), EVENT)
    x = np.full((2, 1, 3, 3), -10, np.float32)
    assert np.isnan(measure_change(("s1asc:VV",), x, [early])).all()


def test_change_does_not_depend_on_the_order_of_channels() -> None:
    x = np.random.default_rng(2).normal(-12, 3, (4, 4, 8, 8)).astype(np.float32)
    order = [2, 0, 3, 1]
    mixed = measure_change([S1[at] for at in order], x[:, order], make_orbits())
    np.testing.assert_allclose(mixed, measure_change(S1, x, make_orbits()), atol=1 / STEPS_PER_DB)


def test_change_is_in_steps_that_compress() -> None:
    x = np.random.default_rng(1).normal(-12, 3, (4, 4, 8, 8)).astype(np.float32)
    found = measure_change(S1, x, make_orbits())
    np.testing.assert_array_equal(found * STEPS_PER_DB, np.rint(found * STEPS_PER_DB))


def test_a_datacube_and_a_mosaic_carry_the_change_of_each_orbit(quad: Path, tmp_path: Path) -> None:
    spec = InputSpec(S1, 4, "event")
    groups = make_groups(64, 80)
    cube = open_cube(write_netcdf(groups, tmp_path / "cube.nc"), spec)
    for scene in (cube, open_mosaic(quad, spec)):
        read = [data for one in scene.list_windows(64, 16) if (data := scene.read(one))]
        for data in read:
            assert data.change.shape == (2, *data.valid.shape)
            for number, orbit in enumerate(ORBITS):
                series = scene.dates[orbit][0]
                late = series.chosen > series.event
                bands = data.x[:, 2 * number : 2 * number + 2].mean(axis=1)
                wanted = bands[late].mean(axis=0) - bands[~late].mean(axis=0)
                np.testing.assert_allclose(data.change[number], wanted, atol=HALF_STEP)
    assert spec.orbits == ORBITS
