"""Landslide polygons overlay the mask exactly, and their attributes follow from their pixels."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
from pyproj import Geod, Transformer
from rasterio.features import rasterize
from scipy import ndimage

from data.scene.georeference import Grid
from tests.support.map_files import (
    make_coverage,
    make_grid,
    make_mask,
    make_probability,
    write_map,
)
from tuning.objects.object_scores import SIZES, class_by_size
from tuning.predict.landslides.polygons import MapTotals, SizeClassTotal, write_polygons

PIXEL_M2 = 100.068  # of a pixel on the ground: 570 km east in UTM zone 54
COLUMNS = ["id", "area_m2", "mean_probability", "max_probability", "size_class", "lon", "lat"]
# Many small components; one component with many holes; one column, one row, all, nothing.
MAPS = [(0, 90, 70, 0.7), (1, 90, 70, 0.45), (2, 90, 1, 0.5), (3, 1, 90, 0.5), (4, 40, 30, 0.0), (5, 40, 30, 2.0)]  # fmt: skip


@pytest.fixture(autouse=True)
def short_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read rasters in strips of a few rows, so that components extend over many."""
    monkeypatch.setattr("tuning.predict.raster_io.STRIP_PX", 500)


def outline(
    folder: Path, mask: np.ndarray, probability: np.ndarray, **layers: np.ndarray
) -> MapTotals:
    paths = write_map(folder, mask, probability=probability, **layers)
    return write_polygons(folder, paths["mask"], paths["probability"], paths.get("spread"))


def label(mask: np.ndarray) -> tuple[np.ndarray, int]:
    labels, count = ndimage.label(mask == 1, np.ones((3, 3)))
    return labels, count


def burn(table: gpd.GeoDataFrame, height: int, width: int) -> np.ndarray:
    """Rasterise polygons to their ids, 0 elsewhere."""
    if not len(table):
        return np.zeros((height, width), np.int32)
    transform = rasterio.Affine(*make_grid(height, width).transform)
    pairs = zip(table.geometry, table["id"], strict=True)
    return np.asarray(rasterize(pairs, (height, width), transform=transform, dtype="int32"))


@pytest.mark.parametrize(("seed", "height", "width", "threshold"), MAPS)
def test_polygons_overlay_the_mask_exactly(
    tmp_path: Path, seed: int, height: int, width: int, threshold: float
) -> None:
    probability = make_probability(seed, height, width)
    mask = make_mask(probability, threshold)
    totals = outline(tmp_path, mask, probability, spread=probability / 2)
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    ids = burn(table, height, width)
    labels, count = label(mask)
    np.testing.assert_array_equal(ids > 0, mask == 1)
    assert totals.count == len(table) == count
    # each id has one label, and each label one id
    assert len({(a, b) for a, b in zip(labels.flat, ids.flat, strict=True) if a}) == count
    assert table.is_valid.all()
    pixels = np.bincount(ids.ravel(), minlength=count + 1)[1:]
    assert table.area.tolist() == (100.0 * pixels).tolist()
    np.testing.assert_allclose(table["area_m2"], PIXEL_M2 * pixels, rtol=1e-5, atol=0.05)
    for name, find in (("mean", ndimage.mean), ("max", ndimage.maximum)):
        wanted = find(np.nan_to_num(probability), ids, table["id"]) if count else []
        np.testing.assert_allclose(table[f"{name}_probability"], wanted, atol=1e-6)
    np.testing.assert_allclose(table["mean_spread"], table["mean_probability"] / 2, atol=2e-6)
    assert totals.mapped_m2 == pytest.approx(PIXEL_M2 * (mask != 255).sum(), rel=1e-5)
    assert totals.nodata_m2 == pytest.approx(PIXEL_M2 * (mask == 255).sum(), rel=1e-5)


def test_area_without_data_is_divided_by_the_coverage(tmp_path: Path) -> None:
    mask = np.zeros((60, 50), np.uint8)  # strips of 10 rows
    mask[:30] = 255
    coverage = make_coverage(mask)
    paths = write_map(tmp_path / "m", mask, probability=mask * np.float32(0), coverage=coverage)
    totals = write_polygons(
        tmp_path / "o", paths["mask"], paths["probability"], coverage=paths["coverage"]
    )
    assert totals.nodata_m2 == pytest.approx(PIXEL_M2 * 1500, rel=1e-5)
    assert totals.too_few_m2 == pytest.approx(PIXEL_M2 * 750, rel=1e-5)


