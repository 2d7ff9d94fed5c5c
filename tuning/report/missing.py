"""What a campaign's report lacks: repeat runs, and the reason where the campaign knows it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from models import find_place
from tuning.report.results import is_finished_repeat
from tuning.settings.roots import resume_command
from tuning.tracking.client import connect_existing, find_runs
from tuning.tracking.tracker import MODEL_ERROR
from tuning.tracking.validate_runs import read_expected

EXPECTED_RUNS_TAG = "expected_runs"  # tag of the campaign's run: repeat runs by model, as JSON
MAX_REASON = 1000  # characters of the reason of a failure


def describe_missing_runs(client: MlflowClient, campaign: Run, repeats: Sequence[Run]) -> list[str]:
    """Describe the campaign's missing repeat runs, one sentence per model, with the error of its study if there is one."""
    expected = read_expected(campaign, EXPECTED_RUNS_TAG)
    finished = [run.data.tags.get("study") for run in repeats if is_finished_repeat(run)]
    lacking = [model for model, count in expected.items() if finished.count(model) < count]
    if not lacking:
        return []
    reasons = _read_reasons(client, campaign)
    return [
        f"{model} has {finished.count(model)} of {expected[model]} repeat runs. {reasons.get(model, '')}".strip()
        for model in lacking
    ]


def _read_reasons(client: MlflowClient, campaign: Run) -> dict[str, str]:
    """Return why studies failed as a whole, by model."""
    name = campaign.data.tags["campaign"]
    studies = find_runs(client, campaign.info.experiment_id, kind="study", campaign=name)
    return {study.data.tags.get("study", ""): read_reason(study, "error") for study in studies}


def describe_model_errors(runs: Iterable[Run]) -> list[str]:
    """Describe the trials whose network could not be exported after training, one sentence per architecture."""
    found: dict[str, list[str]] = {}
    for run in runs:
        if reason := read_reason(run, MODEL_ERROR):
            found.setdefault(run.data.tags.get("study", ""), []).append(reason)
    return [
        f"{model} lacks a model in {len(reasons)} run{'s'[: len(reasons) - 1]}, whose scores count: {reasons[0].rstrip('.')}. Correct "
        f"{find_place(model)}, then continue the campaign with --resume."
        for model, reasons in sorted(found.items())
    ]


def list_model_errors(root: Path, campaign: str) -> list[str]:
    """Read a campaign's repeat runs and describe those without a model."""
    client, experiment_id = connect_existing(root)
    tags = {"campaign": campaign, "kind": "trial", "stage": "repeat"}
    return describe_model_errors(find_runs(client, experiment_id, **tags))


def read_reason(run: Run, tag: str) -> str:
    """Return the sentences of a tag that says what failed, shortened and printable; empty without the tag."""
    text = " ".join(run.data.tags.get(tag, "").split())
    shown = "".join(one if one.isprintable() else "?" for one in text)
    return shown if len(shown) <= MAX_REASON else f"{shown[:MAX_REASON]}…"


def partial_error(root: Path, campaign: Run, missing: Sequence[str]) -> ValueError:
    """Return the error for a report of a campaign that is not complete."""
    name = campaign.data.tags["campaign"]
    return ValueError(
        f"A ranking needs every repeat run, but in campaign {name!r} {' '.join(missing)} "
        f"Continue it with `{resume_command(root, name)}`, or report the finished runs with --partial."
    )
