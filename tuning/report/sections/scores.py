"""Sections about scores: curves, landslides as objects, scores by terrain, and the published study."""

from dataclasses import asdict
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from tuning.metrics.recalibration import CALIBRATED
from tuning.metrics.scores import METRICS
from tuning.objects.threshold_scores import THRESHOLD_SCORES
from tuning.page.html import Block, Section, Table, Text, format_cell
from tuning.report.context import ReportContext, describe_blind_seeds, format_spread
from tuning.report.sums.conditions import average_conditions
from tuning.report.tables import AFTER_CALIBRATION

RANKING_METRICS = ("pr_auc", "f1_dice", "iou")  # the table of the ranking shows these
GROUP_COLUMNS = ("class", "pixels", "landslide px", "AP", "precision", "recall", "F1")
# The published study's test scores at threshold 0.5, of one run each (repository
# snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f); its second run of AttentionUNet gave 0.5918 and 0.4202.
STUDY = (
    ("VanillaUNet", 0.5556, 0.3846),
    ("AttentionUNet", 0.5609, 0.3898),
    ("TemporalUNet_ConvLSTM", 0.4343, 0.2773),
)
CAVEAT = (
    "The published study trained each network once, on optical and radar channels together, at a resolution of 5 m "
    "by interpolation. Of its 29 test tiles, 20 share an edge with a train tile. Two of its own runs of AttentionUNet "
    "differ by 0.031 F1. Its numbers are for orientation only: its inputs and split differ, and it reports no spread."
)
MATCHING = (
    "**One to one**: each predicted connected component is matched with at most one labelled one and the reverse, by the largest sum "
    "of IoU over pairs with IoU > 0.3. Two fragments of a landslide are one hit and one false alarm; two landslides "
    "in one blob are one hit and one miss. **Any overlap**: however many share it. A component that continues in the tile beside "
    "is one, where that tile is in test too. **Boundary F**: the harmonic mean of the shares of both outlines that are within 20 m of "
    "the other. 95 % intervals are of each score by itself, not adjusted, over blocks of test tiles and over seeds: the primary score is AP."
)
SLOPE_NOTE = (
    "Slopes are those of the tile's 30 m heights after smoothing; they differ from the true slope at 30 m by about 0.4 to "
    "1.8 degrees (root mean square), so pixels near a class's limit may be in the class beside it."
)


MOST_NETWORKS = 3  # with a table of conditions
SIZE_NOTE = (
    "Of **landslide size** only recall has a meaning, and it is of pixels; the figure of recall by size counts landslides that any "
    "found pixel overlaps."
)
POOLED_PICTURE = (
    " The tiles of all folds are pooled, as a **picture**: folds are trained apart, so their probabilities are not on one scale. "
    "The AP in the table is the mean over folds."
)


def build_curves_section(context: ReportContext) -> Section:
    """Build the section with precision-recall curves, reliability and the scores not in the ranking."""
    further = {name: metric for name, metric in METRICS.items() if name not in RANKING_METRICS}
    names = (*further, *AFTER_CALIBRATION, "f1@0.5", "f1@oracle")
    after = [f"{METRICS[name].label}, calibrated" for name in CALIBRATED]
    rows = [
        [row["model"], *(format_spread(row, name) for name in names)]
        for _, row in context.table.iterrows()
    ]
    picture = POOLED_PICTURE if context.folds > 1 else ""
    return Section(
        "Curves and calibration",
        [
            context.image(
                "pr_curves",
                f"Precision over recall: median over seeds, band from the lowest to the highest seed.{picture}",
            ),
            context.image(
                "reliability",
                f"Observed landslide share over predicted probability, as the networks give it; the pixels of all seeds pooled.{picture}",
            ),
            context.image(
                "reliability_calibrated", f"The same after calibration on val, as in maps.{picture}"
            ),
            Table(
                [
                    *("model", *(metric.label for metric in further.values())),
                    *(*after, "F1 at 0.5", "F1 oracle"),
                ],
                rows,
                "Further scores on test, mean ± standard deviation over seeds, exploratory; those of a decision are at the threshold chosen on val",
                "**F1 oracle** is at the best threshold on test: what choosing it on test would have gained. Brier score and calibration error: lower is better; a log-ratio is not a probability. **Calibrated**: after beta calibration fitted to val, which registered models have inside and which changes neither the order of pixels nor a mask; all other scores are of the probabilities as models give them. Baselines are calibrated here alone: they make no maps.",
            ),
        ],
    )


