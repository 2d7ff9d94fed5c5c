"""Each landslide has its change by orbit, its slope, and a class that follows from them."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from tests.support.map_files import LAYERS, make_grid, write_map
from tuning.predict.cog import RasterWriter, choose_layers
from tuning.predict.landslides.evidence import Evidence
from tuning.predict.landslides.polygons import MapTotals, write_polygons

SIZE = (96, 80)
COLUMNS = ["id", "area_m2", "mean_probability", "max_probability", "size_class"]
COLUMNS += ["change_s1asc_db", "change_s1dsc_db", "orbits_agree", "slope_deg", "confidence"]
COLUMNS += ["lon", "lat"]
# Corner, side in px, change of both orbits in dB, probability; the background changes by 1 dB in the median.
PLACES = [
    *[
        ((5, 5), 9, (6.0, 5.0), 0.9),
        ((30, 40), 8, (6.0, 1.1), 0.9),
        ((60, 10), 7, (1.0, -5.0), 0.45),
    ],
    *[((70, 60), 6, (1.0, 1.1), 0.45), ((10, 60), 5, (1.0, 1.0), 0.95)],
]
AGREED = ["both", "s1asc only", "s1dsc only", "neither", "neither"]
CLASSES = ["high", "high", "medium", "low", "medium"]


@pytest.fixture(autouse=True)
def short_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read rasters in strips of a few rows, so that landslides extend over many."""
    monkeypatch.setattr("tuning.predict.raster_io.STRIP_PX", 40 * SIZE[1])


def make_layers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    change = 1 + rng.normal(0, 0.5, (2, *SIZE)).astype(np.float32)
    mask, probability = np.zeros(SIZE, np.uint8), np.full(SIZE, 0.1, np.float32)
    for (row, column), side, values, chance in PLACES:
        cut = (slice(row, row + side), slice(column, column + side))
        mask[cut], probability[cut] = 1, chance
        change[(slice(None), *cut)] += np.array(values, np.float32)[:, None, None] - 1
    mask[90:] = 255
    change[:, 90:] = probability[90:] = np.nan
    return {"mask": mask, "probability": probability, "change": change}


def measure(folder: Path, layers: dict[str, np.ndarray], heights: np.ndarray | None) -> MapTotals:
    paths = write_map(folder, **layers)
    if heights is not None:
        place = {"crs": "EPSG:32654", "transform": rasterio.Affine(*make_grid(*SIZE).transform)}
        shape = {"height": SIZE[0], "width": SIZE[1], "count": 1, "dtype": "float32"}
        with rasterio.open(folder / "heights.tif", "w", driver="GTiff", **shape, **place) as raster:
            raster.write(heights.astype(np.float32), 1)
    relief = None if heights is None else folder / "heights.tif"
    evidence = Evidence(0.4, paths["change"], relief)
    return write_polygons(folder, paths["mask"], paths["probability"], evidence=evidence)


def test_columns_follow_from_the_pixels_of_each_landslide(tmp_path: Path) -> None:
    layers = make_layers()
    ramp = np.tan(np.radians(25)) * 10 * np.indices(SIZE)[1]
    totals = measure(tmp_path, layers, ramp)
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    assert list(table.columns) == [*COLUMNS, "geometry"]
    assert table["orbits_agree"].tolist() == AGREED
    assert table["confidence"].tolist() == CLASSES
    assert table["slope_deg"].tolist() == [25.0] * 5
    for number, ((row, column), side, _, _) in enumerate(PLACES):
        cut = layers["change"][:, row : row + side, column : column + side].mean(axis=(1, 2))
        for orbit, wanted in zip(("s1asc", "s1dsc"), cut, strict=True):
            assert table[f"change_{orbit}_db"][number] == pytest.approx(wanted, abs=0.006)
    counts = {name: one.count for name, one in totals.by_confidence.items()}
    assert counts == {"high": 2, "medium": 2, "low": 1}
    assert sum(one.area_m2 for one in totals.by_confidence.values()) == pytest.approx(
        totals.area_m2
    )
    assert totals.background["s1asc"]["median_db"] == pytest.approx(1, abs=0.05)
    limits = totals.background["s1dsc"]["limit_db"]
    assert limits["1 px"] == pytest.approx(0.98, abs=0.05)
    assert limits["4 px"] == pytest.approx(0.49, abs=0.06)
    assert totals.terrain is not None
    assert totals.terrain["orbits"]["s1asc"]["layover"] == 0


def test_without_heights_slopes_are_null(tmp_path: Path) -> None:
    totals = measure(tmp_path, make_layers(), None)
    assert totals.terrain is None
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    assert list(table.columns) == [*COLUMNS, "geometry"]
    assert table["slope_deg"].isna().all()
    text = json.loads((tmp_path / "landslides.geojson").read_text(), parse_constant=pytest.fail)
    assert [one["properties"]["slope_deg"] for one in text["features"]] == [None] * 5


def test_a_landslide_that_one_orbit_lacks_is_of_one_orbit(tmp_path: Path) -> None:
    layers = make_layers()
    layers["change"][1, :20] = np.nan
    measure(tmp_path, layers, None)
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    assert table["orbits_agree"].tolist() == ["one orbit", *AGREED[1:4], "one orbit"]
    assert table["confidence"].tolist() == CLASSES
    assert table["change_s1dsc_db"].isna().tolist() == [True, False, False, False, True]


def test_a_model_of_one_orbit_has_one_column_of_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LAYERS, "change", choose_layers([], ["s1dsc"])["change"])
    layers = make_layers()
    layers["change"] = layers["change"][1]
    measure(tmp_path, layers, None)
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    assert list(table.columns) == [name for name in COLUMNS if name != "change_s1asc_db"] + [
        "geometry"
    ]
    assert set(table["orbits_agree"]) == {"one orbit"}
    assert table["confidence"].tolist() == ["high", "medium", "medium", "low", "medium"]


def test_a_map_without_landslides_has_all_columns(tmp_path: Path) -> None:
    layers = make_layers()
    layers["mask"][layers["mask"] == 1] = 0
    totals = measure(tmp_path, layers, np.zeros(SIZE))
    assert totals.count == 0
    assert {one.count for one in totals.by_confidence.values()} == {0}
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    assert list(table.columns) == [*COLUMNS, "geometry"]


def test_a_change_on_another_grid_is_refused(tmp_path: Path) -> None:
    paths = write_map(tmp_path / "a", **make_layers())
    with RasterWriter(tmp_path / "b", make_grid(4, 5), {"change": LAYERS["change"]}, {}) as rasters:
        rasters.write("change", 0, np.zeros((2, 4, 5), np.float32))
        other = rasters.finish()["change"]
    with pytest.raises(ValueError, match=r"on one grid, but change.tif has shape \(4, 5\)"):
        write_polygons(
            tmp_path / "c", paths["mask"], paths["probability"], evidence=Evidence(0.4, other)
        )
