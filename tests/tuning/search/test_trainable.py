"""The trainable: one trial, or the seeds of a config, each in its own folder."""

import errno
import os
import re
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from data.io.shared_storage import SharedStorage
from data.pack import Pack, load_pack
from tests.support.training import TIMED_FIELDS, FaultyNet
from tuning.search.trainable import run_trial
from tuning.train.checkpoints import make_model
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.stage import SAMPLE_INDEX, StageJob
from tuning.trial.status import is_finished
from tuning.trial.sync import TrialSync

SEEDS = (42, 7, 9)
Reports = list[dict[str, Any]]


class CutError(BaseException):
    """Simulates a kill of the process."""


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    """The rows reported to Ray."""
    found: Reports = []
    monkeypatch.setattr("tuning.search.trainable.tune.report", found.append)
    return found


def make_job(pack: Pack, folder: Path) -> StageJob:
    return StageJob("repeat", {}, str(pack.path), str(folder / "trials"))


def run_stack(config: Config, job: StageJob, *seeds: int) -> dict[int, TrialFolder]:
    configs = [config | {"seed": seed} for seed in seeds]
    run_trial({"configs": configs}, job)
    return {one["seed"]: job.folder({"config": one}) for one in configs}


def read_result(folder: TrialFolder) -> dict[str, Any]:
    """Return a trial's results, without times."""
    rows = [{k: v for k, v in row.items() if k not in TIMED_FIELDS} for row in folder.history()]
    test = {k: v for k, v in (folder.read("test") or {}).items() if "seconds" not in k}
    end = {k: v for k, v in (folder.read("end") or {}).items() if k != "time_ms"}
    counts = [
        None if some is None else some.tolist() for some in map(folder.counts, ("val", "test"))
    ]
    return {"rows": rows, "test": test, "end": end, "counts": counts}


def test_stacked_seed_gives_the_same_trial_as_a_single_one(
    config: Config, pack: Pack, tmp_path: Path, reports: Reports
) -> None:
    config["arch"] |= {"dropout": 0.2}
    config["epochs"] = 2
    stacked = run_stack(config, make_job(pack, tmp_path / "stack"), *SEEDS[:2])
    reported = sorted((one[SAMPLE_INDEX], one["epoch"]) for one in reports)
    assert reported == [(0, 1), (0, 2), (1, 1), (1, 2)]
    alone = make_job(pack, tmp_path / "alone")
    for seed, folder in stacked.items():
        other = run_stack(config, alone, seed)[seed]
        assert read_result(folder) == read_result(other)
        assert {file.name for file in folder.path.iterdir()} == {
            file.name for file in other.path.iterdir()
        }
        assert folder.read("test")["n_samples"] == 4


