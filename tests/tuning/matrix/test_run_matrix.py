"""Tests of running a matrix: which cells run, whose search they take over, what is reported as missing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest

from tests.support.matrices import save_tiny
from tuning.campaign.finish import CampaignOutcome
from tuning.campaign.together import Member
from tuning.matrix import run_matrix as module
from tuning.matrix.plan import MatrixPlan
from tuning.matrix.run_matrix import MatrixOutcome, list_members, run_matrix
from tuning.matrix.saved_matrices import read_state
from tuning.settings.saved_campaigns import OUTCOME, campaign_folder
from tuning.settings.settings import Settings
from tuning.tracking.client import connect, find_runs
from tuning.trial.folder import write_json

NAMES = ["tiny-reference", "tiny-channels-VV", "tiny-train-0.5"]
Outcome = CampaignOutcome | str | BaseException
DONE = CampaignOutcome(pd.DataFrame(), ())


def finish(root: Path, campaign: str, missing: Sequence[str] = ()) -> None:
    folder = campaign_folder(root, campaign)
    write_json(folder / OUTCOME, {"reported": True, "missing": list(missing)})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What `run_together` was asked to run; ``outcomes`` says how each campaign ends."""
    record: dict[str, object] = {"calls": 0, "outcomes": {}}

    def run_together(root: Path, members: Sequence[Member]) -> Mapping[str, CampaignOutcome | str]:
        record["calls"] = int(str(record["calls"])) + 1
        record["members"] = [(one.settings.campaign, one.searched_in) for one in members]
        outcomes: dict[str, Outcome] = record["outcomes"]  # type: ignore[assignment]
        ended: dict[str, CampaignOutcome | str] = {}
        for one in members:
            outcome = outcomes.get(one.settings.campaign, DONE)
            if isinstance(outcome, BaseException):
                raise outcome
            ended[one.settings.campaign] = outcome
            if isinstance(outcome, CampaignOutcome):
                finish(root, one.settings.campaign, outcome.missing)
        return ended

    monkeypatch.setattr(module, "run_together", run_together)
    return record


def run(root: Path, plan: MatrixPlan, cells: list[Settings]) -> MatrixOutcome:
    return run_matrix(root, plan, cells)


def states(root: Path) -> dict[str, str]:
    return {run.data.tags["mlflow.runName"]: run.info.status for run in find_runs(*connect(root))}


def test_cells_take_over_the_search_of_the_reference_unless_each_has_its_own(
    tmp_path: Path,
) -> None:
    plan, cells = save_tiny(tmp_path)
    members = [
        (one.settings.campaign, one.searched_in) for one in list_members(plan, tmp_path, cells)
    ]
    assert members == [(NAMES[0], None), (NAMES[1], NAMES[0]), (NAMES[2], NAMES[0])]
    other = tmp_path / "other"
    plan, cells = save_tiny(other, "--search", "per-cell")
    assert {one.searched_in for one in list_members(plan, other, cells)} == {None}


def test_a_recipe_without_a_search_takes_over_none(tmp_path: Path) -> None:
    plan, cells = save_tiny(tmp_path, "--vary", "recipe=searched,published")
    found = {one.settings.recipe: one.searched_in for one in list_members(plan, tmp_path, cells)}
    assert found == {"searched": NAMES[0], "published": None}


def test_cells_that_are_done_do_not_run_again(tmp_path: Path) -> None:
    plan, cells = save_tiny(tmp_path)
    finish(tmp_path, NAMES[1])
    finish(tmp_path, NAMES[2], ["Every search trial of unet failed."])
    assert [one.settings.campaign for one in list_members(plan, tmp_path, cells)] == [
        NAMES[0],
        NAMES[2],
    ]
    finish(tmp_path, NAMES[0])  # its search is still needed
    assert [one.settings.campaign for one in list_members(plan, tmp_path, cells)] == [
        NAMES[0],
        NAMES[2],
    ]
    finish(tmp_path, NAMES[2])
    assert list_members(plan, tmp_path, cells) == []


