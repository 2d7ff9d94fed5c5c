"""Scores of studies and of a campaign in MLflow: mean and standard deviation over the seeds of the repeat runs.

They are metrics of the study's run; the campaign's run has those of its best study. So both sort in MLflow's table. They are
written by the driver when a repeat trial ends, and again by the report, which adds the intervals.
"""

import math
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.entities import Metric, Run, RunTag
from mlflow.tracking import MlflowClient

from tuning.store.duplicates import DUPLICATE
from tuning.tracking.client import find_runs
from tuning.tracking.log_model import collect_scores
from tuning.tracking.ui_links import TEST_AP
from tuning.trial.entry import TrialEntry, list_trials
from tuning.trial.folder import VAL_AP, TrialFolder
from tuning.trial.status import read_end

SCORES = (TEST_AP, "test/f1_dice", "test/iou", "test/precision", "test/recall", VAL_AP)
BEST = f"{TEST_AP}_mean"  # the score by which studies and campaigns are ordered
LOW, HIGH = f"{TEST_AP}_low", f"{TEST_AP}_high"  # ends of its 95 % interval
SEEDS = "n_seeds"
BEST_MODEL = "best_model"  # tag of a campaign's run: the study of its scores


@dataclass(frozen=True)
class RepeatScores:
    """Scores of a repeat trial that was measured on test, by the names that they have in its run."""

    study: str
    seed: str
    fold: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class StudyScores:
    """Scores of a study over its seeds, by the names that they have in its run."""

    study: str
    values: Mapping[str, float]


def read_scores(run: Run) -> RepeatScores:
    """Return the scores of a finished repeat run."""
    tags, metrics = run.data.tags, run.data.metrics
    values = {name: metrics.get(name, math.nan) for name in SCORES}
    return RepeatScores(tags["study"], tags["seed"], tags["fold"], values)


def load_scores(folder: TrialFolder, entry: TrialEntry) -> RepeatScores | None:
    """Return the scores of a repeat trial from its folder; None for another trial, and before test is measured."""
    if entry.kind != "repeat" or folder.read("test") is None:
        return None
    if (read_end(folder, entry.kind) or ("error",))[0] == "error":
        return None
    found, tags = collect_scores(folder), entry.tags
    values = {name: found.get(name, math.nan) for name in SCORES}
    return RepeatScores(tags["study"], tags["seed"], tags["fold"], values)


def load_all_scores(trials: Path) -> dict[str, RepeatScores]:
    """Return the scores of the repeat trials of a campaign's ``trials`` folder, by trial key."""
    found = {
        path.name: load_scores(TrialFolder(path), entry)
        for path, entry in list_trials(trials).items()
        if entry.kind == "repeat"
    }
    return {key: scores for key, scores in found.items() if scores is not None}


def summarise_studies(
    repeats: Iterable[RepeatScores], folds: Collection[str] = ()
) -> list[StudyScores]:
    """Return the scores of each study, highest mean average precision on test first.

    As in the report, the score of a seed is its mean over the folds, a seed that lacks a fold does not count, and the standard
    deviation has one degree of freedom less than seeds; it is NaN for a single seed.

    Args:
        repeats: Scores of the repeat trials.
        folds: The campaign's folds; those of *repeats* if there are none.
    """
    by_seed: dict[str, dict[str, dict[str, RepeatScores]]] = {}
    for one in repeats:
        by_seed.setdefault(one.study, {}).setdefault(one.seed, {})[one.fold] = one
    needed = set(folds) or {
        fold for study in by_seed.values() for one in study.values() for fold in one
    }
    found = []
    for study, seeds in by_seed.items():
        if whole := [list(one.values()) for one in seeds.values() if needed <= one.keys()]:
            found.append(StudyScores(study, _average(whole)))
    return sorted(found, key=lambda one: (-one.values[BEST], one.study))


def _average(seeds: list[list[RepeatScores]]) -> dict[str, float]:
    averages: dict[str, float] = {SEEDS: float(len(seeds))}
    for name in SCORES:
        values = np.array([np.mean([run.values[name] for run in runs]) for runs in seeds])
        averages[f"{name}_mean"] = float(values.mean())
        averages[f"{name}_std"] = float(values.std(ddof=1)) if len(seeds) > 1 else math.nan
    return averages


def log_study_scores(
    client: MlflowClient, campaign: str, runs: Mapping[str, str], studies: Iterable[StudyScores]
) -> None:
    """Log the scores of studies, and those of the best one as the campaign's.

    Args:
        client: MLflow client.
        campaign: Id of the campaign's run.
        runs: Ids of the studies' runs, by study; one without a run is left out.
        studies: Their scores, best first.
    """
    ranked = list(studies)
    for one in ranked:
        if one.study in runs:
            log_changes(client, runs[one.study], one.values)
    for best in ranked[:1]:
        log_changes(client, campaign, best.values, {BEST_MODEL: best.study})


def log_final_scores(
    client: MlflowClient,
    campaign: Run,
    repeats: Iterable[Run],
    ends: Mapping[str, tuple[float, float]],
) -> None:
    """Log the scores of a campaign's studies with their intervals, from its finished repeat runs.

    Args:
        client: MLflow client.
        campaign: The campaign's run.
        repeats: Its finished repeat runs.
        ends: Ends of the interval of each reported study's mean average precision on test.
    """
    studies = [
        StudyScores(one.study, {**one.values, LOW: ends[one.study][0], HIGH: ends[one.study][1]})
        for one in summarise_studies(map(read_scores, repeats))
        if one.study in ends
    ]
    name, experiment_id = campaign.data.tags["campaign"], campaign.info.experiment_id
    found = find_runs(client, experiment_id, kind="study", campaign=name)
    runs = {
        run.data.tags["study"]: run.info.run_id for run in found if DUPLICATE not in run.data.tags
    }
    log_study_scores(client, campaign.info.run_id, runs, studies)


def log_changes(
    client: MlflowClient,
    run_id: str,
    values: Mapping[str, float],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Log the metrics and tags that a run lacks or has otherwise, so that a second time adds nothing.

    A value that is not defined is logged only in place of a former one.
    """
    has, now = client.get_run(run_id).data, int(time.time() * 1000)
    metrics = [
        Metric(name, value, now, 0)
        for name, value in values.items()
        if not _is_same(value, has.metrics.get(name, math.nan))
    ]
    changed = [
        RunTag(name, text) for name, text in (tags or {}).items() if has.tags.get(name) != text
    ]
    if metrics or changed:
        client.log_batch(run_id, metrics=metrics, tags=changed)


def _is_same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-12) or (math.isnan(one) and math.isnan(other))
