"""From a place and a time to a map: the scene of a loopback catalogue, mapped with a registered network."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from tests.support.forked_commands import Server
from tests.support.loopback_catalogue import LoopbackCatalogue
from tests.support.loopback_scenes import list_words, open_orbit, run
from tests.support.qgis_maps import open_in_qgis
from tests.support.registered_models import register_network
from tuning.predict.__main__ import main

NAME = "noto-unet"
FEW = ("--before", "3", "--after", "2")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with one network, which reads heights too."""
    channels = ["s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH", "DEM"]
    return register_network(
        tmp_path_factory.mktemp("mlruns"), NAME, channels=channels, steps="event"
    )


@pytest.fixture(scope="module")
def scene(
    served: LoopbackCatalogue, scene_commands: Server, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The scene of the command alone."""
    served.calm()
    to = tmp_path_factory.mktemp("scenes") / "noto.zarr"
    answer = run(scene_commands, served, [*list_words(served, to), *FEW])
    assert answer.code == 0, answer.said
    return to


def map_words(root: Path, out: Path, *given: str) -> list[str]:
    model = f"models:/{NAME}@champion"
    return ["--model", model, *given, "--root", str(root), "--out", str(out)]


def request_words(catalogue: LoopbackCatalogue) -> list[str]:
    """Return place, time and source as words of a map's command."""
    words = list_words(catalogue, Path("unused"))[1:]
    return [*words[: words.index("--to")], *FEW]


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        band: np.ndarray = raster.read(1)
    return band


def test_scene_is_mapped_as_it_is(
    scene: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map"
    code = main(map_words(root, out, "--input", str(scene)))
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "scene: SYNTHETIC" in said.out
    dataset = open_orbit(scene, "s1asc")
    probability = read(out / "probability.tif")
    assert probability.shape == dataset["VV"].shape[1:]
    assert np.isfinite(probability).all()
    with rasterio.open(out / "mask.tif") as raster:
        assert raster.tags()["made_from"] == "synthetic"
        assert raster.transform.c == float(dataset["x"][0]) - 5
        assert raster.transform.f == float(dataset["y"][0]) + 5


@pytest.fixture(scope="module")
def at_once(
    served: LoopbackCatalogue, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The map of the command that searches, loads and maps."""
    served.calm()
    out = tmp_path_factory.mktemp("maps") / "map"
    assert main(map_words(root, out, *request_words(served))) == 0
    return out


@pytest.mark.slow
def test_one_command_from_an_event_to_a_map_equals_two(
    at_once: Path, scene: Path, root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "map"
    assert main(map_words(root, out, "--input", str(scene))) == 0
    for name in ("probability", "mask", "coverage", "change"):
        np.testing.assert_array_equal(read(at_once / f"{name}.tif"), read(out / f"{name}.tif"))
    one, two = (gpd.read_file(folder / "landslides.gpkg") for folder in (at_once, out))
    assert one.geometry.equals(two.geometry)
    summary = json.loads((at_once / "summary.json").read_text())
    assert summary["scene"]["source"] == "stac"
    assert summary["made_from"] == "synthetic"


@pytest.mark.slow
def test_map_of_an_event_opens_in_qgis_wherever_it_is_moved(at_once: Path, tmp_path: Path) -> None:
    found, picture = open_in_qgis(at_once, tmp_path)
    assert found["problems"] == []
    files = {layer["file"] for layer in found["layers"]}
    assert {"probability.tif", "mask.tif", "landslides.gpkg", "change.tif"} <= files
    assert found["crs"] == "EPSG:32653"
    drawn = {layer["file"]: layer["drawn"] for layer in found["layers"]}
    assert drawn["probability.tif"] > 0
    with rasterio.open(picture) as image:
        assert len(np.unique(image.read()[:3].reshape(3, -1), axis=1).T) > 20


def test_future_event_leaves_nothing_behind(
    served: LoopbackCatalogue,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served.calm()
    out = tmp_path / "map"
    words = request_words(served)
    words[words.index("--event") + 1] = "2031-01-01"
    assert main(map_words(root, out, *words)) != 0
    assert "The event must lie in the past" in capsys.readouterr().err
    assert not out.exists()
    assert list(tmp_path.iterdir()) == []
