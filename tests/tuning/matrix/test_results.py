"""Tests of `tuning.matrix.results`, `tuning.matrix.cell_models` and `tuning.matrix.train_size`."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.support.matrix_runs import Planted, log_matrix, make_axes, make_plan
from tuning.matrix.cell_models import Cost
from tuning.matrix.cell_results import COMPLETE, MISSING, PARTIAL
from tuning.matrix.plan import PLAN_FILE
from tuning.matrix.results import find_matrix, read_matrix
from tuning.statistics.estimate import FIXED
from tuning.tracking.client import connect, find_runs


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    channels, _ = make_axes()
    small = replace(channels, levels=channels.levels[:2])
    plan = make_plan([small], models=("unet",), seeds=2)
    root = tmp_path_factory.mktemp("logged")
    lost = {"planted-channels-1": {"unet": (1,)}}
    log_matrix(root, Planted(plan, lost=lost, other_tiles=("planted-channels-1",)))
    return root


@pytest.fixture
def client(tmp_path: Path, logged: Path) -> MlflowClient:
    shutil.copytree(logged, tmp_path, dirs_exist_ok=True)
    return connect(tmp_path)[0]


def folder_of(client: MlflowClient, root: Path, **tags: str) -> Path:
    run = find_runs(client, connect(root)[1], **tags)[0]
    return Path(run.info.artifact_uri.removeprefix("file://"))


def test_a_matrix_is_read_from_mlflow_alone(client: MlflowClient, tmp_path: Path) -> None:
    results = read_matrix(*connect(tmp_path), "planted")
    first, second = results.cells
    assert [cell.status for cell in results.cells] == [COMPLETE, PARTIAL]
    assert results.missing == ("channels=VV: unet has 1 of 2 repeat runs.",)
    unet, log_ratio = first.models
    assert (unet.seeds, log_ratio.seeds) == ((0, 1), (0,))
    assert (unet.kind, log_ratio.kind) == ("unet", FIXED)
    runs = find_runs(client, results.run.info.experiment_id, study="unet", seed="0")
    scores = [run.data.metrics["test/pr_auc"] for run in runs]
    assert unet.pr_auc[0, 0] == pytest.approx(scores[0])
    assert second.by_key["unet"].mean == pytest.approx(scores[1])
    assert first.train == (160, 144_000)
    assert unet.cost.hours == pytest.approx((0.04, 0))
    assert results.at("channels", "VV") is second


def test_what_two_cells_share_costs_once() -> None:
    both = Cost({"a": 1.0, "b": 2.0}, {}) + Cost({"b": 2.0, "c": 4.0}, {"c": 0.5})
    assert (both.trainings, both.hours) == (3, (7.0, 0.5))


def test_cells_on_other_tiles_are_another_sample(client: MlflowClient, tmp_path: Path) -> None:
    results = read_matrix(*connect(tmp_path), None)
    assert [len(sample.scores) for sample in results.samples] == [2, 2]
    assert set(results.kinds) == {name for one in results.samples for name in one.scores}


def test_a_cell_of_forged_runs_is_missing_and_the_others_stay(
    client: MlflowClient, tmp_path: Path
) -> None:
    file = folder_of(client, tmp_path, campaign="planted-channels-1", study="unet")
    np.save(file / "trial" / "val_counts.npy", np.zeros((2, 3), np.int64))
    results = read_matrix(*connect(tmp_path), None)
    assert [cell.status for cell in results.cells] == [COMPLETE, MISSING]
    assert "val_counts.npy" in results.missing[0]


def test_a_campaign_of_another_matrix_is_no_cell(client: MlflowClient, tmp_path: Path) -> None:
    run = find_runs(client, connect(tmp_path)[1], kind="campaign", campaign="planted-channels-1")[0]
    client.set_tag(run.info.run_id, "matrix", "other")
    assert read_matrix(*connect(tmp_path), None).missing == (
        "channels=VV: Campaign 'planted-channels-1' must be of matrix 'planted', but its tag says 'other'. Rename it.",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "must have the size of each train part, but got None"),
        ({"splits": [{"parts": {"train": {"tiles": "9"}}}]}, r"but got \[\('9', None\)\]"),
        ({"splits": [7]}, r"but got \[\(None, None\)\]"),
    ],
)
def test_a_forged_audit_of_splits_costs_its_cell_alone(
    client: MlflowClient, tmp_path: Path, content: object, message: str
) -> None:
    folder = folder_of(client, tmp_path, kind="campaign", campaign="planted-channels-1")
    (folder / "splits.json").write_text(json.dumps(content))
    missing = read_matrix(*connect(tmp_path), None).missing
    assert re.search(f"channels=VV: .*{message}", missing[0])


def test_an_unknown_matrix_gets_the_nearest_name(client: MlflowClient, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown matrix 'plantet'. Did you mean 'planted'"):
        find_matrix(*connect(tmp_path), "plantet")


def test_no_matrix_a_matrix_without_a_plan_and_one_without_runs_are_refused(
    tmp_path: Path,
) -> None:
    client, experiment = connect(tmp_path)
    with pytest.raises(ValueError, match=r"needs a matrix, but MLflow holds none. Run `python -m"):
        read_matrix(client, experiment, None)
    client.create_run(experiment, tags={"kind": "matrix", "matrix": "../up"})
    with pytest.raises(ValueError, match="needs a matrix, but MLflow holds none"):
        find_matrix(client, experiment, None)
    run = client.create_run(experiment, tags={"kind": "matrix", "matrix": "empty"}).info.run_id
    with pytest.raises(
        ValueError, match=rf"artifact matrix.json, but run {run} .*'empty' has none"
    ):
        read_matrix(client, experiment, None)
    plan = make_plan(make_axes(), "empty")
    client.log_dict(run, json.loads(json.dumps(plan.to_json())), PLAN_FILE)
    with pytest.raises(
        ValueError, match=r"'empty' has none: campaign empty-reference has not begun"
    ):
        read_matrix(client, experiment, None)
    client.log_dict(run, json.loads(json.dumps(plan.to_json() | {"name": "other"})), PLAN_FILE)
    with pytest.raises(ValueError, match=r"must have its name, but got 'other' in matrix.json of"):
        read_matrix(client, experiment, "empty")
