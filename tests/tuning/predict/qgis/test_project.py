"""A map's project opens in QGIS with all layers of the folder, wherever it is moved."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from data.scene.georeference import Grid
from tests.support.map_files import make_coverage, make_grid, write_map
from tests.support.qgis_maps import open_in_qgis
from tuning.predict.landslides.evidence import Evidence
from tuning.predict.landslides.polygons import write_polygons
from tuning.predict.picture.preview import read_preview
from tuning.predict.picture.relief import write_relief
from tuning.predict.qgis.project import PROJECT, describe_system, write_project

SIZE = (60, 80)
TITLE = 'Landslides, <b>"model" & co\x00 $x$ version 1'
UNCODED = 'PROJCS["made up",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",140.5],PARAMETER["scale_factor",1],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1]]'


def make_map(folder: Path, *, spread: bool = False, landslides: bool = True) -> Path:
    """Write a map's folder with its project."""
    mask = np.zeros(SIZE, np.uint8)
    mask[10:20, 10:30], mask[30:36, 50:60], mask[:5] = int(landslides), int(landslides), 255
    probability = np.where(mask == 1, 0.8, 0.1).astype(np.float32)
    probability[mask == 255] = np.nan
    change = np.random.default_rng(0).normal(0, 1, (2, *SIZE)).astype(np.float32)
    layers = {"probability": probability, "change": change, "coverage": make_coverage(mask)}
    layers |= {"spread": probability / 8} if spread else {}
    paths = write_map(folder, mask, **layers)
    evidence = Evidence(0.4, paths["change"])
    write_polygons(
        folder, paths["mask"], paths["probability"], paths.get("spread"), evidence=evidence
    )
    preview = read_preview(paths["probability"], paths["mask"], coverage=paths["coverage"])
    write_relief(folder / "relief.tif", preview, heights=False, tags={"made_from": "synthetic"})
    write_project(
        *(folder, make_grid(*SIZE)),
        threshold=0.4,
        title=TITLE,
        remarks=["Model learnt on synthetic tiles; map made from a synthetic scene.", ""],
        orbits=["s1asc", "s1dsc"],
    )
    return folder


def read_project(folder: Path) -> ElementTree.Element:
    with zipfile.ZipFile(folder / PROJECT) as archive:
        assert archive.namelist() == ["map.qgs"]
        return ElementTree.fromstring(archive.read("map.qgs"))  # noqa: S314 - our own


def test_a_project_lists_the_folder_s_files_by_relative_paths(tmp_path: Path) -> None:
    root = read_project(make_map(tmp_path / "map"))
    sources = [str(one.text) for one in root.iterfind("projectlayers/maplayer/datasource")]
    files = ["landslides.gpkg|layername=landslides", "probability.tif", "mask.tif", "coverage.tif"]
    files += ["change.tif", "change.tif", "relief.tif"]
    assert sources == [f"./{name}" for name in files]
    ids = [str(one.text) for one in root.iterfind("projectlayers/maplayer/id")]
    assert len(set(ids)) == len(ids)
    group = root.find("layer-tree-group/layer-tree-group")
    assert group is not None
    assert [one.get("id") for one in group.iterfind("layer-tree-layer")] == ids
    shown = [one.get("id") for one in group.iterfind("layer-tree-layer[@checked='Qt::Checked']")]
    assert shown == [ids[0], ids[1], ids[-1]]
    bands = [one.get("band") for one in root.iterfind("projectlayers/maplayer/pipe/rasterrenderer")]
    assert bands == ["1", "1", "2", "1", "2", "1"]


def test_a_project_has_title_marks_system_and_extent(tmp_path: Path) -> None:
    root = read_project(make_map(tmp_path / "map"))
    title = TITLE.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    assert root.findtext("title") == root.findtext("projectMetadata/title") == title
    assert "synthetic scene" in str(root.findtext("projectMetadata/abstract"))
    assert root.findtext("projectCrs/spatialrefsys/authid") == "EPSG:32654"
    view = root.find("ProjectViewSettings/DefaultViewExtent")
    assert view is not None
    west, south, east, north = (float(str(view.get(k))) for k in ("xmin", "ymin", "xmax", "ymax"))
    assert (west, south, east, north) == make_grid(*SIZE).frame.bounds


def test_a_project_of_the_same_map_is_the_same_file(tmp_path: Path) -> None:
    one, other = (make_map(tmp_path / name) / PROJECT for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()


def test_a_project_is_not_overwritten(tmp_path: Path) -> None:
    folder = make_map(tmp_path / "map")
    for style in folder.glob("*.qml"):
        style.unlink()
    with pytest.raises(FileExistsError):
        write_project(
            *(folder, make_grid(*SIZE)), threshold=0.4, title="", remarks=[], orbits=["s1asc"]
        )


@pytest.mark.parametrize("crs", ["EPSG:32719", "EPSG:3413", UNCODED])
def test_a_system_is_described_in_full(crs: str) -> None:
    found = describe_system(crs)
    assert found.wkt.startswith("PROJCRS[")
    assert found.proj4.startswith(f"+proj={found.acronym} ")
    assert found.authid == ("" if crs == UNCODED else crs)
    assert found.srid == crs.rpartition(":")[2] if found.authid else not found.srid


@pytest.mark.parametrize(("spread", "landslides"), [(True, True), (False, False)])
def test_qgis_opens_and_draws_the_project(tmp_path: Path, spread: bool, landslides: bool) -> None:
    folder = make_map(tmp_path / "map", spread=spread, landslides=landslides)
    found, _ = open_in_qgis(folder, tmp_path)
    assert found["problems"] == []
    assert found["crs"] == "EPSG:32654"
    names = {one["file"] for one in found["layers"]}
    assert ("spread.tif" in names) == spread
    by_file = {one["file"]: one for one in found["layers"]}
    assert (by_file["landslides.gpkg"]["drawn"] > 0) == landslides
    assert by_file["relief.tif"]["drawn"] > 0.8
    assert all(one["style"] for one in found["layers"] if one["file"] != "relief.tif")


def test_a_grid_of_a_system_without_a_code_is_drawn(tmp_path: Path) -> None:
    grid = Grid(UNCODED, 400_000.0, 4_738_560.0, 10.0, *SIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.support.map_files.make_grid", lambda *_: grid)
        patch.setitem(globals(), "make_grid", lambda *_: grid)
        folder = make_map(tmp_path / "map")
    found, _ = open_in_qgis(folder, tmp_path)
    assert found["problems"] == []