def test_a_matrix_has_one_run_with_its_plan_and_ends_once(
    tmp_path: Path, asked: dict[str, object]
) -> None:
    plan, cells = save_tiny(tmp_path)
    assert run(tmp_path, plan, cells).missing == ()
    (found,) = find_runs(*connect(tmp_path), kind="matrix", matrix="tiny")
    assert (found.info.status, found.data.tags["key"]) == ("FINISHED", "matrix")
    assert found.data.params["axis.train"] == "0.5, 1"
    assert found.data.params["reference.channels"] == "s1"
    note = found.data.tags["mlflow.note.content"]
    assert "| channels=s1; train=1 | tiny-reference | done |" in note
    client, _ = connect(tmp_path)
    assert [file.path for file in client.list_artifacts(found.info.run_id)] == ["matrix.json"]
    assert read_state(tmp_path, "tiny")[1]
    assert run(tmp_path, plan, cells).missing == ()
    assert asked["calls"] == 1
    assert states(tmp_path) == {"tiny": "FINISHED"}


def test_a_matrix_s_run_carries_the_score_of_each_cell(
    tmp_path: Path, asked: dict[str, object]
) -> None:
    plan, cells = save_tiny(tmp_path)
    client, experiment_id = connect(tmp_path)
    for name, score in ((NAMES[0], 0.6), (NAMES[1], 0.5)):
        tags = {"kind": "campaign", "campaign": name, "matrix": "tiny"}
        run_id = client.create_run(experiment_id, tags=tags).info.run_id
        client.log_metric(run_id, "test/pr_auc_mean", score)
    run(tmp_path, plan, cells)
    (found,) = find_runs(client, experiment_id, kind="matrix", matrix="tiny")
    assert found.data.metrics == {"cells/tiny-reference": 0.6, "cells/tiny-channels-VV": 0.5}


def test_cells_that_fail_are_named_and_run_again(tmp_path: Path, asked: dict[str, object]) -> None:
    plan, cells = save_tiny(tmp_path)
    part = CampaignOutcome(pd.DataFrame(), ("1 of 2 repeat trials of unet failed.",))
    asked["outcomes"] = {NAMES[1]: "The disk is full.", NAMES[2]: part}
    outcome = run(tmp_path, plan, cells)
    assert outcome.missing == (
        "[channels=VV] The disk is full.",
        "[train=0.5] 1 of 2 repeat trials of unet failed.",
    )
    assert list(outcome.states.values()) == ["done", "failed", "incomplete"]
    assert states(tmp_path) == {"tiny": "FAILED"}
    asked["outcomes"] = {}
    assert run(tmp_path, plan, cells).missing == ()
    assert asked["calls"] == 2
    assert states(tmp_path) == {"tiny": "FINISHED"}


def test_an_interrupted_matrix_is_killed_and_goes_on_with_the_same_run(
    tmp_path: Path, asked: dict[str, object]
) -> None:
    plan, cells = save_tiny(tmp_path)
    asked["outcomes"] = {NAMES[1]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, plan, cells)
    assert states(tmp_path) == {"tiny": "KILLED"}
    asked["outcomes"] = {}
    assert run(tmp_path, plan, cells).missing == ()
    assert asked["members"] == [(NAMES[0], None), (NAMES[1], NAMES[0]), (NAMES[2], NAMES[0])]
    assert states(tmp_path) == {"tiny": "FINISHED"}


def test_another_matrix_of_this_name_on_the_tracker_is_refused(
    tmp_path: Path, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "one", *save_tiny(tmp_path / "one"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'one' / 'mlflow.db'}")
    with pytest.raises(ValueError, match=r"must be new on its tracker, but 'tiny' was begun there"):
        run(tmp_path / "two", *save_tiny(tmp_path / "two"))
    assert asked["calls"] == 1
