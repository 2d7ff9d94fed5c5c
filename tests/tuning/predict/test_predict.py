"""The command from a registered model to a map, and its error messages."""

import json
import math
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import mlflow
import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import torch
import xarray as xr
from mlflow.tracking import MlflowClient

from data.tiles import ORBITS, open_tile, tile_path
from tests.support.cube_files import TIMES, change_all, make_groups, write_netcdf, write_zarr
from tests.support.geotiff_files import write_folder
from tests.support.producer_cubes import write_stackstac
from tests.support.served_fixtures import write_checkpoint
from tests.support.tile_files import EVENT
from tuning.predict.__main__ import main
from tuning.predict.ensemble import load_members
from tuning.registry.aliases import CHAMPION
from tuning.tracking.client import connect
from tuning.tracking.log_model import log_model
from tuning.tracking.model_digest import fetch_registered
from tuning.trial.folder import TrialFolder

pytestmark = pytest.mark.file_s(140)

NAME = "hokkaido-unet"
FILES = {"probability.tif", "mask.tif", "coverage.tif", "landslides.gpkg", "landslides.geojson"}
FILES |= {"quicklook.png", "change.tif", "relief.tif", "map.qgz", "map.html"}
FILES |= {f"{name}.qml" for name in ("landslides", "probability", "mask", "change", "coverage")}


def log_seed(client: MlflowClient, experiment: str, folder: Path, seed: int) -> tuple[str, str]:
    """Log the model of one seed as a campaign does; return run and URI."""
    tags = {"kind": "trial", "stage": "repeat", "campaign": "first", "study": "unet"}
    run = client.create_run(experiment, tags=tags | {"fold": "blocks", "seed": str(seed)})
    folder.mkdir()
    trial_folder = write_checkpoint(folder)
    saved = torch.load(trial_folder.best)
    noise = torch.Generator().manual_seed(seed)
    for name, weights in saved["model"].items():
        if name.endswith("weight"):
            weights += 0.02 * torch.randn(weights.shape, generator=noise)
    torch.save(saved | {"threshold": 0.4 + 0.01 * (seed % 10)}, trial_folder.best)
    facts = {"data": "synthetic", "campaign": "first"}
    uri = log_model(client, experiment, run.info.run_id, TrialFolder(folder), facts, {})
    client.set_tag(run.info.run_id, "model_uri", uri)
    return run.info.run_id, uri


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with one version, the champion, whose study has seeds 42 and 123."""
    root = tmp_path_factory.mktemp("mlruns")
    client, experiment = connect(root)
    runs = [log_seed(client, experiment, root / str(seed), seed) for seed in (42, 123)]
    client.create_registered_model(NAME)
    run_id, uri = runs[0]
    model_id = uri.removeprefix("models:/")
    client.create_model_version(NAME, uri, run_id, tags={"gate": "passed"}, model_id=model_id)
    client.set_registered_model_alias(NAME, CHAMPION, "1")
    return root


Run = Callable[..., int]


@pytest.fixture
def run(root: Path, quad: Path, tmp_path: Path) -> Run:
    """Run the command, by default with the champion on the four tiles."""

    def call(*words: str, model: str = f"models:/{NAME}@{CHAMPION}", given: Path = quad) -> int:
        return main(
            [
                *("--model", model, "--input", str(given), "--root", str(root)),
                *("--out", str(tmp_path / "map"), *words),
            ]
        )

    return call


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        band: np.ndarray = raster.read(1)
    return band


def test_a_map_has_its_tiles_coordinates(run: Run, quad: Path, tmp_path: Path) -> None:
    assert run() == 0
    folder = tmp_path / "map"
    assert {file.name for file in folder.iterdir()} == FILES | {"summary.json"}
    tile = open_tile(tile_path(quad, "hokkaido_579", "s1asc"))
    for name, nodata in (("probability", math.nan), ("mask", 255)):
        with rasterio.open(folder / f"{name}.tif") as raster:
            assert raster.crs == "EPSG:32654"
            assert raster.transform @ (0, 0) == (tile.x[0], tile.y[0])  # no half pixel
            assert raster.transform @ (1, 1) == (tile.x[1], tile.y[1])
            assert raster.shape == (256, 256)
            assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert raster.tags(ns="IMAGE_STRUCTURE")["COMPRESSION"] == "DEFLATE"
            assert raster.nodata == nodata or math.isnan(raster.nodata) == math.isnan(nodata)
            origins = {name: raster.tags()[name] for name in ("learnt_on", "made_from")}
            assert origins == dict.fromkeys(origins, "synthetic")


def test_what_the_model_learnt_on_and_what_the_map_was_made_from_are_two_facts(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model learnt on the twin; the cube has no mark of the twin."""
    cube = write_netcdf(make_groups(64, 64), tmp_path / "scene.nc")
    assert run(given=cube) == 0
    output = capsys.readouterr().out
    assert "Model learnt on: SYNTHETIC (the twin's) tiles; scene: real, " in output
    assert "Nothing is known of what the model learnt from" in output
    folder = tmp_path / "map"
    facts = {"learnt_on": "synthetic", "made_from": "real"}
    summary = json.loads((folder / "summary.json").read_text())
    assert {name: summary[name] for name in facts} == facts
    assert summary["differs_from_training"] is None
    with rasterio.open(folder / "mask.tif") as raster:
        assert {name: raster.tags()[name] for name in facts} == facts
    text = "Model learnt on synthetic tiles; map made from a real scene"
    about = pyogrio.read_info(folder / "landslides.gpkg", layer="landslides")["layer_metadata"]
    metadata = {name.lower(): value for name, value in about.items()}
    assert metadata | facts == metadata
    assert metadata["description"] == text
    assert json.loads((folder / "landslides.geojson").read_text())["description"] == text


