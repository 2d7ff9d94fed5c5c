"""The section with confusion matrices at the threshold chosen on val: a small panel per model, and a table of areas."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.tiles import PIXEL_M
from tuning.page.html import Folded, Image, Section, Table
from tuning.plots.confusions import draw_confusions
from tuning.plots.trial_figures import save
from tuning.report.ranking import Ranking
from tuning.report.results import ModelResult

TITLE = "Confusion matrices"
FIGURE = "confusion_matrices.png"
PIXEL_KM2 = PIXEL_M**2 / 1e6
MOST_PANELS = 10
CAPTION = (
    "Share of the pixels of each label that a model calls background and landslide, at its threshold chosen on val: mean over seeds. "
    "Each row adds to 100 %."
)


def average_counts(model: ModelResult) -> np.ndarray:
    """Return tp, fp, fn and tn in pixels over all test tiles: mean over seeds, sum over folds, shape ``(4,)``."""
    counts: np.ndarray = model.stack("at_val").sum(axis=1).mean(axis=0)
    return counts


def make_matrix(counts: np.ndarray) -> np.ndarray:
    """Return the shares of each label's pixels, rows background and landslide, from tp, fp, fn and tn, shape ``(2, 2)``."""
    tp, fp, fn, tn = counts
    table = np.array([[tn, fp], [fn, tp]], dtype=float)
    totals = table.sum(axis=1, keepdims=True)
    shares = np.full((2, 2), np.nan)
    np.divide(table, totals, out=shares, where=totals > 0)
    return shares


def pick_panels(ranking: Ranking) -> list[ModelResult]:
    """Return the models with a panel: those of the primary family, or the best ones if there is none."""
    inside = [model for model in ranking.models if model.title in ranking.places]
    return (inside or list(ranking.models))[:MOST_PANELS]


def draw_matrices(ranking: Ranking, folder: Path, synthetic: bool) -> Path:
    """Draw the matrices of the compared models into one figure; return its path."""
    shares = {one.title: make_matrix(average_counts(one)) for one in pick_panels(ranking)}
    figure = draw_confusions(shares, "Confusion matrices on test, mean over seeds", synthetic)
    return save(figure, folder / FIGURE)


def build_confusion_section(models: Sequence[ModelResult], figure: Path) -> Section:
    """Build the section: the figure, and areas of all models folded.

    Args:
        models: Ranked models.
        figure: The drawn matrices.
    """
    rows = [_make_row(model) for model in models]
    columns = ("model", "found, km²", "missed, km²", "found wrongly, km²", "background, km²")
    table = Table(
        (*columns, "threshold on val"),
        rows,
        "Areas on all test tiles at the threshold chosen on val, mean over seeds",
    )
    return Section(TITLE, [Image(figure, CAPTION), Folded("Areas of all models", [table])])


def _make_row(model: ModelResult) -> list[Any]:
    tp, fp, fn, tn = average_counts(model) * PIXEL_KM2
    thresholds = sorted({round(run.threshold, 3) for run in model.runs})
    shown = f"{thresholds[0]:.3f}" + (f" to {thresholds[-1]:.3f}" if len(thresholds) > 1 else "")
    return [model.title, *(f"{area:,.2f}" for area in (tp, fn, fp, tn)), shown]
