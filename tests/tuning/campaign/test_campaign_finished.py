"""What a finished campaign keeps, and what becomes of it when it is resumed; and one of which a tile is unusable."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run

from data.splits import make_split
from data.tiles import list_tiles, tile_path
from tests.faults.campaigns import Command
from tests.support.surveys import survey_tiles
from tuning.tracking.client import connect, find_runs

pytestmark = [pytest.mark.slow, pytest.mark.file_s(150)]


@pytest.fixture
def done(calm: Command) -> Command:
    """A campaign of one network and one baseline, which has ended: two search trials, two seeds."""
    assert calm.run_once() == 0, calm.read_log()
    return calm


def runs_of(command: Command, **tags: str) -> list[Run]:
    return find_runs(*connect(command.root), campaign=command.name, **tags)


def test_a_network_is_searched_and_repeated_and_a_baseline_without_chance_is_measured_once(
    done: Command,
) -> None:
    stages = [
        (run.data.tags["study"], run.data.tags["stage"]) for run in runs_of(done, kind="trial")
    ]
    assert sorted(stages) == [
        ("log_ratio_vv", "repeat"),
        *[("unet", "repeat")] * 2,
        *[("unet", "search")] * 2,
    ]


def test_repeats_and_the_best_search_trial_keep_a_model_and_losers_no_checkpoint(
    done: Command,
) -> None:
    trials = runs_of(done, kind="trial", study="unet")
    kept = [trial for trial in trials if "model_uri" in trial.data.tags]
    stages = [trial.data.tags["stage"] for trial in kept]
    assert sorted(stages) == ["repeat", "repeat", "search"]
    searched = [trial for trial in trials if trial.data.tags["stage"] == "search"]
    best = max(searched, key=lambda trial: trial.data.metrics["best/val_pr_auc"])
    assert "model_uri" in best.data.tags
    repeats = [trial.data.tags["key"] for trial in trials if trial not in searched]
    with_checkpoint = {file.parent.name for file in done.folder.glob("trials/*/*.pt")}
    assert with_checkpoint == set(repeats)
    (campaign,) = runs_of(done, kind="campaign")
    assert campaign.data.metrics["bytes/model"] > 0
    assert "Storage used: " in done.read_log()
    assert "of checkpoints." in done.read_log()


def test_finished_campaign_resumes_to_itself(done: Command, tmp_path: Path) -> None:
    again = done.copy_to(tmp_path / "mlruns")
    assert again.run() == 0, again.read_log()
    assert again.count_states() == done.count_states()
    rows = ["model", "architecture"]
    before, after = (one.read_table().sort_values(rows) for one in (done, again))
    pd.testing.assert_frame_equal(before, after)
    assert len(connect(again.root)[0].search_model_versions("name='hokkaido-unet'")) == 1


def test_unusable_tile_is_named_and_excluded(
    twin: Path, copy_tiles: Callable[[], Path], tmp_path: Path
) -> None:
    tiles, bad = copy_tiles(), make_split("blocks", survey_tiles(list_tiles(twin))).train[0]
    tile_path(tiles, bad, "s1asc").write_text("no NetCDF")
    # Trained without Ray: the tile leaves the pack, which networks and this baseline train on alike.
    arguments = ["--model", "logistic_regression", "--preset", "smoke", "--seeds", "1"]
    one = Command(tmp_path, [*arguments, "--data", str(tiles)], name="spoilt")
    assert one.run() == 0, one.read_log()
    assert f"Excluded {bad}: A tile must be readable NetCDF" in one.read_log()
    report = tmp_path / "reports" / one.name
    assert list(json.loads((report / "excluded_tiles.json").read_text())) == [bad]
    (campaign,) = runs_of(one, kind="campaign")
    assert campaign.data.tags["excluded_tiles"] == "1"
