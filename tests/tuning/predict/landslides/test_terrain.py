"""Slopes at landslides equal those of training, and what hides from an orbit follows from slope and view."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from data.pack.tile_row import measure_slope
from data.scene.georeference import Grid
from data.tiles import ORBITS
from tuning.predict.landslides import terrain
from tuning.predict.landslides.terrain import TerrainSums, find_views

GRID = Grid("EPSG:32654", 570_880.0, 4_738_560.0, 10.0, 150, 130)


def write_heights(path: Path, heights: np.ndarray, grid: Grid = GRID) -> Path:
    shape = {"height": heights.shape[0], "width": heights.shape[1], "count": 1}
    place = {"crs": grid.crs, "transform": rasterio.Affine(*grid.transform)}
    with rasterio.open(path, "w", driver="GTiff", dtype="float32", **shape, **place) as raster:
        raster.write(heights.astype(np.float32), 1)
    return path


def measure(
    path: Path, landslide: np.ndarray, rows: int = 1000
) -> tuple[np.ndarray, dict[str, object] | None]:
    """Read a file of heights in strips; return slopes and shares."""
    with rasterio.open(path) as raster:
        sums = TerrainSums(raster, ORBITS)
        strips = [
            sums.read_slopes(
                first,
                landslide[first : first + rows],
                np.full(landslide[first : first + rows].shape, 100.0),
            )
            for first in range(0, len(landslide), rows)
        ]
        return np.concatenate(strips), sums.list_shares()


def make_hills(gap: bool = True) -> np.ndarray:
    rows, columns = np.indices((150, 130))
    heights = 300 + 60 * np.sin(rows / 9) * np.cos(columns / 7) + 0.01 * rows**2
    if gap:
        heights[40:44, 60:75] = np.nan
    return heights.astype(np.float32)


@pytest.mark.parametrize("rows", [1000, 37])
def test_slopes_equal_those_of_training_without_seams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(terrain, "CELL_PX", (16, 48))
    heights = make_hills()
    path = write_heights(tmp_path / "dem.tif", heights)
    slopes, shares = measure(path, np.ones(heights.shape, bool), rows)
    np.testing.assert_allclose(slopes, measure_slope(heights), atol=1e-4)
    assert shares is not None
    assert shares["with_heights"] == pytest.approx(np.isfinite(slopes).mean())


def test_a_large_map_is_sampled_and_has_all_slopes_at_landslides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terrain, "CELL_PX", (16, 48))
    monkeypatch.setattr(terrain, "SAMPLE_PX", 150 * 130 // 3)
    heights = make_hills(gap=False)
    landslide = np.zeros(heights.shape, bool)
    landslide[20, 5] = landslide[75, 120] = True
    slopes, shares = measure(write_heights(tmp_path / "dem.tif", heights), landslide, 40)
    np.testing.assert_allclose(slopes[landslide], measure_slope(heights)[landslide], atol=1e-4)
    assert 0.2 < np.isfinite(slopes).mean() < 0.6
    assert shares is not None
    assert shares["with_heights"] == 1


def make_ramp(degrees: float) -> np.ndarray:
    """Return a plane that rises to the east."""
    heights: np.ndarray = 10 * np.tan(np.radians(degrees)) * np.indices((150, 130))[1]
    return heights


@pytest.mark.parametrize(
    ("degrees", "asc", "dsc", "neither"),
    [
        (30, "", "", 0),
        (45, "layover", "", 0),
        (60, "layover", "shadow", 1),
        (-45, "", "layover", 0),
    ],
)
def test_a_steep_slope_hides_by_the_side_from_which_it_is_seen(
    tmp_path: Path, degrees: float, asc: str, dsc: str, neither: float
) -> None:
    """An ascending orbit looks east, so that ground that rises to the east faces it."""
    heights = make_ramp(degrees)
    _, shares = measure(write_heights(tmp_path / "dem.tif", heights), np.zeros(heights.shape, bool))
    assert shares is not None
    for orbit, hidden in zip(ORBITS, (asc, dsc), strict=True):
        found = shares["orbits"][orbit]  # type: ignore[index]
        assert {kind: found[kind] for kind in ("layover", "shadow")} == {
            kind: float(kind == hidden) for kind in ("layover", "shadow")
        }
    assert shares["seen_by_neither"] == neither
    assert shares["incidence_deg"] == 38.5


def test_the_view_is_turned_by_the_north_of_the_grid() -> None:
    """On a polar map at 45 degrees west, the north of the grid is that of the ground; at 45 degrees east it points east."""
    turn = Transformer.from_crs("EPSG:4326", "EPSG:3413", always_xy=True)
    west, east = (find_views("EPSG:3413", turn.transform(lon, 72.0), ORBITS) for lon in (-45, 45))
    assert west is not None
    assert east is not None
    for one, other in zip(west, east, strict=True):
        assert one.heading_deg == pytest.approx(other.heading_deg, abs=0.05)
        assert (other.look_deg - one.look_deg) % 360 == pytest.approx(270, abs=0.5)


def test_heights_off_the_earth_or_none_at_all_have_no_shares(tmp_path: Path) -> None:
    assert find_views("EPSG:32654", (1e9, 1e9), ORBITS) is None
    nothing = np.full((150, 130), np.nan)
    slopes, shares = measure(
        write_heights(tmp_path / "dem.tif", nothing), np.ones(nothing.shape, bool)
    )
    assert np.isnan(slopes).all()
    assert shares is None


def test_a_map_of_one_column_has_no_slope(tmp_path: Path) -> None:
    slopes, shares = measure(
        write_heights(tmp_path / "dem.tif", np.ones((150, 1))), np.ones((150, 1), bool)
    )
    assert np.isnan(slopes).all()
    assert shares is None