def test_a_scene_that_differs_is_mapped_with_its_differences_or_refused(
    run: Run, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, _ = connect(root)
    with fetch_registered(client, f"models:/{NAME}/1") as fetched:
        model = shutil.copytree(fetched, tmp_path / "model")
    facts = model / "artifacts" / "facts.json"
    profile = {
        **{name: {} for name in ("dates", "tracks", "spacing_days", "ranges")},
        "regions": {"noto": 40},
        "events": {"noto": "2018-10-01T07:10:00"},
        "areas": {"noto": [136.9, 37.2, 137.3, 37.5]},
    }
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"profile": profile}))
    groups = change_all(make_groups(64, 64), lambda d: d.assign_attrs(event_date=""))
    cube = write_netcdf(groups, tmp_path / "scene.nc")
    assert run("--strict", model=str(model), given=cube) == 1
    error = capsys.readouterr().err
    assert "With --strict a scene must be like the train tiles, but got Model learnt on" in error
    assert run(model=str(model), given=cube) == 0
    summary = json.loads((tmp_path / "map" / "summary.json").read_text())
    assert summary["event"] == "2018-10-01T07:10:00"
    first, second = summary["differs_from_training"]
    assert first == "Model learnt on synthetic tiles, scene is real."
    assert re.fullmatch(r"The scene is 7\d\d km from the nearest train tiles, of noto\.", second)
    output = capsys.readouterr().out
    assert second in output
    assert "that of noto is used (2018-10-01T07:10:00)" in output


def test_geotiffs_of_30_m_become_a_map_of_10_m(run: Run, tmp_path: Path) -> None:
    folder = write_folder(make_groups(30, 40, TIMES[::4]), tmp_path / "tifs", step=30)
    words = ("--pattern", "{modality}/S1_{date}_x_{band}.tif")
    assert run(*words, given=folder) == 1
    assert run("--resample", *words, given=folder) == 0
    with rasterio.open(tmp_path / "map" / "probability.tif") as raster:
        assert (raster.shape, raster.res) == ((90, 120), (10, 10))
    notes = json.loads((tmp_path / "map" / "summary.json").read_text())["notes"]
    assert "s1asc was resampled from 30 m to 10 m, in EPSG:32654." in notes