def test_a_component_is_one_across_strip_borders(tmp_path: Path) -> None:
    mask = np.zeros((60, 50), np.uint8)  # strips of 10 rows
    mask[5:55, 3] = mask[5:55, 40] = mask[54, 3:41] = 1  # a U, whose arms meet in the last strip
    mask[8:12, 10:12] = mask[12:14, 12] = 1  # two parts that touch at a corner
    mask[20, 20] = mask[19, 21] = 1  # the same across a strip's border
    probability = np.where(mask, 0.75, 0.25).astype(np.float32)
    outline(tmp_path, mask, probability)
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    assert table.area.tolist() == [13_600.0, 1000.0, 200.0]
    assert table["id"].tolist() == [1, 2, 3]
    assert [len(shape.geoms) for shape in table.geometry] == [1, 2, 2]
    assert table["mean_probability"].tolist() == [0.75, 0.75, 0.75]
    assert table["size_class"].tolist() == [SIZES[2], SIZES[1], SIZES[0]]


def test_geojson_is_in_longitude_and_latitude(tmp_path: Path) -> None:
    probability = make_probability(6, 60, 50)
    outline(tmp_path, make_mask(probability, 0.6), probability)
    exact = gpd.read_file(tmp_path / "landslides.gpkg")
    text = json.loads((tmp_path / "landslides.geojson").read_text())
    assert "crs" not in text  # RFC 7946 knows one system
    assert [one["properties"]["id"] for one in text["features"]] == exact["id"].tolist()
    turn = Transformer.from_crs("EPSG:32654", "EPSG:4326", always_xy=True)
    for one, shape, lon, lat in zip(text["features"], exact.geometry, exact.lon, exact.lat, strict=True):  # fmt: skip
        lonlat = {
            tuple(p) for part in one["geometry"]["coordinates"] for ring in part for p in ring
        }
        corners = {p for part in shape.geoms for ring in (part.exterior, *part.interiors) for p in ring.coords}  # fmt: skip
        wanted = np.array(sorted(turn.transform(*corner) for corner in corners))
        distance = np.abs(np.array(sorted(lonlat))[:, None] - wanted[None]).max(axis=2)
        assert distance.min(axis=1).max() < 1e-7  # a centimetre
        assert (lon, lat) == pytest.approx(
            turn.transform(shape.centroid.x, shape.centroid.y), abs=1e-7
        )
    read = gpd.read_file(tmp_path / "landslides.geojson")
    assert read.is_valid.all()
    assert read.crs.to_epsg() == 4326
    assert all(part.exterior.is_ccw for shape in read.geometry for part in shape.geoms)


@pytest.mark.parametrize("seed", [0, 4])
def test_a_geopackage_has_layer_coordinate_system_and_columns(tmp_path: Path, seed: int) -> None:
    probability = make_probability(seed, 40, 30)
    outline(tmp_path, make_mask(probability, 0.6 if seed == 0 else 2.0), probability)
    assert pyogrio.list_layers(tmp_path / "landslides.gpkg").tolist() == [["landslides", "MultiPolygon"]]  # fmt: skip
    info = pyogrio.read_info(tmp_path / "landslides.gpkg")
    assert info["crs"] == "EPSG:32654"
    assert list(info["fields"]) == COLUMNS
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "landslides.geojson",
        "landslides.gpkg",
        "mask.tif",
        "probability.tif",
    ]


def test_a_map_without_landslides_has_valid_files(tmp_path: Path) -> None:
    probability = np.full((20, 30), np.nan, np.float32)
    totals = outline(tmp_path, make_mask(probability, 0.5), probability, spread=probability)
    nothing = dict.fromkeys(SIZES, SizeClassTotal(0, 0.0))
    assert totals == MapTotals(0, 0.0, nothing, 0.0, pytest.approx(600 * PIXEL_M2, rel=1e-5))
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    assert list(table.columns) == [*COLUMNS[:4], "mean_spread", *COLUMNS[4:], "geometry"]
    assert json.loads((tmp_path / "landslides.geojson").read_text())["features"] == []


