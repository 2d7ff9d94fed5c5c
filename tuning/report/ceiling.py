"""The ceiling: what a perfect mapper of the true ground would score against the labels, and each model's scores against both.

Labels of landslides are drawn by people: some landslides are missing, and outlines are inexact. So no map can score 1 against
them. How far below 1 the ceiling lies is known only where the true ground is, that is on the twin
(:mod:`data.twin.ground`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import BINS, count_stored
from tuning.metrics.scores import confuse, f1_dice, iou
from tuning.objects.object_scores import score_objects
from tuning.objects.objects import count_objects
from tuning.page.html import Section, Table, Text
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult
from tuning.report.sums.truth import SCORES

CEILING_FILE = "benchmark_ceiling.csv"
PERFECT = "perfect mapper"
TITLES = ("AP", "F1", "IoU")
WHY = (
    "A **perfect mapper** knows where the ground truly slid, and nothing of how the labels were drawn. Against the labels it does not "
    "score 1, because some landslides are not drawn and outlines are shifted, wider or narrower. A score against labels is to be "
    "read beside this row, not beside 1. It is known because these tiles are synthetic; for real tiles it is not."
)
NOTE = (
    "Means over seeds and folds; F1 and IoU at the threshold chosen on val, which fits the labels. The perfect mapper's map is "
    "binary: its AP is that of a single threshold, below what probabilities could reach."
)


def score_perfect_mapper(layers: ReferenceLayers, tile_ids: Sequence[str]) -> dict[str, float]:
    """Score the map that is 1 on the true ground and 0 elsewhere against the labels.

    Args:
        layers: With the true ground.
        tile_ids: The test tiles of one fold.

    Returns:
        ``pr_auc`` (of two thresholds: one that finds the ground, one that finds everything), ``f1_dice``, ``iou`` and
        ``object_f1``.
    """
    rows = layers.rows(tile_ids)
    mask, truth = layers.mask[rows], layers.truth[rows]
    counts = count_stored(truth.astype(np.int64) * (BINS - 1), mask)
    pixels = confuse(counts, 0.5)
    objects = score_objects(
        count_objects(truth > 0, mask, layers.find_neighbours(tile_ids), layers.mmu_m2)
    )
    values = (average_precision(counts), f1_dice(pixels), iou(pixels))
    return dict(zip(SCORES, values, strict=True)) | {"object_f1": objects["object_f1"]}


def make_ceiling_rows(
    models: Sequence[ModelResult], layers: ReferenceLayers, table: pd.DataFrame
) -> list[dict[str, Any]]:
    """Make the rows of ``benchmark_ceiling.csv``: the perfect mapper, then the models; none without a known ground.

    Args:
        models: Ranked models, all with the same folds.
        layers: Reference layers of their test tiles.
        table: Content of ``benchmark_master.csv``, a row per model.
    """
    if not len(layers.truth):
        return []
    folds = [score_perfect_mapper(layers, run.tile_ids) for run in models[0].by_seed[0]]
    perfect = pd.DataFrame(folds).mean(skipna=False).to_dict()
    exact = {f"{name}_truth": 1.0 for name in SCORES}
    return [{"model": PERFECT, **perfect, **exact}, *map(_make_row, table.to_dict("records"))]


def _make_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    labels = {name: row[f"{name}_mean"] for name in SCORES}
    truth = {f"{name}_truth": row[f"{name}_truth"] for name in SCORES}
    return {"model": row["model"], **labels, "object_f1": row["object_f1"], **truth}


def write_ceiling(
    models: Sequence[ModelResult], layers: ReferenceLayers, table: pd.DataFrame, folder: Path
) -> None:
    """Write ``benchmark_ceiling.csv`` into the report's folder, if the true ground is known."""
    if rows := make_ceiling_rows(models, layers, table):
        pd.DataFrame(rows).to_csv(folder / CEILING_FILE, index=False)


def describe_ceiling(folder: Path) -> str:
    """Describe the perfect mapper's scores in a sentence; empty without ``benchmark_ceiling.csv``."""
    if not (file := folder / CEILING_FILE).is_file():
        return ""
    perfect = pd.read_csv(file).iloc[0]
    return (
        f"A perfect mapper of the true ground would have F1 {perfect['f1_dice']:.3f} and IoU {perfect['iou']:.3f} against these "
        "labels, not 1."
    )


def build_ceiling_section(folder: Path) -> Section | None:
    """Build the section on the ceiling from ``benchmark_ceiling.csv``; None without that file."""
    if not (file := folder / CEILING_FILE).is_file():
        return None
    scores = pd.read_csv(file)
    names = [column for name in SCORES for column in (name, f"{name}_truth")]
    columns = [f"{title}, {what}" for title in TITLES for what in ("labels", "truth")]
    rows = [
        [row["model"], *(row[name] for name in (*names, "object_f1"))]
        for _, row in scores.iterrows()
    ]
    caption = "Scores on test against the labels and against the true ground"
    table = Table(["model", *columns, "object F1, labels"], rows, caption, NOTE)
    return Section("Ceiling: labels and true ground", [Text(WHY), table])