def build_landslides_section(context: ReportContext) -> Section:
    """Build the section with scores of landslides as connected components."""
    rows = [
        [row["model"], *(format_interval(row, name) for name in THRESHOLD_SCORES)]
        for _, row in context.table.iterrows()
    ]
    unit = describe_mapping_unit(context.layers.mmu_m2)
    blind = describe_blind_seeds(context.ranking.models)
    return Section(
        "Landslides as objects",
        [
            *([Text(f"{' '.join(blind)} Such a seed counts as 0 in every mean.")] if blind else []),
            Table(
                ["model", *(score.label for score in THRESHOLD_SCORES.values())],
                rows,
                f"Exploratory scores at the threshold chosen on val: mean over seeds, 95 % interval{unit}",
                MATCHING,
            ),
            context.image(
                "recall_by_size",
                "Share of landslides that any prediction overlaps, by landslide area: mean over seeds (marker), lowest and highest seed "
                "(line)" + (", all folds pooled" if context.folds > 1 else ""),
            ),
        ],
    )


def format_interval(row: "pd.Series[Any]", name: str) -> str:
    """Format a score's mean over seeds and its interval; the mean alone where there is none."""
    mean = row[f"{name}_mean" if name in METRICS else name]
    if np.isnan(row[f"{name}_low"]):
        return format_cell(float(mean))
    return f"{mean:z.3f} ({row[f'{name}_low']:z.3f} to {row[f'{name}_high']:z.3f})"


def describe_mapping_unit(mmu_m2: float) -> str:
    """Return what objects are left out below the minimum mapping unit, as the end of a caption."""
    return f"; objects below {mmu_m2:,.10g} m² are ignored" if mmu_m2 else ""


def build_conditions_section(context: ReportContext) -> Section:
    """Build the section with scores by slope, orbit geometry, land cover and landslide size."""
    models = [model for model in context.ranking.models if model.conditions]
    first = context.ranking.models[0].by_seed[0]
    fold = f", on the fold {first[0].fold}" if len(first) > 1 else ""
    text = f"Means over seeds, each at its threshold chosen on val{fold}; exploratory, without intervals."
    blocks: list[Block] = [Text(text), Text(SLOPE_NOTE)]
    for model in models[:MOST_NETWORKS]:
        lines = [
            [f"{row.group}: {row.name}", *list(asdict(row).values())[2:]]
            for row in average_conditions(model.conditions)
        ]
        number = (
            f"mean over {len(model.conditions)} seeds" if len(model.conditions) > 1 else "one seed"
        )
        blocks.append(Table(GROUP_COLUMNS, lines, f"{model.title}, {number}", SIZE_NOTE))
    return Section("Scores by terrain and landslide size", blocks)


def build_published_section(context: ReportContext) -> Section:
    """Build the section with the published study's scores and their caveat."""
    ours = {row["model"]: row for _, row in context.table.iterrows()}
    rows = []
    for name, f1, iou in STUDY:
        row = ours.get(name)
        own = (
            [nan, nan] if row is None else [format_spread(row, "f1@0.5"), format_spread(row, "iou")]
        )
        rows.append([name, f1, iou, *own])
    columns = ["model", "F1 at 0.5, published", "IoU at 0.5, published", "F1 at 0.5, here"]
    return Section(
        "Comparison with the published study",
        [
            Table(
                [*columns, "IoU at threshold from val, here"],
                rows,
                "Published scores (one run) and scores of this campaign (mean over seeds)",
            ),
            Text(CAVEAT),
        ],
    )
