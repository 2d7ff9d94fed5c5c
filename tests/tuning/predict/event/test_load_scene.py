"""The scene of a map's place and time: nothing is loaded that no model could map, and nothing twice."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.loopback_catalogue import LoopbackCatalogue
from tests.support.loopback_scenes import list_words
from tests.support.registered_models import register_network
from tuning.predict.__main__ import main

NAME = "hokkaido-unet"
BOTH = ["s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH"]
Call = Callable[..., int]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return register_network(tmp_path_factory.mktemp("mlruns"), NAME, channels=BOTH, steps="event")


@pytest.fixture
def call(catalogue: LoopbackCatalogue, root: Path, tmp_path: Path) -> Call:
    """Run the command of the page on maps for the simulated place, with three acquisitions before the event and two after it."""

    def run(*words: str, model: str = NAME) -> int:
        request = list_words(catalogue, Path("unused"))[1:-2]
        own = ["--model", model, "--root", str(root), *request, "--before", "3", "--after", "2"]
        return main([*own, *words])

    return run


def count_assets(catalogue: LoopbackCatalogue) -> int:
    return sum("/assets/" in asked.path for asked in catalogue.server.log)


def test_the_page_on_maps_shows_this_command() -> None:
    text = (Path(__file__).parents[4] / "docs" / "maps.md").read_text(encoding="utf-8")
    [line] = [one for one in text.splitlines() if "tuning.predict" in one and "--bbox" in one]
    words = {word for word in shlex.split(line) if word.startswith("--")}
    assert words == {"--model", "--event", "--bbox", "--out"}


@pytest.mark.parametrize(
    ("model", "message"),
    [("nosuch", "Unknown registered model 'nosuch'"), (f"{NAME}@nosuch", "Unknown alias 'nosuch'")],
)
def test_without_a_model_nothing_is_loaded(
    call: Call,
    catalogue: LoopbackCatalogue,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    message: str,
) -> None:
    assert call("--out", str(tmp_path / "map"), model=model) == 1
    assert message in capsys.readouterr().err
    assert count_assets(catalogue) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_the_model_does_not_find_is_named_before_anything_is_loaded(
    call: Call, catalogue: LoopbackCatalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlruns").mkdir()
    optical = register_network(tmp_path / "mlruns", NAME, channels=["s2:B04", "s2:B08"])
    out = tmp_path / "map"
    assert call("--root", str(optical), "--out", str(out)) == 1
    assert "The model reads s2, but stac has no s2 of this place" in capsys.readouterr().err
    assert count_assets(catalogue) == 0
    assert not out.exists()


def test_a_scene_serves_other_maps_of_the_same_place_and_time(
    call: Call, catalogue: LoopbackCatalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = ("--scene", str(tmp_path / "noto.zarr"))
    assert call("--out", str(tmp_path / "one"), *scene, "--no-false-alarms") == 0
    loaded = json.loads((tmp_path / "one" / "summary.json").read_text())["scene"]
    assert loaded["source"] == "stac"
    assert {orbit: len(times) for orbit, times in loaded["acquisitions"].items()} == {
        "s1asc": 5,
        "s1dsc": 5,
    }
    assert count_assets(catalogue) > 0
    catalogue.calm()
    assert call("--out", str(tmp_path / "two"), *scene, "--threshold", "0.5") == 0
    assert count_assets(catalogue) == 0
    again = json.loads((tmp_path / "two" / "summary.json").read_text())
    assert again["scene"]["acquisitions"] == loaded["acquisitions"]
    assert again["placebo"]["alarms_per_km2"] >= 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["noto.zarr", "one", "two"]
    capsys.readouterr()
    assert call("--out", str(tmp_path / "three"), *scene, "--after", "1") != 0
    assert "noto.zarr" in capsys.readouterr().err
    assert not (tmp_path / "three").exists()
