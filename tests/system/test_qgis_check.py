"""The check of a map folder in QGIS: it finds what a user of the folder would stumble over."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
from pyproj import CRS
from rasterio.transform import from_origin
from shapely import box

from tests.support.qgis_maps import have_qgis, open_in_qgis

pytestmark = pytest.mark.skipif(not have_qgis(), reason="needs QGIS: apt-get install python3-qgis")

RASTER = """<pipe><rasterrenderer type="singlebandpseudocolor" band="1" opacity="1"
 classificationMin="0" classificationMax="1"><rastershader><colorrampshader colorRampType="INTERPOLATED">
<item value="0" color="#ffffff" alpha="255" label="0"/><item value="1" color="#aa0000" alpha="255" label="1"/>
</colorrampshader></rastershader></rasterrenderer></pipe>"""
VECTOR = """<renderer-v2 type="categorizedSymbol" attr="class" symbollevels="0">
<categories><category value="large" symbol="0" label="large" render="true"/></categories>
<symbols><symbol type="fill" name="0" alpha="1"><layer class="SimpleFill" enabled="1">
<prop k="color" v="255,0,0,255"/><prop k="style" v="solid"/></layer></symbol></symbols></renderer-v2>"""
WKT = CRS.from_epsg(32654).to_wkt()
ENABLED = "<SpatialRefSys><ProjectionsEnabled type='int'>1</ProjectionsEnabled></SpatialRefSys>"
SYSTEM = f"<spatialrefsys><wkt>{WKT}</wkt><authid>EPSG:32654</authid></spatialrefsys>"
STYLE = (
    "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n<qgis version='3.22.0'>{}</qgis>"
)


def make_folder(folder: Path, change: Callable[[str], str] = lambda text: text) -> Path:
    """Make a folder with a raster, polygons, their styles and a project whose text may be changed."""
    folder.mkdir()
    place = {"crs": "EPSG:32654", "transform": from_origin(570_000, 4_730_000, 10, 10)}
    size = {"width": 40, "height": 30, "count": 1, "dtype": "float32"}
    with rasterio.open(folder / "probability.tif", "w", "GTiff", **place, **size) as raster:
        raster.write(np.linspace(0, 1, 1200, dtype=np.float32).reshape(1, 30, 40))
    shapes = [box(570_100, 4_729_800, 570_200, 4_729_900)]
    table = geopandas.GeoDataFrame({"class": ["large"]}, geometry=shapes, crs="EPSG:32654")
    table.to_file(folder / "landslides.gpkg")
    (folder / "probability.qml").write_text(STYLE.format(RASTER))
    (folder / "landslides.qml").write_text(STYLE.format(VECTOR))
    layers = {
        "landslides": ("./landslides.gpkg|layername=landslides", "ogr", "vector", VECTOR),
        "probability": ("./probability.tif", "gdal", "raster", RASTER),
    }
    tree = "".join(f'<layer-tree-layer id="{key}_layer" checked="Qt::Checked"/>' for key in layers)
    tags = "".join(
        f'<maplayer type="{kind}"><id>{key}_layer</id><datasource>{source}</datasource>'
        f"<layername>{key}</layername><srs>{SYSTEM}</srs><provider>{provider}</provider>{style}</maplayer>"
        for key, (source, provider, kind, style) in layers.items()
    )
    text = (
        f'<qgis version="3.22.0" projectname=""><projectCrs>{SYSTEM}</projectCrs><layer-tree-group>{tree}'
        f"</layer-tree-group><projectlayers>{tags}</projectlayers><properties>{ENABLED}</properties></qgis>"
    )
    with zipfile.ZipFile(folder / "map.qgz", "w") as archive:
        archive.writestr("map.qgs", change(text))
    return folder


def find_problems(folder: Path, scratch: Path) -> list[str]:
    found: dict[str, Any] = open_in_qgis(folder, scratch)[0]
    json.dumps(found)
    return found["problems"]


def test_good_folder_opens_in_qgis_wherever_it_is_moved(tmp_path: Path) -> None:
    found, picture = open_in_qgis(make_folder(tmp_path / "map"), tmp_path)
    assert found["problems"] == []
    assert found["crs"] == "EPSG:32654"
    landslides, probability = found["layers"]
    assert (landslides["name"], landslides["style"]) == ("landslides", "landslides.qml")
    assert landslides["legend"] == ["categorizedSymbol", "#ffff0000 large"]
    assert landslides["drawn"] > 0
    assert 0.8 < probability["drawn"] < 1  # its own extent, and a margin
    with rasterio.open(picture) as image:
        alpha = image.read(4)
    assert alpha.any()
    assert not alpha.all()


def test_a_file_named_by_its_old_place_is_found_out(tmp_path: Path) -> None:
    folder = tmp_path / "map"
    make_folder(folder, lambda text: text.replace("./probability", f"{folder}/probability"))
    assert any("probability: not valid" in one for one in find_problems(folder, tmp_path))


def test_a_file_outside_the_folder_is_found_out(tmp_path: Path) -> None:
    other = make_folder(tmp_path / "other")
    folder = make_folder(
        tmp_path / "map", lambda text: text.replace("./probability", f"{other}/probability")
    )
    wrong = find_problems(folder, tmp_path)
    assert any("its file is not in the project's folder" in one for one in wrong)


def test_a_style_of_a_column_that_does_not_exist_is_found_out(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "map")
    style = folder / "landslides.qml"
    style.write_text(style.read_text().replace('attr="class"', 'attr="size"'))
    wrong = find_problems(folder, tmp_path)
    assert "landslides: by landslides.qml, the column 'size' does not exist" in wrong


def test_a_style_unlike_the_project_s_is_found_out(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "map")
    style = folder / "probability.qml"
    style.write_text(style.read_text().replace("#aa0000", "#00aa00"))
    wrong = find_problems(folder, tmp_path)
    assert any("#ffaa0000 1" in one and "#ff00aa00 1" in one for one in wrong)


def test_a_style_that_is_no_xml_is_found_out(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "map")
    (folder / "probability.qml").write_text("<qgis")
    wrong = find_problems(folder, tmp_path)
    assert any("probability.qml cannot be read" in one for one in wrong)


def test_a_layer_missing_from_the_tree_is_found_out(tmp_path: Path) -> None:
    layer = '<layer-tree-layer id="landslides_layer" checked="Qt::Checked"/>'
    folder = make_folder(tmp_path / "map", lambda text: text.replace(layer, ""))
    assert "landslides: not in the layer tree" in find_problems(folder, tmp_path)


def test_a_coordinate_system_without_a_definition_is_found_out(tmp_path: Path) -> None:
    change = f"<projectCrs>{SYSTEM}</projectCrs>"
    folder = make_folder(tmp_path / "map", lambda text: text.replace(change, ""))
    wrong = find_problems(folder, tmp_path)
    assert "the project has no coordinate system" in wrong


def test_a_project_that_is_no_zip_file_is_found_out(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "map")
    (folder / "map.qgz").write_text("no project")
    assert any(one.startswith("map.qgz") for one in find_problems(folder, tmp_path))
