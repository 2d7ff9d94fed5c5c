"""Sampling and early stopping of a search, with and without a resume."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tuning.search.optuna_asha import (
    ReplayingASHA,
    ResumableOptunaSearch,
    make_scheduler,
    make_searcher,
)
from tuning.trial.entry import list_entries, register_trial
from tuning.trial.folder import VAL_AP, Config
from tuning.trial.search_space import Domain, LogUniform
from tuning.trial.stage import Stage, StageJob
from tuning.trial.status import is_finished, split_finished

SPACE: dict[str, Domain] = {"lr": LogUniform(1e-4, 1e-1), "arch.width": [4, 8, 16]}
FIRST = {"lr": 3e-3, "arch.width": 8}
TRIALS = 10


@pytest.fixture
def stage(config: Config, tmp_path: Path) -> Stage:
    fixed = {name: value for name, value in config.items() if name not in ("lr", "arch")}
    return Stage(
        "search-unet", StageJob("search", fixed, "/pack", str(tmp_path / "trials")), TRIALS, 12
    )


def continue_search(stage: Stage) -> ResumableOptunaSearch:
    return make_searcher(SPACE, FIRST, stage, *split_finished(stage))


def score(sample: dict[str, Any]) -> float:
    return 1.0 - abs(sample["lr"] - 0.01)


def finish(stage: Stage, sample: dict[str, Any]) -> None:
    folder = stage.job.folder(sample)
    folder.append({"epoch": 1, VAL_AP: score(sample)})
    folder.end("last epoch", epoch=1)


def search(stage: Stage, *, cuts: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Run a search one trial at a time; at a cut, the driver is killed while a trial runs."""
    samples: list[dict[str, Any]] = []
    searcher = continue_search(stage)
    for number in range(1, TRIALS + 1):
        sample = searcher.suggest(f"trial-{number}")
        register_trial(stage, sample, number)
        if number in cuts:
            searcher = continue_search(stage)
            assert searcher.suggest("again") == sample  # started trials come first
            finish(stage, sample)
            searcher.on_trial_complete("again", {VAL_AP: score(sample)})
        else:
            finish(stage, sample)
            searcher.on_trial_complete(f"trial-{number}", {VAL_AP: score(sample)})
        samples.append(sample)
    return samples


def test_resumed_search_draws_the_same_samples(
    stage: Stage, config: Config, tmp_path: Path
) -> None:
    whole = search(stage)
    job = StageJob("search", stage.job.fixed, "/pack", str(tmp_path / "other"))
    cut = search(Stage("search-unet", job, TRIALS, 12), cuts=(1, 2, 5, 9))
    assert cut == whole
    assert whole[0] == FIRST
    assert len({sample["lr"] for sample in whole}) == TRIALS


def test_resumed_search_learns_from_earlier_trials(stage: Stage) -> None:
    for number, rate in enumerate((1e-4, 2e-4, 0.011, 0.0095, 0.05, 0.09), 1):
        sample = {"lr": rate, "arch.width": 8}
        register_trial(stage, sample, number)
        finish(stage, sample)
    drawn = [continue_search(stage).suggest("next")["lr"]]
    searcher = continue_search(stage)
    drawn += [searcher.suggest(f"{number}")["lr"] for number in range(3)]
    assert drawn[0] == drawn[1]
    assert all(2e-4 < rate < 0.09 for rate in drawn)  # near the best, far from the worst


def test_failed_trial_is_ignored_and_not_repeated(stage: Stage) -> None:
    register_trial(stage, FIRST, 1)
    stage.job.folder(FIRST).end("error", message="The loss must stay finite.")
    assert continue_search(stage).suggest("next") != FIRST


def trial(stage: Stage, rate: float, number: int) -> Any:
    sample = {"lr": rate, "arch.width": 8}
    register_trial(stage, sample, number)
    return SimpleNamespace(trial_id=f"t{number}", config=sample)


def report(halving: ReplayingASHA, one: Any, epoch: int, value: float) -> str:
    return str(halving.on_trial_result(None, one, {"epoch": epoch, VAL_AP: value}))


def test_rungs_count_trials_from_before_a_resume(stage: Stage) -> None:
    past = [trial(stage, rate, number) for number, rate in enumerate((1e-3, 2e-3, 3e-3), 1)]
    for number, one in enumerate(past):
        folder = stage.job.folder(one.config)
        for epoch in range(1, 5):
            folder.append({"epoch": epoch, VAL_AP: 0.5 + number / 10})
        folder.end("last epoch", epoch=4)
    over = list(list_entries(stage))
    halving, fresh = make_scheduler(stage, over), make_scheduler(stage, [])
    assert isinstance(halving, ReplayingASHA)
    assert isinstance(fresh, ReplayingASHA)
    new = trial(stage, 5e-3, 4)
    for scheduler in (halving, fresh):
        scheduler.on_trial_add(None, new)
        assert report(scheduler, new, 2, 0.1) == TrialScheduler.CONTINUE  # before the first rung
    assert report(fresh, new, 3, 0.1) == TrialScheduler.CONTINUE
    assert not is_finished(stage.job.folder(new.config), "search")
    assert report(halving, new, 3, 0.1) == TrialScheduler.STOP
    assert stage.job.folder(new.config).read("end")["reason"] == "scheduler"


def test_trial_that_passed_a_rung_is_not_stopped_there_later(stage: Stage) -> None:
    weak = trial(stage, 1e-3, 1)
    for epoch in range(1, 6):
        stage.job.folder(weak.config).append({"epoch": epoch, VAL_AP: 0.1})
    strong = [trial(stage, 2e-3 + number / 1e3, 2 + number) for number in range(3)]
    halving = make_scheduler(stage, [])
    assert isinstance(halving, ReplayingASHA)
    halving.on_trial_add(None, weak)
    for one in strong:
        halving.on_trial_add(None, one)
        report(halving, one, 3, 0.9)
    replayed = [report(halving, weak, epoch, 0.1) for epoch in range(1, 6)]
    assert set(replayed) == {TrialScheduler.CONTINUE}


def test_trials_without_a_rung_all_run_to_their_end(stage: Stage) -> None:
    short = Stage(stage.name, stage.job, stage.trials, epochs=2)
    assert isinstance(make_scheduler(short, []), FIFOScheduler)
    assert not isinstance(make_scheduler(short, []), ReplayingASHA)


def test_search_leaves_the_log_of_trials_to_the_callback(
    stage: Stage,
) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)
    continue_search(stage)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
