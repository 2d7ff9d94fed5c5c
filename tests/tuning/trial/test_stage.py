"""What a trial is called, its number, its end and its score, from its folder alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tuning.metrics.histogram import BINS
from tuning.tracking.descriptions import describe_trial
from tuning.trial.entry import list_entries, name_trial, read_entry, register_trial, write_entry
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.stage import Stage, StageJob
from tuning.trial.status import (
    count_finished,
    has_failed,
    is_finished,
    mark_failed,
    read_end,
    read_score,
)


@pytest.fixture
def stage(config: Config, tmp_path: Path) -> Stage:
    fixed = {name: value for name, value in config.items() if name not in ("lr", "arch")}
    return Stage("search-unet", StageJob("search", fixed, "/pack", str(tmp_path / "trials")), 3, 2)


def sample_of(rate: float) -> dict[str, object]:
    return {"lr": rate, "arch.width": 4}


def write_epoch(trial_folder: TrialFolder, score: float, bins: list[int]) -> None:
    trial_folder.append({"epoch": 1, "best/val_pr_auc": score})
    counts = np.zeros((2, BINS), dtype=np.int64)
    counts[:, bins] = 5
    trial_folder.write_counts("val", counts)


def test_trial_keeps_its_entry_once_it_is_enrolled(stage: Stage) -> None:
    first = register_trial(stage, sample_of(1e-3), 1)
    assert register_trial(stage, sample_of(1e-3), 7) == first
    register_trial(stage, sample_of(1e-2), 2)
    assert [entry.number for entry in list_entries(stage).values()] == [1, 2]
    other = replace(stage, name="search-other")
    assert list_entries(other) == {}
    assert first.tags == {
        "study": "unet",
        "stage": "search",
        "seed": "42",
        "fold": "blocks",
        "number": "1",
    }
    assert first.sample == sample_of(1e-3)
    assert first.config["arch"] == {"width": 4}
    assert not first.model


def test_repeat_trial_keeps_a_model_and_needs_no_sample(stage: Stage, config: Config) -> None:
    repeat = replace(stage, job=replace(stage.job, stage="repeat"))
    entry = register_trial(repeat, {"config": config}, 1)
    assert (entry.model, dict(entry.sample), entry.config) == (True, {}, config)
    assert entry.name == "unet · repeat · blocks · seed 42"


@pytest.mark.parametrize(
    ("rate", "shown"), [(3e-4, "3e-4"), (1.24e-3, "1.2e-3"), (0.01, "1e-2"), (0.0099, "9.9e-3")]
)
def test_search_trial_s_name_tells_model_number_and_rate(
    config: Config, rate: float, shown: str
) -> None:
    assert (
        name_trial("search", config | {"lr": rate}, 1)
        == f"unet · search · blocks · #01 · lr {shown}"
    )


def test_entry_may_be_written_anew(stage: Stage) -> None:
    entry = register_trial(stage, sample_of(1e-3), 1)
    trial_folder = stage.job.folder(sample_of(1e-3))
    write_entry(trial_folder, replace(entry, model=True))
    assert read_entry(trial_folder) == replace(entry, model=True)


def test_entry_of_another_version_is_refused(stage: Stage) -> None:
    register_trial(stage, sample_of(1e-3), 1)
    trial_folder = stage.job.folder(sample_of(1e-3))
    content = json.loads((trial_folder.path / "trial.json").read_text())
    trial_folder.write("trial", content | {"colour": "red"})
    with pytest.raises(ValueError, match=r"written by the version that runs it, but got .*colour"):
        read_entry(trial_folder)


def test_repeat_trial_is_over_once_test_is_measured(tmp_path: Path) -> None:
    trial_folder = TrialFolder(tmp_path)
    assert not is_finished(trial_folder, "repeat")
    trial_folder.end("patience", epoch=3)
    assert is_finished(trial_folder, "search")
    assert not is_finished(trial_folder, "repeat")
    assert read_end(trial_folder, "repeat") is None
    trial_folder.write("test", {"pr_auc": 0.5})
    assert is_finished(trial_folder, "repeat")
    ended = read_end(trial_folder, "repeat")
    assert ended is not None
    assert ended[:2] == ("patience", "")
    assert ended[2] is not None


def test_a_repeat_trial_whose_config_asks_for_a_replay_is_not_over_without_it(
    tmp_path: Path,
) -> None:
    trial_folder = TrialFolder(tmp_path)
    trial_folder.write("config", {"replay": True})
    trial_folder.end("patience", epoch=3)
    trial_folder.write("test", {"pr_auc": 0.5})
    assert not is_finished(trial_folder, "repeat")
    assert is_finished(trial_folder, "search")
    trial_folder.write_arrays("replay", days=np.zeros(1))
    assert is_finished(trial_folder, "repeat")


def test_failure_of_the_machine_s_is_told_and_is_not_the_end(tmp_path: Path) -> None:
    trial_folder = TrialFolder(tmp_path)
    mark_failed(trial_folder, "hang", "No epoch.")
    assert has_failed(trial_folder, "hang")
    assert not has_failed(trial_folder, "memory")
    assert not is_finished(trial_folder, "search")
    ended = read_end(trial_folder, "search")
    assert ended is not None
    assert ended[:2] == ("error", "No epoch.")
    trial_folder.end("error", message="The loss must stay finite.")
    ended = read_end(trial_folder, "repeat")
    assert ended is not None
    assert ended[1] == "The loss must stay finite."  # its own word counts more


def test_only_a_trial_with_a_result_has_a_score(tmp_path: Path) -> None:
    good, flat, bad, cut = (TrialFolder(tmp_path / name) for name in ("good", "flat", "bad", "cut"))
    for trial_folder, bins in ((good, [3, 90]), (flat, [7]), (bad, [3, 90]), (cut, [3, 90])):
        write_epoch(trial_folder, 0.5, bins)
    good.end("scheduler", epoch=1)
    flat.end("scheduler", epoch=1)  # stopped before it could say that its outputs are constant
    bad.end("error", message="The loss must stay finite.")
    assert [read_score(one) for one in (good, flat, bad, cut)] == [0.5, None, None, None]


def test_trials_done_are_counted(stage: Stage) -> None:
    for number, rate in enumerate((1e-3, 1e-2), 1):
        register_trial(stage, sample_of(rate), number)
    stage.job.folder(sample_of(1e-2)).end("patience", epoch=1)
    assert count_finished(Path(stage.job.trials)) == (1, 2)


def test_note_of_a_trial_tells_its_best_epoch_and_how_to_rerun_it() -> None:
    rows = [{"epoch": 1, "val_pr_auc": 0.25}, {"epoch": 2, "val_pr_auc": 0.5}]
    rows.append({"epoch": 3, "val_pr_auc": 0.5})
    note = describe_trial("run-1", "scheduler", rows, "")
    assert note.startswith(
        "The scheduler stopped it because other trials were better at that epoch. Best val"
    )
    assert "0.500 in epoch 2 of 3" in note
    assert "`python -m tuning.reproduce run-1`" in note
    assert (
        describe_trial("run-1", "error", [], "The loss is gone.") == "It failed: The loss is gone."
    )
