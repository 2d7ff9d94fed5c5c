"""Campaigns on other regions and across events, end to end on a few tiles of the twin's two regions."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from data.twin import make_twin
from tuning.campaign.find_tiles import survey_twin
from tuning.settings.presets import pick_tiles
from tuning.tracking.client import connect, find_runs

pytestmark = [pytest.mark.slow, pytest.mark.file_s(150)]

ROOT = Path(__file__).parents[3]
REGIONS = ("hokkaido", "noto")


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tuning.run", "--root", str(root), "--preset", "smoke", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with about a dozen tiles of each region."""
    survey = survey_twin(REGIONS)
    chosen = {tile for name in REGIONS for tile in pick_tiles(f"events:{name}", 3, survey) or ()}
    folder = tmp_path_factory.mktemp("regions")
    return make_twin(folder, regions=REGIONS, tile_ids=sorted(chosen), progress=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture(scope="module")
def across(tiles: Path, root: Path) -> subprocess.CompletedProcess[str]:
    """The campaign across both events, run once."""
    words = "--split events --model unet log_ratio_vv --trials 1 --seeds 1 --campaign across"
    return run(root, "--data", str(tiles), "--region", *REGIONS, *words.split())


def test_campaign_across_events_names_regions_and_events(
    across: subprocess.CompletedProcess[str],
) -> None:
    assert across.returncode == 0, across.stderr
    lines = across.stderr.splitlines()
    first = next(line for line in lines if "can be exported" not in line)
    assert "Data: SYNTHETIC (the twin's) tiles in" in first
    assert first.endswith("Regions: hokkaido (Eastern Iburi in Hokkaido in Japan), noto.")
    assert "Event of hokkaido: 2018-09-05T18:08:00 UTC, from " in across.stderr
    assert "Event of noto: 2024-01-01T" in across.stderr
    assert "searched once, on the fold events:hokkaido, and used on all 2 folds" in across.stderr
    assert "test AP on" in across.stdout
    assert "Mean over these events:" in across.stdout


def test_report_has_a_row_per_model_and_held_out_event(
    across: subprocess.CompletedProcess[str], root: Path
) -> None:
    folder = root / "reports" / "across"
    events = pd.read_csv(folder / "benchmark_events.csv")
    assert sorted(zip(events["architecture"], events["held_out"], strict=True)) == [
        (model, event)
        for model in ("log_ratio_vv", "unet")
        for event in ("hokkaido", "mean over events", "noto")
    ]
    runs = pd.read_csv(folder / "benchmark_runs.csv").set_index(["architecture", "fold"])
    for _, row in events[events["events"] == 1].iterrows():
        assert row["trained_on"] != row["held_out"]
        logged = runs.loc[(row["architecture"], f"events:{row['held_out']}")]
        assert row["pr_auc_mean"] == pytest.approx(logged["pr_auc"])
    master = pd.read_csv(folder / "benchmark_master.csv")
    assert set(master["regions"]) == {"hokkaido noto"}
    page = (folder / "report.html").read_text()
    assert "a range over few events, not a confidence interval" in page
    assert "estimate AP <strong>on new events</strong>" in page
    assert "Comparison with the published study" not in page


def test_runs_carry_the_regions_and_the_model_those_that_its_fold_trained_on(
    across: subprocess.CompletedProcess[str], root: Path
) -> None:
    client, experiment_id = connect(root)
    runs = find_runs(client, experiment_id, campaign="across")
    assert {run.data.tags["regions"] for run in runs} == {"hokkaido noto"}
    assert {run.data.tags["data"] for run in runs} == {"synthetic"}
    assert [model.name for model in client.search_registered_models()] == ["noto-unet"]
    settings = json.loads((root / "campaigns" / "across" / "campaign.json").read_text())
    assert (settings["regions"], settings["split"]) == (list(REGIONS), "events")


def test_campaign_of_another_region_packs_its_tiles_alone(tiles: Path, tmp_path: Path) -> None:
    words = "--region noto --event 2024-01-01T07:10 --model log_ratio_vv --campaign other"
    done = run(tmp_path, "--data", str(tiles), *words.split())
    assert done.returncode == 0, done.stderr
    assert "Event of noto: 2024-01-01T07:10:00 UTC, from --event." in done.stderr
    table = pd.read_csv(tmp_path / "reports" / "other" / "benchmark_tiles.csv")
    assert table["tile_id"].str.startswith("noto_").all()
    master = pd.read_csv(tmp_path / "reports" / "other" / "benchmark_master.csv")
    assert master["regions"].tolist() == ["noto"]
    assert not (tmp_path / "reports" / "other" / "benchmark_events.csv").exists()