def test_a_cube_of_another_producer_becomes_a_map(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = make_groups(32, 32, TIMES[::4])
    assert run("--orbit", "s1asc") == 1
    assert "--orbit is for datacubes, but got another input" in capsys.readouterr().err
    cube = write_stackstac(groups, tmp_path / "cube.zarr")
    event = ("--event", "2018-09-05")
    assert run(*event, "--orbit", "s1asc", given=cube) == 1
    assert "got both orbits by sat:orbit_state" in capsys.readouterr().err
    assert run(*event, given=cube) == 0
    assert "The orbit is s1asc and s1dsc by sat:orbit_state." in capsys.readouterr().out


def list_blocks(language: str) -> list[str]:
    """List the code blocks of docs/maps.md."""
    text = (Path(__file__).parents[3] / "docs" / "maps.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


COMMANDS = [
    line
    for block in list_blocks("bash")
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip() and "--bbox" not in line  # event/test_load_scene.py runs that one
]


@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_every_command_of_the_page_on_maps_makes_a_map(
    root: Path, quad: Path, tmp_path: Path, number: int
) -> None:
    """Words in capitals stand for the reader's own files."""
    python, option, module, *words = shlex.split(COMMANDS[number])
    assert (python, option, module) == ("python", "-m", "tuning.predict")
    inputs = {
        "TILES_OR_FILE": lambda: tile_path(quad, "hokkaido_579", "s1asc"),
        "GEOTIFFS": lambda: write_folder(make_groups(32, 32, TIMES[::4]), tmp_path / "tifs"),
        "SCENE_30_M": lambda: write_folder(
            make_groups(16, 16, TIMES[::4]), tmp_path / "tifs", step=30
        ),
    }
    given = words[words.index("--input") + 1]
    out = str(tmp_path / "map")
    replaced = {given: str(inputs[given]()), "DIR": out, "OTHER_DIR": out}
    assert main([*(replaced.get(word, word) for word in words), "--root", str(root)]) == 0
    product = "placebo.json" if "--placebo" in words else "landslides.gpkg"
    assert (tmp_path / "map" / product).is_file()


def test_the_datacube_of_the_page_on_maps_can_be_mapped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe runs as it stands, without dask, which alone can chunk."""

    def refuse(*_: object, **__: object) -> None:
        raise ImportError("dask")

    (recipe,) = list_blocks("python")
    monkeypatch.setattr(xr.Dataset, "chunk", refuse)
    monkeypatch.setattr(xr.DataArray, "chunk", refuse)
    groups = change_all(make_groups(40, 40, TIMES[::4]), lambda d: d.drop_attrs())
    monkeypatch.chdir(tmp_path)
    exec(recipe, {"ascending": groups["s1asc"], "descending": groups["s1dsc"]})  # noqa: S102
    assert run(given=tmp_path / "scene.zarr") == 0


def test_a_map_equals_the_logged_models_prediction(
    run: Run, root: Path, quad: Path, tmp_path: Path
) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{root / 'mlflow.db'}")
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHAMPION}")
    path = tile_path(quad, "hokkaido_618", "s1dsc")
    assert run(given=path) == 0
    probs = read(tmp_path / "map" / "probability.tif")
    np.testing.assert_allclose(probs, model.predict(str(path))[0], atol=1e-5)
    mask = model.predict(str(path), params={"mask": True})[0]
    assert (read(tmp_path / "map" / "mask.tif") != mask).mean() < 1e-3  # apart from rounding
    summary = json.loads((tmp_path / "map" / "summary.json").read_text())
    assert summary["threshold"] == pytest.approx(0.42)
    assert summary["mapped_km2"] == pytest.approx(1.6384, rel=1e-3)  # on the ground
    wanted = 100 * (read(tmp_path / "map" / "mask.tif") == 1).sum()
    assert summary["area_m2"] == pytest.approx(wanted, rel=1e-3)


def test_polygons_overlay_the_mask(run: Run, tmp_path: Path) -> None:
    assert run("--threshold", "0.5") == 0
    mask = read(tmp_path / "map" / "mask.tif")
    table = gpd.read_file(tmp_path / "map" / "landslides.gpkg")
    with rasterio.open(tmp_path / "map" / "mask.tif") as raster:
        again = rasterio.features.rasterize(
            table.geometry, out_shape=mask.shape, transform=raster.transform
        )
    np.testing.assert_array_equal(again, mask == 1)
    assert 0 < again.mean() < 1
    np.testing.assert_array_equal(mask == 1, read(tmp_path / "map" / "probability.tif") >= 0.5)
    summary = json.loads((tmp_path / "map" / "summary.json").read_text())
    assert summary["landslides"] == len(table) > 1


def test_an_area_without_images_after_the_event_is_not_shown_as_mapped(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = make_groups(64, 80)
    late = np.flatnonzero(TIMES > EVENT)
    for band in ("VV", "VH"):
        groups["s1dsc"][band][late, :, 40:] = np.nan
        groups["s1asc"][band][:, :16] = groups["s1dsc"][band][:, :16] = np.nan
    assert run(given=write_netcdf(groups, tmp_path / "scene.nc")) == 0
    folder = tmp_path / "map"
    summary = json.loads((folder / "summary.json").read_text())
    shares = {"mapped": 0.375, "too few acquisitions": 0.375, "no data at all": 0.25}
    assert summary["coverage"] == pytest.approx(shares, abs=1e-4)
    assert summary["nodata_share"] == pytest.approx(0.625, abs=1e-4)
    note = "The acquisition of s1dsc of 2018-10-31 has data on 38% of the scene, others of its orbit on up to 75%"
    assert any(note in one for one in summary["notes"])
    output = capsys.readouterr().out
    assert note in output
    assert "37.5% of the scene has too few acquisitions" in output
    with rasterio.open(folder / "coverage.tif") as raster:
        before, after = raster.read()
        assert raster.tags()["model"] == f"models:/{NAME}@{CHAMPION}"
    assert (before[:16] == 255).all()
    assert (before[16:] == 2).all()
    assert (after[16:, :40] == 2).all()
    assert (after[16:, 40:] == 0).all()
    nodata = read(folder / "mask.tif") == 255
    np.testing.assert_array_equal(nodata, (after == 0) | (after == 255))
    np.testing.assert_array_equal(nodata, np.isnan(read(folder / "probability.tif")))


def test_a_scene_without_any_pixel_before_and_after_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = make_groups(32, 32)
    late = np.flatnonzero(TIMES > EVENT)
    for band, half in (("VV", slice(16)), ("VH", slice(16, None))):  # both are needed
        groups["s1dsc"][band][late, half] = np.nan
    assert run(given=write_netcdf(groups, tmp_path / "scene.nc")) == 1
    assert "No pixel has backscatter before and after the event" in capsys.readouterr().err
    assert not (tmp_path / "map").exists()


def test_an_ensemble_is_all_seeds_of_the_study(
    run: Run, root: Path, quad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--ensemble", "--tta", given=tile_path(quad, "hokkaido_578", "s1asc")) == 0
    folder = tmp_path / "map"
    summary = json.loads((folder / "summary.json").read_text())
    assert len(set(summary["networks"])) == 2
    assert summary["flips"] is True
    assert summary["threshold"] == pytest.approx((0.42 + 0.43) / 2)
    with rasterio.open(folder / "spread.tif") as raster:
        assert "seeds" in raster.descriptions[0]
        assert 0 < raster.read(1).max() < 0.5
    assert "mean_spread" in gpd.read_file(folder / "landslides.gpkg")


def test_a_models_folder_needs_no_tracker(run: Run, root: Path, quad: Path, tmp_path: Path) -> None:
    client, _ = connect(root)
    with fetch_registered(client, f"models:/{NAME}/1") as fetched:
        copy = shutil.copytree(fetched, tmp_path / "model")
    path = tile_path(quad, "hokkaido_579", "s1asc")
    assert run("--root", str(tmp_path / "none"), model=str(copy), given=path) == 0
    assert read(tmp_path / "map" / "mask.tif").shape == (128, 128)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": ["s1asc:VX"]}, "Unknown channel 's1asc:VX'"),
        ({"timesteps": 16}, "timesteps must be a whole number from 1 to 15, but got 16"),
        ({"steps": "odd"}, "Unknown steps 'odd'"),
        ({"profile": {"dates": 3}}, "In a model's facts a training profile must have regions"),
        ({"threshold": 2}, r"A threshold must be in \[0, 1\], but got 2"),
        (None, "A model's folder must hold artifacts/facts.json"),
    ],
)
def test_a_corrupted_models_folder_is_refused(
    root: Path, tmp_path: Path, changes: dict[str, object] | None, message: str
) -> None:
    client, _ = connect(root)
    with fetch_registered(client, f"models:/{NAME}/1") as fetched:
        folder = shutil.copytree(fetched, tmp_path / "model")
    facts = folder / "artifacts" / "facts.json"
    content = json.loads(facts.read_text())
    facts.unlink()
    if changes is not None:
        facts.write_text(json.dumps(content | changes))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_members(str(folder), root)


def test_an_ensemble_needs_a_study_of_several_seeds(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="An ensemble needs a study in MLflow, but got the folder"):
        load_members(str(tmp_path), root, ensemble=True)
    client, experiment = connect(tmp_path / "other")
    run_id, uri = log_seed(client, experiment, tmp_path / "seed", 42)
    with pytest.raises(
        ValueError, match=r"An ensemble needs two seeds or more, but the study of .* has 1"
    ):
        load_members(uri, tmp_path / "other", ensemble=True)
    client.set_tag(run_id, "seed", "x")
    with pytest.raises(ValueError, match="The tag seed must be a whole number, but got 'x' in run"):
        load_members(uri, tmp_path / "other", ensemble=True)


def test_a_datacube_becomes_a_map_of_its_size(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = change_all(make_groups(90, 150), lambda d: d.drop_vars("DEM"))
    cube = write_netcdf(groups, tmp_path / "scene.nc")
    assert run("--window", "64", "--overlap", "16", given=cube) == 0
    assert read(tmp_path / "map" / "probability.tif").shape == (90, 150)
    output = capsys.readouterr().out
    assert "Of 15 acquisitions of s1asc: 2018-03-29, 2018-07-27, 2018-10-31, 2019-02-28." in output
    assert "landslides" in output


@pytest.mark.parametrize(
    ("words", "model", "message"),
    [
        ((), "models:/hokkaido-unett@champion", "Did you mean 'hokkaido-unet'"),
        ((), "models:/hokkaido-unet@best", "alias 'best'.*champion.*models:/hokkaido-unet/1"),
        ((), "models:/hokkaido-unet/7", "version of hokkaido-unet '7'"),
        ((), "models:/m-0123456789abcdef0123456789abcdef", "logged model must exist"),
        (("--threshold", "1.5"), NAME, r"threshold must be in \[0, 1\], but got 1.5"),
        (("--device", "abacus"), NAME, "device must be auto, cpu or a GPU.*'abacus'"),
        (
            ("--event", "2021-01-01"),
            NAME,
            r"A landslide map needs acquisitions before and after the event .* Add dates",
        ),
        (
            ("--placebo", "--event", "2018-02-20"),
            NAME,
            r"at least 2 images of each series before the event.*got [01] and [01] before 2018-02-20",
        ),
        (
            ("--placebo", "--placebo-event", "2018-12-01"),
            NAME,
            r"needs images of each series on both sides.*0 after it at 2018-12-01.*to pretend it at 2018-",
        ),
        (("--overlap", "129"), NAME, "overlap of tiles must be 2 to 128 px, but got 129"),
        (("--overlap", "400"), NAME, "none"),
    ],
)
def test_an_impossible_request_is_refused_and_writes_nothing(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    model: str,
    message: str,
) -> None:
    if message == "none":
        cube = write_netcdf(make_groups(600, 20), tmp_path / "scene.nc")
        assert run(*words, model=model, given=cube) == 1
        message = "0 to half of their side, but got 400 px of 512"
    else:
        assert run(*words, model=model) == 1
    error = capsys.readouterr().err
    assert re.search(f"(?s)error: .*{message}", error)
    assert not [path for path in tmp_path.iterdir() if "map" in path.name]


def test_a_missing_input_is_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given=tmp_path / "nowhere") == 1
    assert "does not exist" in capsys.readouterr().err
    assert (
        main(
            ["--model", NAME, "--input", ".", "--out", str(tmp_path / "m"), "--root", str(tmp_path)]
        )
        == 2
    )
    assert "must hold a campaign's database mlflow.db, but" in capsys.readouterr().err


def test_a_folder_that_is_not_empty_is_not_changed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "map").mkdir()
    (tmp_path / "map" / "notes.txt").write_text("mine")
    assert run() == 1
    assert "new or empty folder" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "map").iterdir()] == ["notes.txt"]


def test_a_placebo_counts_false_alarms_and_makes_no_map(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--placebo", "--threshold", "0.3") == 0
    assert [file.name for file in (tmp_path / "map").iterdir()] == ["placebo.json"]
    found = json.loads((tmp_path / "map" / "placebo.json").read_text())
    assert found["placebo"] is True
    assert found["mapped_km2"] == pytest.approx(4 * 1.28**2, rel=1e-3)
    assert found["alarms_per_km2"] == pytest.approx(found["false_alarms"] / found["mapped_km2"])
    assert 0 <= found["area_share"] <= 1
    for images in found["images"].values():
        assert len(images["read"]) == 4
        (count,) = images["before_event"]
        assert 4 <= count < 15
        first, last = min(images["read"]), max(images["read"])
        assert first <= found["pretended_events"][0] < last <= found["event"][0]
    output = capsys.readouterr().out
    assert f"Placebo: {found['false_alarms']:,} false alarms on 6.56 km², " in output
    assert f"Read were 4 of {count} images of s1asc, 4 of " in output
    assert "An older landslide between these images counts as a false alarm." in output
    assert "Map:" not in output


def test_false_alarms_beside_a_map_are_those_of_a_placebo(run: Run, tmp_path: Path) -> None:
    words = ("--threshold", "0.3")
    assert run("--placebo", *words, "--out", str(tmp_path / "placebo")) == 0
    alone = json.loads((tmp_path / "placebo" / "placebo.json").read_text())
    assert run("--false-alarms", *words) == 0
    summary = json.loads((tmp_path / "map" / "summary.json").read_text())
    beside = summary["placebo"]
    assert beside == {name: alone[name] for name in beside}
    assert {"false_alarms", "alarms_per_km2", "images"} <= beside.keys()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_too_few_early_images_leave_the_map_without_false_alarms(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_netcdf(make_groups(64, 64), tmp_path / "scene.nc")
    event = str(TIMES[0].astype("datetime64[s]"))
    assert run("--false-alarms", "--event", event, "--untrusted", given=path) == 0
    summary = json.loads((tmp_path / "map" / "summary.json").read_text())
    assert summary["placebo"] is None
    [note] = [one for one in summary["notes"] if one.startswith("False alarms to expect are not")]
    assert note in capsys.readouterr().out


@pytest.mark.parametrize("write", [write_netcdf, write_zarr, write_folder])
def test_images_after_the_event_never_reach_a_placebo(
    run: Run, tmp_path: Path, write: Callable[..., Path]
) -> None:
    def spoil(dataset: xr.Dataset) -> xr.Dataset:
        late = dataset["time"] > EVENT
        return dataset.assign({band: dataset[band].where(~late, -3.0) for band in ("VV", "VH")})

    found = []
    for name, change in (("a", lambda d: d), ("b", spoil)):
        path = tmp_path / {write_netcdf: f"{name}.nc", write_zarr: f"{name}.zarr"}.get(write, name)
        write(change_all(make_groups(64, 64), change), path)
        out = ("--out", str(tmp_path / f"out_{name}"), "--event", str(EVENT))
        assert run("--placebo", "--threshold", "0.3", *out, given=path) == 0
        summary = json.loads((tmp_path / f"out_{name}" / "placebo.json").read_text())
        found.append({key: value for key, value in summary.items() if key != "input"})
    assert found[0] == found[1]
    assert found[0]["area_share"] > 0


@pytest.mark.parametrize("write", [write_netcdf, write_folder])
def test_fewer_early_images_than_the_network_reads_are_repeated(
    run: Run, tmp_path: Path, write: Callable[..., Path]
) -> None:
    path = write(make_groups(64, 64), tmp_path / "scene.nc")
    assert run("--placebo", "--event", str(TIMES[2].astype("datetime64[s]")), given=path) == 0
    found = json.loads((tmp_path / "map" / "placebo.json").read_text())
    for images in found["images"].values():
        assert images["before_event"] == [3]
        assert len(images["read"]) == 3


def test_a_placebo_never_replaces_a_map(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "map").iterdir()}
    assert run("--placebo") == 1
    assert "new or empty folder" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in (tmp_path / "map").iterdir()} == before


def test_a_missing_tile_fails_the_command_but_not_the_map(
    run: Run, quad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = shutil.copytree(quad, tmp_path / "tiles")
    tile_path(tiles, "hokkaido_618", ORBITS[0]).write_text("no NetCDF")
    assert run(given=tiles) == 1
    assert "1 tiles are missing in the map" in capsys.readouterr().err
    summary = json.loads((tmp_path / "map" / "summary.json").read_text())
    assert "readable" in summary["missing_tiles"]["hokkaido_618"]
    assert summary["nodata_share"] == pytest.approx(0.25, abs=1e-5)


def test_changed_model_files_are_refused(
    run: Run, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = next((root / "artifacts").rglob("model.onnx"))
    facts = program.with_name("facts.json")
    content = facts.read_text()
    try:
        facts.write_text(content.replace("0.4", "0.1"))
        client, _ = connect(root)
        ids = [version.model_id for version in client.search_model_versions(f"name='{NAME}'")]
        codes = {run(model=f"models:/{one}") for one in ids}
        codes |= {run("--ensemble")}
    finally:
        facts.write_text(content)
    assert 1 in codes
    assert "Somebody changed them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--event", "soon"),
            "must be a day or a time (UTC) such as 2018-09-05T18:08, but got 'soon'",
        ),
        (("--placebo-event", "2018-05-01"), "--placebo-event is for --placebo: add it, or leave"),
        (("--placebo", "--false-alarms"), "--placebo counts false alarms without a map: leave out"),
        (("--window", "100"), "must be a multiple of 16, but got 100"),
        (("--units", "bel"), "invalid choice: 'bel'"),
    ],
)
def test_wrong_arguments_are_refused_by_the_parser(
    run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
