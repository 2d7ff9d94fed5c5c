"""Tests of what a matrix costs: its trainings, tiles, times and bytes."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.matrices import plan_tiny
from tests.support.settings import make_settings
from tuning.matrix.cost import timing
from tuning.matrix.cost.disk import estimate_bytes, tile_bytes
from tuning.matrix.cost.estimate import Estimator, MatrixCost, estimate
from tuning.matrix.cost.tiles import CellSize, FoldSize, TileCounter, count_all
from tuning.matrix.cost.timing import Pace, describe_likeness, find_earlier, measure_pace
from tuning.settings.settings import Settings
from tuning.trial.entry import TrialEntry, write_entry
from tuning.trial.folder import TrialFolder, write_json

SIZE = CellSize(24, (FoldSize(8, 8, 8),))


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every network needs a second per tile; returns what was measured."""
    measured: list[str] = []

    def measure(model: str, settings: Settings) -> Pace:
        measured.append(f"{model} {len(settings.channels)}")
        return Pace(1.0, 0.5, "measured")

    monkeypatch.setattr("tuning.matrix.cost.estimate.measure_pace", measure)
    return measured


def cost_of(cells: list[Settings], search: str, root: Path) -> MatrixCost:
    sizes = {one.campaign: SIZE for one in cells}
    return estimate(cells, sizes, search, Estimator(root))


def test_trainings_are_counted_and_each_input_is_measured_once(
    tmp_path: Path, second: list[str]
) -> None:
    _, cells = plan_tiny(tmp_path, "--trials", "3", "--seeds", "2")
    once, each = (cost_of(cells, search, tmp_path) for search in ("once", "per-cell"))
    assert [cell.searches for cell in once.cells] == [3, 0, 0]
    assert [cell.searches for cell in each.cells] == [3, 3, 3]
    assert {(cell.repeats, cell.baselines) for cell in once.cells} == {(2, 1)}
    assert second == ["unet 4", "unet 2"] * 2
    assert "unet, 4 channels, 4 acquisitions: 1000 ms" in once.sources[0]
    assert once.sources[0].endswith("measured now")
    assert each.hours > once.hours


def test_more_seeds_or_epochs_take_longer(tmp_path: Path, second: list[str]) -> None:
    _, cells = plan_tiny(tmp_path)
    longer = [replace(one, preset="quick") for one in cells]
    assert cost_of(longer, "once", tmp_path).hours > cost_of(cells, "once", tmp_path).hours
    made = cost_of(cells, "once", tmp_path)
    assert made.hours_with(4) > made.hours_with(2)


def test_the_pace_of_earlier_trials_is_taken_before_a_measurement(
    tmp_path: Path, second: list[str]
) -> None:
    folder = tmp_path / "campaigns" / "before"
    folder.mkdir(parents=True)
    write_json(folder / "inputs.json", {"splits": {"blocks": {"train": ["a", "b"]}}})
    config = {
        "model": "unet",
        "channels": ["s1asc:VV", "s1dsc:VV"],
        "timesteps": 4,
        "batch_size": 4,
        "split": "blocks",
    }
    trial = TrialFolder(folder / "trials" / "x")
    write_entry(trial, TrialEntry("search-unet", "search", 1, 0, "x", config, {}, False))
    for epoch, seconds in enumerate((2.0, 4.0, 60.0)):
        trial.append({"epoch": epoch, "seconds": seconds})
    base = TrialFolder(folder / "trials" / "y")
    own = {**config, "model": "log_ratio_vv"}
    write_entry(base, TrialEntry("baseline-log_ratio_vv", "repeat", 1, 0, "y", own, {}, False))
    base.write("end", {"reason": "last epoch", "time_ms": 7000})
    like = describe_likeness("unet", 2, 4, 4)
    assert find_earlier(tmp_path) == ({like: 2.0}, {"log_ratio_vv": 7.0})
    _, cells = plan_tiny(tmp_path)
    sources = cost_of(cells, "once", tmp_path).sources
    assert second == ["unet 4"]
    assert sources[1].endswith("2000 ms per train tile and epoch, from earlier trials here")


def test_steps_of_a_network_are_measured() -> None:
    pace = measure_pace("unet", make_settings(timesteps=2))
    assert 0 < pace.val < pace.train
    assert pace.source == "measured"
    assert timing.STEPS >= 3


def test_tiles_of_each_cell_are_counted_without_data(tmp_path: Path) -> None:
    _, cells = plan_tiny(tmp_path)
    sizes, errors = count_all(cells, TileCounter(tmp_path))
    assert errors == {}
    assert sizes["tiny-reference"] == CellSize(24, (FoldSize(8, 8, 8),))
    assert sizes["tiny-train-0.5"].folds[0].train == 4
    assert list(tmp_path.iterdir()) == []


def test_every_cell_whose_tiles_cannot_be_split_is_named(tmp_path: Path) -> None:
    _, cells = plan_tiny(tmp_path)
    cells = [
        replace(cells[0], train_share=f"scattered:{s}", places=(f"train={s}",))
        for s in (0.01, 0.02)
    ]
    sizes, errors = count_all(cells, TileCounter(tmp_path))
    assert sizes == {}
    assert list(errors) == ["train=0.01", "train=0.02"]
    assert all(
        "--train-share must leave a batch of 4 train tiles" in one for one in errors.values()
    )


def test_bytes_are_those_of_packs_and_trials(tmp_path: Path, second: list[str]) -> None:
    _, cells = plan_tiny(tmp_path)
    sizes = {one.campaign: SIZE for one in cells}
    made = cost_of(cells, "once", tmp_path)
    disk = estimate_bytes(cells, sizes, made)
    assert disk["packs of tiles"] == 24 * tile_bytes(("s1asc", "s1dsc"))
    assert tile_bytes(("s1asc", "s1dsc")) == 128 * 128 * (2 * (15 * 4 + 2) + 1)
    more = estimate_bytes(
        cells, sizes, cost_of([replace(c, seeds=9) for c in cells], "once", tmp_path)
    )
    assert more["trials, models and pictures"] > disk["trials, models and pictures"]
