"""What was searched for each model, and what was chosen: one record per model, from runs and the search space's code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tuning.baselines.baselines import BASELINES
from tuning.report.results import ModelResult
from tuning.report.study.importance import Importance, list_samples, rate_importance
from tuning.report.study.ranges import Chosen, find_space, format_value, list_chosen
from tuning.report.study.records import StudyRecords
from tuning.trial.search_space import Domain

CSV = "hyperparameters.csv"
_BASELINE_PREFIX = "params."  # of a baseline's searched values among its run's params
# Params of a network's run that no search chooses, and that a reader knows from elsewhere on the page.
_NOT_SEARCHED = ("model", "channels", "seed", "split", "data", "steps", "timesteps")
ENDS = {
    "last epoch": "finished",
    "patience": "finished",
    "scheduler": "stopped",
    "error": "failed",
}


@dataclass(frozen=True)
class SearchRecord:
    """One model's search.

    Attributes:
        title: The model.
        is_baseline: Whether it is a baseline.
        chosen: Values beside their ranges; empty if the code has no range for them.
        unranged: Chosen values whose range is not known, readable, by name.
        importance: Importance of the searched values on the first searched fold.
        counts: Trials that finished, were stopped by the scheduler, failed, or have another end, over all searched folds.
    """

    title: str
    is_baseline: bool
    chosen: tuple[Chosen, ...]
    unranged: Mapping[str, str]
    importance: Importance
    counts: Mapping[str, int]

    @property
    def trials(self) -> int:
        """Number of all trials."""
        return sum(self.counts.values())


def list_searches(
    models: Sequence[ModelResult],
    params: Mapping[str, str],
    searches: pd.DataFrame,
    records: StudyRecords,
) -> list[SearchRecord]:
    """Return a record for each model, networks first, each kind in the order of the ranking.

    Args:
        models: Ranked models.
        params: Params of the campaign's run.
        searches: Content of ``search_trials.csv``.
        records: Samples of the baselines.
    """
    networks = [_describe_network(m, params, searches) for m in models if not m.is_baseline]
    return networks + [_describe_baseline(m, records) for m in models if m.is_baseline]


def _describe_network(
    model: ModelResult, params: Mapping[str, str], searches: pd.DataFrame
) -> SearchRecord:
    configs = [run.run.data.params for run in model.by_seed[0]]
    own = searches[searches["model"] == model.key] if len(searches) else searches
    space, importance = find_space(params, model.key), Importance(0)
    chosen: list[Chosen] = []
    if space is not None:
        chosen = list_chosen(configs, space)
        if len(own):
            first = own[own["split"] == own["split"].iloc[0]]
            importance = rate_importance(*list_samples(first, space), space)
        chosen = [_widen(one, own) for one in chosen]
    unranged = _list_unranged(configs, own, {one.name for one in chosen})
    return SearchRecord(model.title, False, tuple(chosen), unranged, importance, count_ends(own))


def _widen(chosen: Chosen, trials: pd.DataFrame) -> Chosen:
    """Replace the range by the values that were tried where the code's range no longer holds the chosen one."""
    if chosen.known:
        return chosen
    column = f"param/{chosen.name}"
    texts = trials[column].dropna().astype(str) if column in trials else pd.Series(dtype=str)
    tried = ", ".join(dict.fromkeys(map(format_value, texts.head(20))))
    return replace(chosen, searched=f"another range than now; tried: {tried or 'unknown'}")


def _list_unranged(
    configs: Sequence[Mapping[str, str]], trials: pd.DataFrame, known: set[str]
) -> dict[str, str]:
    """Return chosen values without a range that the search trials show to have varied, or that belong to the architecture."""
    found = {}
    for name in sorted({name for config in configs for name in config}.difference(known)):
        column = f"param/{name}"
        varied = column in trials and trials[column].nunique() > 1 and name not in _NOT_SEARCHED
        if varied or name.startswith("arch."):
            texts = dict.fromkeys(config[name] for config in configs if name in config)
            found[name] = " / ".join(map(format_value, texts))
    return found


def count_ends(trials: pd.DataFrame) -> dict[str, int]:
    """Count trials by how they ended: finished, stopped by the scheduler, failed, or anything else."""
    counts = dict.fromkeys(("finished", "stopped", "failed", "other"), 0)
    for reason in trials["ended_by"] if len(trials) else ():
        counts[ENDS.get(reason, "other")] += 1
    return counts


def _describe_baseline(model: ModelResult, records: StudyRecords) -> SearchRecord:
    if model.key not in BASELINES:  # predictions that another program made
        return SearchRecord(model.title, True, (), {}, Importance(0), count_ends(pd.DataFrame()))
    space: Mapping[str, Domain] = BASELINES[model.key].space
    configs = [_pick_values(run.run.data.params) for run in model.by_seed[0]]
    tried = records.tried.get(model.title, ())
    samples = [one for one in tried if set(one.params) == set(space)]
    values: list[dict[str, Any]] = [
        {name: str(value) for name, value in one.params.items()} for one in samples
    ]
    frame = pd.DataFrame([{f"param/{name}": text for name, text in one.items()} for one in values])
    frame["val_pr_auc"] = [one.val_pr_auc for one in samples]
    frame["ended_by"] = "last epoch"
    importance = rate_importance(*list_samples(frame, space), space)
    counts = {"finished": len(tried), "stopped": 0, "failed": 0, "other": 0}
    chosen = [_widen(one, frame) for one in list_chosen(configs, space)]
    return SearchRecord(model.title, True, tuple(chosen), {}, importance, counts)


def _pick_values(params: Mapping[str, str]) -> dict[str, str]:
    """Return a baseline's searched values among its run's params."""
    return {
        name.removeprefix(_BASELINE_PREFIX): text
        for name, text in params.items()
        if name.startswith(_BASELINE_PREFIX)
    }


def make_csv_rows(records: Sequence[SearchRecord]) -> list[dict[str, Any]]:
    """Make the rows of ``hyperparameters.csv``: one per model and hyperparameter."""
    return [
        {
            "model": record.title,
            "hyperparameter": one.name,
            "chosen": one.value,
            "searched": one.searched,
            "edge": one.edge,
            "trials": record.trials,
            "importance": record.importance.shares.get(one.name),
            "importance_by_chance": record.importance.by_chance.get(one.name),
        }
        for record in records
        for one in record.chosen
    ]
