"""Columns of scores against the true ground, which is known on the twin alone (:mod:`tuning.report.ceiling`)."""

import pandas as pd

from tuning.metrics.curve import average_precision
from tuning.metrics.scores import confuse, f1_dice, iou
from tuning.report.results import ModelResult
from tuning.report.sums.run_result import RunResult

SCORES = ("pr_auc", "f1_dice", "iou")


def score_truth(run: RunResult) -> dict[str, float]:
    """Score a run's map against the true ground; NaN if that is not known or has no landslide."""
    pixels = confuse(run.truth, run.threshold)
    values = (average_precision(run.truth), f1_dice(pixels), iou(pixels))
    return {f"{name}_truth": value for name, value in zip(SCORES, values, strict=True)}


def make_truth_columns(model: ModelResult) -> dict[str, float]:
    """Return the columns ``pr_auc_truth``, ``f1_dice_truth`` and ``iou_truth``: means over seeds and folds."""
    scores = pd.DataFrame([score_truth(run) for run in model.runs])
    return {name: float(scores[name].mean(skipna=False)) for name in scores}
