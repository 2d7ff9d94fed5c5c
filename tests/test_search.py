"""Stages on a real local Ray, with trials that fail, repeat and resume."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import make_settings

from data.pack import Pack
from tuning.cluster import start_ray, stop_ray
from tuning.delivery import Delivery
from tuning.journal import Config
from tuning.placement import Resources
from tuning.records import Context, DataRecord
from tuning.search import run_repeats, run_search
from tuning.space import Domain
from tuning.stage import Job, Stage

pytestmark = pytest.mark.slow

CONTEXT = Context("stages", "smoke", "blocks", "s", "d", "synthetic", "s1", "2 even", "c")
TOO_FAST = 1e30  # a learning rate at which the loss leaves the finite numbers


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    yield start_ray(make_settings())
    stop_ray()


def make_stage(
    root: Path, pack: Pack, config: Config, name: str, trials: int
) -> tuple[Stage, Delivery]:
    fixed = {name: value for name, value in config.items() if name not in ("arch", "lr")}
    job = Job(name, fixed, str(pack.path), str(root / "trials"))
    delivery = Delivery(root, CONTEXT, DataRecord("twin", pack.hash, "twin:1", {}, {}))
    return Stage(name, job, trials, config["epochs"]), delivery


def space_of(config: Config, rates: list[float]) -> dict[str, Domain]:
    arch: dict[str, Domain] = {f"arch.{name}": [value] for name, value in config["arch"].items()}
    return {"lr": rates, **arch}


def test_failed_trial_stops_neither_the_study_nor_wins(
    resources: Resources, pack: Pack, config: Config, tmp_path: Path
) -> None:
    stage, delivery = make_stage(tmp_path, pack, config, "search", 4)
    space = space_of(config, [3e-3, TOO_FAST])
    found = run_search("unet", space, stage, delivery, tmp_path / "ray", resources)
    assert [winner["lr"] for winner in found] == [3e-3]
    runs = {run.data.params["lr"]: run for run in delivery.tracker.find_trials(study="unet")}
    assert len(runs) == 2  # a config drawn twice is one trial
    assert runs["0.003"].data.tags["ended_by"] == "last epoch"
    failed = runs[str(TOO_FAST)]
    assert failed.info.status == "FAILED"
    assert "The loss must stay finite" in failed.data.tags["error"]


def test_study_whose_every_trial_failed_has_no_winner(
    resources: Resources, pack: Pack, config: Config, tmp_path: Path
) -> None:
    stage, delivery = make_stage(tmp_path, pack, config, "search", 2)
    space = space_of(config, [TOO_FAST])
    assert run_search("unet", space, stage, delivery, tmp_path / "ray", resources) == []
    assert {run.info.status for run in delivery.tracker.find_trials()} == {"FAILED"}


def test_repeats_measure_test_and_run_to_their_end(
    resources: Resources, pack: Pack, config: Config, tmp_path: Path
) -> None:
    stage, delivery = make_stage(tmp_path, pack, config, "repeat", 2)
    configs = [config | {"seed": seed} for seed in (42, 123)]
    done = run_repeats(configs, stage, delivery, tmp_path / "ray", resources)
    assert sorted(config["seed"] for config in done) == [42, 123]
    for run in delivery.tracker.find_trials(stage="repeat"):
        assert run.info.status == "FINISHED"
        assert run.data.metrics["test/n_samples"] == 4
    again, fresh = make_stage(tmp_path, pack, config, "repeat", 2)
    assert len(run_repeats(configs, again, fresh, tmp_path / "ray", resources)) == 2
    assert len(fresh.tracker.find_trials()) == 2
