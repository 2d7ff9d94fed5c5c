"""Scores over the seeds of a model: means that skip no seed, and the seeds that found nothing."""

from collections.abc import Sequence

import pandas as pd

from tuning.metrics.scores import Confusion, is_blind
from tuning.report.results import ModelResult, RunResult


def average_seeds(seeds: pd.DataFrame, name: str) -> tuple[float, float]:
    """Return mean and standard deviation of a score over seeds; NaN if it is not defined for one of them.

    A seed that finds nothing has the score 0; leaving out seeds would flatter a model.
    """
    values = seeds[name]
    return float(values.mean(skipna=False)), float(values.std(skipna=False))


def find_blind_runs(model: ModelResult) -> list[RunResult]:
    """Return a model's runs that found nothing on test, at the threshold chosen on val, where there are landslides."""
    return [run for run in model.runs if is_blind(Confusion(*map(int, run.at_val.sum(axis=0))))]


def describe_blind_seeds(models: Sequence[ModelResult]) -> list[str]:
    """Name the seeds that found nothing on test, one sentence each; several folds are named too."""
    sentences = []
    for model in models:
        folds = len(model.by_seed[0]) > 1
        for run in find_blind_runs(model):
            place = f" on fold {run.fold}" if folds else ""
            sentences.append(f"{model.title} seed {run.seed} found no landslide{place}.")
    return sentences
