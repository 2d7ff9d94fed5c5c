"""The area: four numbers or the polygons of a file, in longitude and latitude."""

import warnings
from pathlib import Path

import geopandas as gpd
import pytest
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from data.search.area import list_boxes, place_beside, read_area


def _write(file: Path, shapes: list[object], crs: str | None = "EPSG:4326") -> Path:
    with warnings.catch_warnings(action="ignore"):  # of a file without a coordinate system
        gpd.GeoDataFrame(geometry=shapes, crs=crs).to_file(file)
    return file


def test_box_is_the_polygon_of_its_numbers() -> None:
    assert read_area((141.5, 42.5, 142.1, 42.9), None).bounds == (141.5, 42.5, 142.1, 42.9)


def test_west_beyond_east_is_one_piece_across_the_antimeridian() -> None:
    area = read_area((179.5, -17, -179.5, -16), None)
    assert area.bounds == (179.5, -17, 180.5, -16)
    assert list_boxes(area) == [(179.5, -17, 180, -16), (-180, -17, -179.5, -16)]
    assert read_area((179.5, -17, 180.5, -16), None).equals(area)


def test_search_of_an_area_on_one_side_has_one_box() -> None:
    assert list_boxes(read_area((-180, 51, -179, 52), None)) == [(-180, 51, -179, 52)]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ((42.5, 141.5, 42.9, 142.1), "141.5 42.5 142.1 42.9"),  # S W N E
        ((141.5, 142.1, 42.5, 42.9), "141.5 42.5 142.1 42.9"),  # W E S N
        ((12, 44.3, 12.5, 44), "12 44 12.5 44.3"),  # W N E S
        ((12.5, 44, 12, 44.3), "12 44 12.5 44.3"),  # E S W N
    ],
)
def test_numbers_in_another_order_are_refused_with_the_order_that_was_meant(
    given: tuple[float, ...], meant: str
) -> None:
    with pytest.raises(
        ValueError, match=rf"--bbox must be W S E N .*Did you mean --bbox {meant}\?"
    ):
        read_area(given, None)


@pytest.mark.parametrize("given", [(0, 50, 1, 95), (-170, 0, 170, 1), (400, 10, 401, 11)])
def test_numbers_without_an_order_are_refused_with_the_rule(given: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"--bbox must be W S E N .*South must be less than north"):
        read_area(given, None)


@pytest.mark.parametrize("given", [(1, 2, 3), (0, 1, 2, float("nan"))])
def test_box_needs_four_numbers(given: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="Give four numbers"):
        read_area(given, None)


@pytest.mark.parametrize("given", [(20, 83.5, 21, 84.5), (20, -81, 21, -79)])
def test_pole_is_refused_by_name(given: tuple[float, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"between 80 S and 84 N, where UTM ends, but got .*--bbox"
    ):
        read_area(given, None)


def test_area_of_less_than_a_pixel_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"at least one pixel of 10 m, 100 m2, but got .* m2 in --bbox"
    ):
        read_area((142, 42, 142.00005, 42.00005), None)


def test_area_is_given_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="The area must be given once, but got neither"):
        read_area(None, None)
    with pytest.raises(ValueError, match="The area must be given once, but got both"):
        read_area((1, 2, 3, 4), tmp_path)


def test_all_polygons_of_a_file_are_one_area(tmp_path: Path) -> None:
    file = _write(tmp_path / "area.gpkg", [box(141, 42, 142, 43), box(141.5, 42, 143, 43)])
    assert read_area(None, file).equals(box(141, 42, 143, 43))


def test_projected_file_is_read_in_degrees(tmp_path: Path) -> None:
    file = _write(tmp_path / "area.shp", [box(6e5, 4.7e6, 6.1e5, 4.71e6)], "EPSG:32654")
    west, south, east, north = read_area(None, file).bounds
    assert 142.2 < west < east < 142.4
    assert 42.4 < south < north < 42.6


def test_polygon_that_crosses_itself_is_mended(tmp_path: Path) -> None:
    bow = Polygon([(0, 40), (1, 41), (1, 40), (0, 41)])
    assert read_area(None, _write(tmp_path / "bow.geojson", [bow])).area == pytest.approx(0.5)


def test_file_cut_at_the_antimeridian_is_joined(tmp_path: Path) -> None:
    cut = MultiPolygon([box(179, -17, 180, -16), box(-180, -17, -179.5, -16)])
    area = read_area(None, _write(tmp_path / "fiji.geojson", [cut]))
    assert area.bounds == (179, -17, 180.5, -16)
    assert area.geom_type == "Polygon"


def test_file_without_coordinate_system_is_refused(tmp_path: Path) -> None:
    file = _write(tmp_path / "area.shp", [box(0, 40, 1, 41)], None)
    with pytest.raises(
        ValueError, match=r"must have a coordinate system, but got none in .*area\.shp"
    ):
        read_area(None, file)


@pytest.mark.parametrize(
    ("shapes", "got"),
    [([Point(1, 2)], "Point"), ([box(0, 40, 1, 41), LineString([(0, 0), (1, 1)])], "LineString")],
)
def test_file_with_other_shapes_is_refused(tmp_path: Path, shapes: list[object], got: str) -> None:
    with pytest.raises(ValueError, match=f"must have polygons only, but got {got}"):
        read_area(None, _write(tmp_path / "area.geojson", shapes))


def test_empty_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "area.geojson"
    file.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(ValueError, match=r"must have (polygons only|one layer), but got no"):
        read_area(None, file)


def test_several_layers_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "area.gpkg"
    for layer in ("first", "second"):
        gpd.GeoDataFrame(geometry=[box(0, 40, 1, 41)], crs=4326).to_file(file, layer=layer)
    with pytest.raises(ValueError, match="must have one layer, but got first, second"):
        read_area(None, file)


def test_file_that_is_no_vector_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "area.geojson"
    file.write_text("no vector file")
    with pytest.raises(ValueError, match="--aoi must be a vector file that GDAL reads"):
        read_area(None, file)
    with pytest.raises(FileNotFoundError, match="--aoi must be a file, but got none at"):
        read_area(None, tmp_path / "missing.gpkg")


@pytest.mark.parametrize(
    "footprint",
    [
        MultiPolygon([box(178, -18, 180, -15), box(-180, -18, -178, -15)]),  # RFC 7946
        box(178, -18, 182, -15),
        box(-182, -18, -178, -15),
        Polygon([(178, -18), (-178, -18), (-178, -15), (178, -15)]),  # jumps
    ],
)
def test_footprint_across_the_antimeridian_lies_beside_the_area(footprint: object) -> None:
    area = read_area((179.5, -17, -179.5, -16), None)
    placed = place_beside(footprint, area)  # type: ignore[arg-type]
    assert placed.bounds == (178, -18, 182, -15)
    assert placed.covers(area)


def test_footprint_on_the_far_side_of_the_antimeridian_is_moved_beside_the_area() -> None:
    area = read_area((179.5, -17, -179.5, -16), None)
    placed = place_beside(box(-179.8, -18, -178, -15), area)
    assert placed.bounds == pytest.approx((180.2, -18, 182, -15))
