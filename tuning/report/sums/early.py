"""Columns of networks' scores soon after the event; the section is in :mod:`tuning.report.sections.early`."""

import numpy as np

from tuning.metrics.after_event import ALL, name_score
from tuning.report.results import ModelResult

GROUP = "early/"  # of the metrics in MLflow
VAL = "early_val_pr_auc"  # of the chosen run; by it the alias `rapid` is given
SCORES = ("pr_auc", "precision", "recall", "alarms_per_km2")  # means over runs


def make_early_columns(model: ModelResult) -> dict[str, float]:
    """Return a model's scores with one acquisition after the event, and with all, as means over its runs; NaN if unmeasured."""
    columns = {VAL: model.chosen.metric(GROUP + name_score("val_pr_auc", 1))}
    for after, prefix in ((1, "early"), (ALL, "late")):
        for score in SCORES:
            values = [run.metric(GROUP + name_score(score, after)) for run in model.runs]
            columns[f"{prefix}_{score}"] = float(np.mean(values))
    return columns
