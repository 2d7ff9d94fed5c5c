"""Stages on a real local Ray, with trials that fail, repeat and resume."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from data.pack import Pack
from tests.support.settings import make_settings
from tuning.cluster.ray_session import start_ray, stop_ray
from tuning.cluster.resources import Resources
from tuning.search.run_queue import run_queue
from tuning.search.work import SearchWork, Work, repeat_alone
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.trial.entry import list_entries
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import Domain
from tuning.trial.stage import Stage, StageJob
from tuning.trial.status import read_score

pytestmark = [pytest.mark.slow, pytest.mark.file_s(100)]

CONTEXT = CampaignContext("stages", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c")
TOO_FAST = 1e30  # a learning rate at which the loss is no longer finite


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    yield start_ray(make_settings())
    stop_ray()


def make_stage(
    root: Path, pack: Pack, config: Config, name: str, trials: int
) -> tuple[Stage, MLflowSender]:
    fixed = {name: value for name, value in config.items() if name not in ("arch", "lr")}
    job = StageJob(name, fixed, str(pack.path), str(root / "trials"))
    sender = MLflowSender(root, CONTEXT, DataRecord("twin", pack.hash, "twin:1", {}, {}))
    return Stage(name, job, trials, config["epochs"]), sender


def space_of(config: Config, rates: list[float]) -> dict[str, Domain]:
    arch: dict[str, Domain] = {f"arch.{name}": [value] for name, value in config["arch"].items()}
    return {"lr": rates, **arch}


def search(
    space: dict[str, Domain],
    stage: Stage,
    sender: MLflowSender,
    ray: Path,
    resources: Resources,
    chosen: list[str],
) -> None:
    """Run a search without repeats; add a word to *chosen* when it chooses."""
    one = SearchWork("unet", stage, space, resources, lambda: chosen.append("chosen"))
    repeat = replace(stage, name="repeat", trials=0)
    run_queue([Work("stages", sender, [one], repeat, list, {"unet": resources})], ray)


def test_failed_trial_neither_stops_the_study_nor_wins(
    resources: Resources, pack: Pack, config: Config, tmp_path: Path
) -> None:
    stage, sender = make_stage(tmp_path, pack, config, "search", 4)
    space = space_of(config, [3e-3, TOO_FAST])
    chosen: list[str] = []
    search(space, stage, sender, tmp_path / "ray", resources, chosen)
    scores = {p: read_score(TrialFolder(p)) for p in list_entries(stage)}
    found = [path for path, score in scores.items() if score is not None]
    assert [list_entries(stage)[path].config["lr"] for path in found] == [3e-3]
    assert chosen == ["chosen"]  # once, although a trial failed
    runs = {run.data.params["lr"]: run for run in sender.tracker.find_trials(study="unet")}
    assert len(runs) == 2  # a config drawn twice is one trial
    assert runs["0.003"].data.tags["ended_by"] == "last epoch"
    failed = runs[str(TOO_FAST)]
    assert failed.info.status == "FAILED"
    assert "The loss must stay finite" in failed.data.tags["error"]


def test_study_with_failed_trials_only_has_no_winner(
    resources: Resources, pack: Pack, config: Config, tmp_path: Path
) -> None:
    stage, sender = make_stage(tmp_path, pack, config, "search", 2)
    space = space_of(config, [TOO_FAST])
    search(space, stage, sender, tmp_path / "ray", resources, [])
    assert {read_score(TrialFolder(path)) for path in list_entries(stage)} == {None}
    assert {run.info.status for run in sender.tracker.find_trials()} == {"FAILED"}


@dataclass(frozen=True)
class Repeats:
    """Two finished repeats of a config, each a trial of its own."""

    root: Path
    configs: list[Config]
    stage: Stage
    sender: MLflowSender


@pytest.fixture(scope="module")
def repeats(
    resources: Resources, pack: Pack, base_config: Config, tmp_path_factory: pytest.TempPathFactory
) -> Repeats:
    root = tmp_path_factory.mktemp("repeats")
    configs = [base_config | {"seed": seed, "epochs": 4, "patience": 4} for seed in (42, 123)]
    stage, sender = make_stage(root, pack, base_config, "repeat", 2)
    run_queue([repeat_alone(configs, stage, sender, resources)], root / "ray")
    return Repeats(root, configs, stage, sender)


def test_repeats_measure_test_and_run_to_their_end(
    resources: Resources, pack: Pack, config: Config, repeats: Repeats
) -> None:
    assert all(repeats.stage.job.folder({"config": one}).read("test") for one in repeats.configs)
    found = repeats.sender.tracker.find_trials(stage="repeat")
    assert len(found) == 2
    for run in found:
        assert run.info.status == "FINISHED"
        assert run.data.metrics["test/n_samples"] == 4
    again, fresh = make_stage(repeats.root, pack, config, "repeat", 2)
    run_queue([repeat_alone(repeats.configs, again, fresh, resources)], repeats.root / "ray")
    assert len(fresh.tracker.find_trials()) == 2


class Killing(MLflowSender):
    """Kills the worker once, between a trial's first and last epoch."""

    killed = False

    def submit(self, folder: TrialFolder) -> None:
        super().submit(folder)
        if not self.killed and folder.history() and folder.read("end") is None:
            for process in psutil.Process().children(recursive=True):
                if "ray::ImplicitFunc" in " ".join(process.cmdline()):
                    process.kill()
                    type(self).killed = True


def read_runs(sender: MLflowSender) -> dict[str, dict[str, str]]:
    """Return the repeat runs' values as texts (NaN equals itself), without times and machine metrics."""
    left_out = ("time", "seconds", "hours", "memory", "system/", "bytes/", "env.", "mlflow.")
    left_out += ("model_uri", "number")  # the latter in the order of their start, which Ray chooses
    found = {}
    for run in sender.tracker.find_trials(stage="repeat"):
        values = {**run.data.metrics, **run.data.tags, **run.data.params, "status": run.info.status}
        kept = {k: repr(v) for k, v in values.items() if not any(one in k for one in left_out)}
        found[str(run.info.run_name)] = kept
    return found


def test_stacked_seeds_give_the_same_runs_as_single_ones_after_a_kill(
    resources: Resources, pack: Pack, config: Config, repeats: Repeats, tmp_path: Path
) -> None:
    plain = repeats.sender
    stage, _ = make_stage(tmp_path, pack, config, "repeat", 2)
    killing = Killing(tmp_path, plain.context, plain.data)
    stacked = replace(stage, stack=2)
    run_queue([repeat_alone(repeats.configs, stacked, killing, resources)], tmp_path / "ray")
    assert Killing.killed
    found, wanted = read_runs(killing), read_runs(plain)
    assert found == wanted
    assert len(wanted) == 2
