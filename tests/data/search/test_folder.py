"""Folders: a static STAC catalogue, and downloaded products of OPERA and HyP3."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from rasterio import Affine
from shapely.geometry import box

from data.search import folder
from data.search.connection import SourceError
from data.search.folder import FolderSource
from data.search.items import find_problem
from tests.support.stac_items import make_heights_item, make_rtc_item

AREA = box(142.3, 42.4, 142.5, 42.6)
START, END = datetime(2018, 8, 1, tzinfo=UTC), datetime(2018, 10, 1, tzinfo=UTC)
OPERA = "OPERA_L2_RTC-S1_T068-145234-IW2_20180906T083510Z_20240106T035531Z_S1A_30_v1.0"
HYP3 = "S1A_IW_20180906T083510_DVP_RTC10_G_gpuned_B8D9"
GRANULE = "S1A_IW_GRDH_1SDV_20180906T083510_20180906T083535_023570_02911E_CF51"


def _write(file: Path, values: np.ndarray | None = None, **tags: str) -> Path:
    """Write 40 x 40 km of UTM zone 54 N, of 400 x 400 px."""
    values = np.full((400, 400), 0.1, np.float32) if values is None else values
    options = {"count": 1, "height": 400, "width": 400, "dtype": "float32", "nodata": float("nan")}
    place = {"crs": "EPSG:32654", "transform": Affine(100, 0, 590_000, 0, -100, 4_730_000)}
    file.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(file, "w", driver="GTiff", **options, **place) as raster:
        raster.write(values, 1)
        raster.update_tags(**tags)
    return file


def _write_opera(root: Path, **tags: str) -> None:
    for layer in ("VV", "VH", "mask"):
        _write(root / OPERA / f"{OPERA}_{layer}.tif", **tags)


def _search(root: Path) -> list[pystac.Item]:
    return list(FolderSource(root).search(AREA, START, END))


def test_products_of_opera_are_found_by_their_names(tmp_path: Path) -> None:
    _write_opera(tmp_path, ORBIT_PASS_DIRECTION="ascending")
    (item,) = _search(tmp_path)
    assert item.id == OPERA
    assert find_problem(item) is None
    assert item.properties["sat:relative_orbit"] == 68
    assert item.properties["sat:orbit_state"] == "ascending"
    assert item.assets["VH"].href == str(tmp_path / OPERA / f"{OPERA}_VH.tif")
    assert item.properties["proj:code"] == "EPSG:32654"


def test_tag_decides_the_direction(tmp_path: Path) -> None:
    _write_opera(tmp_path, ORBIT_PASS_DIRECTION="DESCENDING")
    assert _search(tmp_path)[0].properties["sat:orbit_state"] == "descending"


def test_footprint_is_where_the_pixels_have_data(tmp_path: Path) -> None:
    values = np.full((400, 400), 0.1, np.float32)
    values[:, 200:] = np.nan
    for layer in ("VV", "VH"):
        _write(tmp_path / f"{OPERA}_{layer}.tif", values)
    (item,) = _search(tmp_path)
    whole = _write(tmp_path / "other" / f"{OPERA}_VV.tif")
    with rasterio.open(whole) as raster:
        west, _, east, _ = rasterio.warp.transform_bounds(raster.crs, "EPSG:4326", *raster.bounds)
    assert item.bbox is not None
    assert item.bbox[0] == pytest.approx(west, abs=0.01)
    assert item.bbox[2] == pytest.approx((west + east) / 2, abs=0.01)


def test_product_without_any_data_is_beside_every_area(tmp_path: Path) -> None:
    for layer in ("VV", "VH"):
        _write(tmp_path / f"{OPERA}_{layer}.tif", np.full((400, 400), np.nan, np.float32))
    assert _search(tmp_path) == []


def test_tag_with_the_footprint_is_taken(tmp_path: Path) -> None:
    _write_opera(tmp_path, BOUNDING_POLYGON=box(142.2, 42.3, 142.6, 42.7).wkt)
    assert _search(tmp_path)[0].bbox == [142.2, 42.3, 142.6, 42.7]


def test_hyp3_names_its_track_in_the_note_beside_it(tmp_path: Path) -> None:
    for layer in ("VV", "VH"):
        _write(tmp_path / HYP3 / f"{HYP3}_{layer}.tif")
    (tmp_path / HYP3 / f"{HYP3}.README.md.txt").write_text(f"The source granule: {GRANULE}\n")
    (item,) = _search(tmp_path)
    assert find_problem(item) is None
    assert item.properties["sat:relative_orbit"] == (23570 - 73) % 175 + 1
    assert item.properties["sat:orbit_state"] == "ascending"  # from the local time


def test_hyp3_without_its_note_has_no_track(tmp_path: Path) -> None:
    for layer in ("VV", "VH"):
        _write(tmp_path / f"{HYP3}_{layer}.tif")
    assert find_problem(_search(tmp_path)[0]) == "of an unknown track"


@pytest.mark.parametrize("quantity", ["sp", "gd", "ga"])
def test_other_quantities_than_gamma_nought_in_power_are_a_problem(
    tmp_path: Path, quantity: str
) -> None:
    name = HYP3.replace("gpuned", f"{quantity}uned")
    _write(tmp_path / f"{name}_VV.tif")
    (item,) = _search(tmp_path)
    assert find_problem(item) == "not gamma nought in linear power"


def test_times_outside_the_window_are_left(tmp_path: Path) -> None:
    _write_opera(tmp_path)
    assert list(FolderSource(tmp_path).search(AREA, END, END)) == []


def test_heights_are_the_files_named_so(tmp_path: Path) -> None:
    _write_opera(tmp_path)
    _write(tmp_path / "heights_dem.tif")
    (item,) = FolderSource(tmp_path).search_heights(AREA)
    assert item.assets["DEM"].href == str(tmp_path / "heights_dem.tif")


def test_simulated_files_are_called_so(tmp_path: Path) -> None:
    _write_opera(tmp_path, synthetic="twin")
    assert _search(tmp_path)[0].properties["synthetic"] is True


def test_static_catalogue_is_walked(tmp_path: Path) -> None:
    catalogue = pystac.Catalog("catalogue", "test")
    frame = make_rtc_item("2018-09-06T08:35:10", (142, 42, 143, 43), hrefs={"vv": "./vv.tif"})
    late = make_rtc_item("2019-09-06T08:35:10", (142, 42, 143, 43))
    for one in (frame, late, make_heights_item(42, 142)):
        catalogue.add_item(pystac.Item.from_dict({**one, "collection": None}))
    catalogue.normalize_and_save(str(tmp_path), pystac.CatalogType.SELF_CONTAINED)
    (item,) = _search(tmp_path)
    assert item.id == frame["id"]
    assert find_problem(item) is None
    (heights,) = FolderSource(tmp_path).search_heights(AREA)
    assert list(heights.assets) == ["DEM"]
    source = FolderSource(tmp_path)
    assert (source.word, source.address) == ("folder", str(tmp_path))
    assert source.sign("a.tif") == "a.tif"
    assert source.environment() == {}


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"type": "Feature"}'])
def test_damaged_catalogue_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "catalog.json").write_text(content)
    with pytest.raises(SourceError, match=r"The catalogue must answer, but got: .*catalog\.json"):
        _search(tmp_path)


def test_catalogue_that_misses_an_item_is_an_error(tmp_path: Path) -> None:
    catalogue = pystac.Catalog("catalogue", "test").to_dict()
    catalogue["links"] = [{"rel": "item", "href": "./missing.json"}]
    (tmp_path / "catalog.json").write_text(json.dumps(catalogue))
    with pytest.raises(SourceError, match=r"missing\.json"):
        _search(tmp_path)


def test_folder_without_products_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("")
    with pytest.raises(
        ValueError, match=r"must have catalog\.json or GeoTIFFs, but got readme\.txt in"
    ):
        FolderSource(tmp_path)
    with pytest.raises(FileNotFoundError, match="must be a folder, but got none at"):
        FolderSource(tmp_path / "missing")


def test_file_that_is_no_geotiff_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{OPERA}_VV.tif").write_text("no GeoTIFF")
    with pytest.raises(
        ValueError, match=r"A product's GeoTIFF must be readable, but got .*_VV\.tif"
    ):
        _search(tmp_path)


def test_folder_with_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MAX_FILES", 2)
    _write_opera(tmp_path)
    with pytest.raises(ValueError, match="at most 2 GeoTIFFs, but got more"):
        FolderSource(tmp_path)