def test_trial_leaves_no_tiles_in_its_process_also_if_it_fails(
    config: Config, pack: Pack, tmp_path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = []

    def remember(path: Path, *, check: bool) -> Pack:
        loaded = load_pack(path, check=check)
        living.append(weakref.ref(loaded))
        return loaded

    monkeypatch.setattr("tuning.search.trainable.load_pack", remember)
    run_stack(config | {"epochs": 1}, make_job(pack, tmp_path / "good"), SEEDS[0])
    net = FaultyNet(float("nan"))
    monkeypatch.setattr("tuning.train.training.start_model", lambda *args: net)
    run_stack(config | {"epochs": 1}, make_job(pack, tmp_path / "bad"), SEEDS[0])
    assert [one() for one in living] == [None, None]


def test_bad_numbers_fail_their_seed_alone(
    config: Config, pack: Pack, tmp_path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(config: Config, packs: Path) -> torch.nn.Module:
        return FaultyNet(float("nan")) if config["seed"] == SEEDS[1] else make_model(config)

    monkeypatch.setattr("tuning.train.training.start_model", start)
    first, failed, last = run_stack(
        config | {"epochs": 1}, make_job(pack, tmp_path), *SEEDS
    ).values()
    for folder in (first, last):
        assert folder.read("end")["reason"] == "last epoch"
        assert folder.read("test")["n_samples"] == 4
    assert "val loss must stay finite, but got nan" in failed.read("end")["message"]
    assert failed.read("test") is None
    assert all(is_finished(folder, "repeat") for folder in (first, failed, last))


def test_damaged_folder_fails_its_seed_alone(
    config: Config, pack: Pack, tmp_path: Path, reports: Reports
) -> None:
    job = make_job(pack, tmp_path)
    damaged = job.folder({"config": config | {"epochs": 1, "seed": SEEDS[0]}})
    damaged.last.write_text("no checkpoint")
    first, second, _ = run_stack(config | {"epochs": 1}, job, *SEEDS).values()
    assert "must be a file that training wrote, but" in first.read("failure")["message"]
    assert first.read("end") is None
    assert second.read("test")["n_samples"] == 4
    assert second.read("failure") is None


def test_failure_that_finds_no_room_on_the_disk_leaves_the_trial_interrupted(
    config: Config,
    pack: Pack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(folder: TrialFolder, name: str, content: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder.path / name))

    monkeypatch.setattr(TrialFolder, "write", refuse)
    job = make_job(pack, tmp_path)
    [folder] = run_stack(config | {"epochs": 1}, job, SEEDS[0]).values()
    assert folder.read("failure") is None
    assert not is_finished(folder, "repeat")
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert re.search(r"The disk of .* must have ", said)


def test_failure_that_cannot_be_written_for_another_reason_is_raised(
    config: Config, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: TrialFolder, name: str, content: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder.path / name))

    monkeypatch.setattr(TrialFolder, "write", refuse)
    with pytest.raises(PermissionError, match="Permission denied"):
        run_stack(config | {"epochs": 1}, make_job(pack, tmp_path), SEEDS[0])


@pytest.fixture(scope="module")
def whole(
    base_config: Config, pack: Pack, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Config, dict[int, TrialFolder]]:
    """A config with dropout, and the trials of its seeds, trained without an interruption."""
    config = base_config | {"arch": base_config["arch"] | {"dropout": 0.2}, "epochs": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuning.search.trainable.tune.report", lambda row: None)
        return config, run_stack(config, make_job(pack, tmp_path_factory.mktemp("whole")), *SEEDS)


@pytest.mark.parametrize("groups", [[SEEDS], [SEEDS[1:], SEEDS[:1]]])
def test_interrupted_stack_resumes_in_any_grouping(
    whole: tuple[Config, dict[int, TrialFolder]],
    pack: Pack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: list[tuple[int, ...]],
) -> None:
    config, trials = whole

    def cut(row: dict[str, Any]) -> None:
        if (
            row["epoch"] == 2 and row[SAMPLE_INDEX] == 1
        ):  # the first has ended by then, the last has not
            raise CutError

    job = make_job(pack, tmp_path)
    monkeypatch.setattr("tuning.search.trainable.tune.report", cut)
    with pytest.raises(CutError):
        run_stack(config, job, *SEEDS)
    monkeypatch.setattr("tuning.search.trainable.tune.report", lambda row: None)
    for group in groups:
        for seed, folder in run_stack(config, job, *group).items():
            assert read_result(folder) == read_result(trials[seed])


def test_finished_trials_of_a_stack_are_not_changed(
    config: Config, pack: Pack, tmp_path: Path, reports: Reports
) -> None:
    job, config = make_job(pack, tmp_path), config | {"epochs": 1}
    (first,) = run_stack(config, job, SEEDS[0]).values()
    failed = job.folder({"config": config | {"seed": SEEDS[1]}})
    failed.end("error", message="The loss must stay finite.")
    before = [(folder.path / "end.json").read_bytes() for folder in (first, failed)]
    reports.clear()
    run_stack(config, job, *SEEDS)
    assert [(folder.path / "end.json").read_bytes() for folder in (first, failed)] == before
    assert [one[SAMPLE_INDEX] for one in reports] == [2]


def test_stopped_campaign_stops_all_seeds(
    config: Config, pack: Pack, tmp_path: Path, reports: Reports
) -> None:
    job = make_job(pack, tmp_path)
    Path(job.trials).mkdir()
    Path(job.trials).with_name("stop").touch()
    for folder in run_stack(config, job, *SEEDS).values():
        assert not any(folder.read(name) for name in ("end", "failure"))
        assert not folder.history()


def test_node_with_other_code_or_without_the_pack_fails_all_seeds(
    config: Config, pack: Pack, tmp_path: Path, reports: Reports
) -> None:
    job = replace(make_job(pack, tmp_path), code="other")
    for folder in run_stack(config, job, *SEEDS).values():
        message = folder.read("end")["message"]
        assert message.startswith("Every node must have the driver's code (other), but got ")
    job = replace(make_job(pack, tmp_path / "b"), pack=str(tmp_path / "gone"))
    for folder in run_stack(config, job, *SEEDS).values():
        assert "gone" in folder.read("failure")["message"]
        assert folder.read("end") is None


def test_each_seed_of_a_stack_is_copied_to_shared_storage(
    config: Config, pack: Pack, tmp_path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.search.trainable.cache_folder", lambda: tmp_path / "cache")
    sync = TrialSync(SharedStorage(str(tmp_path / "shared")))
    job, config = replace(make_job(pack, tmp_path), sync=sync), config | {"epochs": 1}
    for folder in run_stack(config, job, *SEEDS[:2]).values():
        assert not folder.history()
        sync.pull(folder.path.name, folder.path, large=True)
        assert folder.read("test")["n_samples"] == 4
        assert folder.best.is_file()