def test_totals_by_size_add_up(tmp_path: Path) -> None:
    probability = make_probability(7, 90, 70)
    mask = make_mask(probability, 0.62)
    totals = outline(tmp_path, mask, probability)
    labels, count = label(mask)
    area = np.bincount(labels.ravel())[1:]
    for number, name in enumerate(SIZES):
        some = area[class_by_size(area) == number]
        assert totals.by_size[name].count == len(some)
        assert totals.by_size[name].area_m2 == pytest.approx(PIXEL_M2 * some.sum(), rel=1e-5)
    assert totals.count == count
    assert totals.area_m2 == pytest.approx(PIXEL_M2 * (mask == 1).sum(), rel=1e-5)


ON_GROUND = [
    *[("EPSG:3857", 142.0, 43.0), ("EPSG:3857", 20.0, 69.0), ("EPSG:32633", 25.0, 60.0)],
    *[("EPSG:3034", 10.0, 70.0), ("EPSG:3413", -45.0, 62.0)],
]


@pytest.mark.parametrize(("crs", "longitude", "latitude"), ON_GROUND)
def test_areas_and_size_classes_are_those_on_the_ground(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crs: str, longitude: float, latitude: float
) -> None:
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)
    grid = Grid(crs, round(x, 2), round(y, 2), 10.0, 60, 50)
    monkeypatch.setattr("tests.support.map_files.make_grid", lambda *_: grid)
    mask = np.zeros((60, 50), np.uint8)
    mask[5:45, 5:35] = 1  # 12 ha of the map: of the largest class only if the map is true to scale
    mask[50, 40:42], mask[58:] = 1, 255
    totals = outline(tmp_path, mask, np.where(mask == 1, 0.9, 0.1).astype(np.float32))
    table = gpd.read_file(tmp_path / "landslides.gpkg")
    geod = Geod(ellps="WGS84")
    turned = table.to_crs("EPSG:4326").geometry
    wanted = np.array([abs(geod.geometry_area_perimeter(shape)[0]) for shape in turned])
    np.testing.assert_allclose(table["area_m2"], wanted, rtol=0.002, atol=0.5)
    assert totals.area_m2 == pytest.approx(wanted.sum(), rel=0.002)
    assert (totals.mapped_m2 + totals.nodata_m2) / totals.area_m2 == pytest.approx(
        3000 / 1202, rel=0.002
    )
    sizes = [SIZES[number] for number in class_by_size(wanted / 100)]
    assert table["size_class"].tolist() == sizes


def test_a_landslide_pixel_without_probability_is_refused(tmp_path: Path) -> None:
    mask, probability = np.zeros((60, 50), np.uint8), np.full((60, 50), 0.5, np.float32)
    mask[33, 7], probability[33, 7] = 1, np.nan
    with pytest.raises(ValueError, match=r"the probability at row 33, column 7 has none"):
        outline(tmp_path, mask, probability)


def test_rasters_on_two_grids_are_refused(tmp_path: Path) -> None:
    one = write_map(tmp_path / "a", np.zeros((4, 4), np.uint8))
    other = write_map(tmp_path / "b", np.zeros((4, 5), np.uint8), probability=np.zeros((4, 5), np.float32))  # fmt: skip
    with pytest.raises(ValueError, match=r"on one grid, but probability.tif has shape \(4, 5\)"):
        write_polygons(tmp_path, one["mask"], other["probability"])


def test_a_probability_raster_is_refused_as_mask(tmp_path: Path) -> None:
    chance = np.full((4, 4), 0.5, np.float32)
    paths = write_map(tmp_path, np.zeros((4, 4), np.uint8), probability=chance)
    with pytest.raises(ValueError, match=r"must hold 0, 1 and nodata .*Pass the mask"):
        write_polygons(tmp_path, paths["probability"], paths["probability"])


@pytest.mark.parametrize("name", ["landslides.gpkg", "landslides.geojson"])
def test_existing_outlines_are_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match=rf"must not hold polygons yet, but .*{name} exists"):
        outline(tmp_path, np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32))
    assert (tmp_path / name).read_text() == "mine"


def test_a_full_disk_is_an_error_and_leaves_no_outlines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise pyogrio.errors.DataLayerError("disk I/O error")

    monkeypatch.setattr(gpd.GeoDataFrame, "to_file", fail)
    with pytest.raises(
        OSError, match=r"All 0 polygons .*, but got 'disk I/O error' for landslides\.gpkg"
    ):
        outline(tmp_path, np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.tif", "probability.tif"]
