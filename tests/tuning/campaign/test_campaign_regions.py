"""Campaigns on other regions and across events, end to end on a few tiles of the twin's two regions."""

import json
from pathlib import Path

import pandas as pd
import pytest

from data.twin import make_twin
from tests.support.forked_commands import Answer, Call, Server
from tuning.campaign.find_tiles import survey_twin
from tuning.settings.presets import pick_tiles
from tuning.tracking.client import connect, find_runs

pytestmark = [pytest.mark.slow, pytest.mark.file_s(120)]

ROOT = Path(__file__).parents[3]
REGIONS = ("hokkaido", "noto")


def run(server: Server, root: Path, *words: str) -> Answer:
    """Run a campaign; its standard output is in a file of the output folder."""
    command = ["tuning.run", "--root", str(root), "--preset", "smoke", *words]
    threads = {"OMP_NUM_THREADS": None}  # as a user starts it
    return server.run(Call(command, str(ROOT), threads, silence_s=240.0, out=str(root / "out.txt")))


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
def across(commands: Server, tiles: Path, root: Path) -> Answer:
    """The campaign across both events, run once."""
    words = "--split events --model unet log_ratio_vv --trials 1 --seeds 1 --campaign across"
    return run(commands, root, "--data", str(tiles), "--region", *REGIONS, *words.split())


def test_campaign_across_events_names_regions_and_events(across: Answer, root: Path) -> None:
    assert across.code == 0, across.said
    lines = across.said.splitlines()
    first = next(line for line in lines if "can be exported" not in line)
    assert "Data: SYNTHETIC (the twin's) tiles in" in first
    assert first.endswith("Regions: hokkaido (Eastern Iburi in Hokkaido in Japan), noto.")
    assert "Event of hokkaido: 2018-09-05T18:08:00 UTC, from " in across.said
    assert "Event of noto: 2024-01-01T" in across.said
    assert "searched once, on the fold events:hokkaido, and used on all 2 folds" in across.said
    shown = (root / "out.txt").read_text()
    assert "test AP on" in shown
    assert "Mean over these events:" in shown


def test_report_has_a_row_per_model_and_held_out_event(across: Answer, root: Path) -> None:
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
    across: Answer, root: Path
) -> None:
    client, experiment_id = connect(root)
    runs = find_runs(client, experiment_id, campaign="across")
    assert {run.data.tags["regions"] for run in runs} == {"hokkaido noto"}
    assert {run.data.tags["data"] for run in runs} == {"synthetic"}
    assert [model.name for model in client.search_registered_models()] == ["noto-unet"]
    settings = json.loads((root / "campaigns" / "across" / "campaign.json").read_text())
    assert (settings["regions"], settings["split"]) == (list(REGIONS), "events")


def test_campaign_of_another_region_packs_its_tiles_alone(
    commands: Server, tiles: Path, tmp_path: Path
) -> None:
    words = "--region noto --event 2024-01-01T07:10 --model log_ratio_vv --campaign other"
    done = run(commands, tmp_path, "--data", str(tiles), *words.split())
    assert done.code == 0, done.said
    assert "Event of noto: 2024-01-01T07:10:00 UTC, from --event." in done.said
    table = pd.read_csv(tmp_path / "reports" / "other" / "benchmark_tiles.csv")
    assert table["tile_id"].str.startswith("noto_").all()
    master = pd.read_csv(tmp_path / "reports" / "other" / "benchmark_master.csv")
    assert master["regions"].tolist() == ["noto"]
    assert not (tmp_path / "reports" / "other" / "benchmark_events.csv").exists()
