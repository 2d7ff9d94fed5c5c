"""The sections on scores: ranking, curves, landslides, groups of pixels, and the published study's numbers."""

from dataclasses import asdict
from math import nan

import numpy as np

from tuning.baselines.baselines import DESCRIPTION, KIND
from tuning.metrics.bootstrap import DRAWS
from tuning.metrics.scores import METRICS
from tuning.metrics.stratified import make_groups, score_groups
from tuning.report.context import ReportContext, format_spread
from tuning.report.html import Gallery, Image, Section, Table, Text
from tuning.report.tables import OBJECT_SCORES

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
    "The published study trained each network once, on optical and radar channels together, and tested on tiles of "
    "which 20 of 29 share an edge with a train tile, at a resolution of 5 m by interpolation. Two of its own runs of "
    "AttentionUNet differ by 0.031 F1. Its numbers stand here for orientation: other inputs, another split, no spread."
)


def build_ranking_section(material: ReportContext) -> Section:
    """Scores with intervals, and every pair of models."""
    rows = [
        [
            row["model"],
            row["rank"] if np.isnan(row["rank"]) else int(row["rank"]),
            format_spread(row, "pr_auc"),
            f"{row['pr_auc_low']:.3f} to {row['pr_auc_high']:.3f}",
            format_spread(row, "f1_dice"),
            format_spread(row, "iou"),
            format_spread(row, "f1@0.5"),
            format_spread(row, "f1@oracle"),
            f"{row['val_pr_auc_mean']:.3f}",
            int(row["seeds"]),
        ]
        for _, row in material.table.iterrows()
    ]
    columns = ["model", "rank", "AP", "95 % interval", "F1", "IoU", "F1 at 0.5", "F1 oracle"]
    pairs = [
        [
            pair.a,
            pair.b,
            pair.difference,
            f"{pair.low:.3f} to {pair.high:.3f}",
            pair.p_adjusted,
            pair.improvement,
            f"{pair.verdict}{f' ({pair.note})' if pair.note else ''}",
        ]
        for pair in material.ranking.comparisons
    ]
    names = ["model", "against", "difference in AP", "95 % interval", "p (Holm)", "P(better)"]
    baselines = [
        [model.title, KIND[model.key], DESCRIPTION[model.key]]
        for model in material.ranking.models
        if model.is_baseline
    ]
    return Section(
        "Ranking",
        [
            Table(
                [*columns, "val AP", "seeds"],
                rows,
                "Scores on test, pooled over pixels: mean ± standard deviation over seeds",
                "All of one rank tie with its best; a baseline has a rank where it is the best one on val. "
                "F1 and IoU at the threshold that val chose; **F1 oracle** at the threshold that test itself "
                "would choose: what picking it on test would have gained.",
            ),
            material.image("intervals", "Test average precision: seeds, mean, 95 % interval"),
            Table(
                [*names, "verdict of the first"],
                pairs,
                "Every pair of networks, and the baseline that is best on val, by a paired bootstrap over "
                f"seeds and tiles ({DRAWS} resamples)",
                "A **tie** means that these data do not tell the two apart.",
            ),
            *(
                [Table(["baseline", "kind", "what it is"], baselines, "Baselines")]
                if baselines
                else []
            ),
        ],
    )


def build_curves_section(material: ReportContext) -> Section:
    """Curves over all thresholds, and calibration."""
    further = {name: metric for name, metric in METRICS.items() if name not in RANKING_METRICS}
    rows = [
        [row["model"], *(format_spread(row, name) for name in further)]
        for _, row in material.table.iterrows()
    ]
    return Section(
        "Curves and calibration",
        [
            material.image(
                "pr_curves",
                "Precision over recall: median over seeds, band from least to greatest",
            ),
            material.image("reliability", "Observed landslide share over predicted probability"),
            Table(
                ["model", *(metric.label for metric in further.values())],
                rows,
                "Further scores on test; those of a decision are at the threshold that val chose",
                "Brier score and calibration error: lower is better; a log-ratio is no probability.",
            ),
        ],
    )


def build_landslides_section(material: ReportContext) -> Section:
    """Landslides as objects."""
    rows = [
        [row["model"], *(row[name] for name in OBJECT_SCORES)]
        for _, row in material.table.iterrows()
    ]
    return Section(
        "Landslides as objects",
        [
            Table(
                ["model", *OBJECT_SCORES.values()],
                rows,
                "Connected landslides, mean over seeds",
                "Found and labelled areas are compared as wholes; objects end at the border of their tile.",
            ),
            material.image(
                "recall_by_size", "Share of landslides met by any overlap, by their area"
            ),
        ],
    )


def build_conditions_section(material: ReportContext) -> Section:
    """Scores by slope, orbit geometry, land cover and size."""
    blocks: list[Text | Table | Image | Gallery] = [
        Text("The first seed of each network, at the threshold that val chose for it.")
    ]
    ground = material.ground
    for model in [m for m in material.ranking.models if not m.is_baseline][:3]:
        run = model.by_seed[0][0]
        rows = ground.rows(run.tile_ids)
        maps = {"mask": ground.mask[rows], "dem": ground.dem[rows]}
        if len(ground.cover):
            maps |= {"cover": ground.cover[rows], "cover_names": np.array(ground.cover_names)}
        bins = model.bins[run.run.info.run_id]
        found = score_groups(bins, ground.mask[rows], make_groups(maps), run.threshold)
        lines = [[f"{row.group}: {row.name}", *list(asdict(row).values())[2:]] for row in found]
        blocks.append(Table(GROUP_COLUMNS, lines, model.title))
    return Section("Where it works", blocks)


def build_published_section(material: ReportContext) -> Section:
    """The published study's numbers, with their caveat."""
    ours = {row["model"]: row for _, row in material.table.iterrows()}
    rows = []
    for name, f1, iou in STUDY:
        row = ours.get(name)
        mine = (
            [nan, nan] if row is None else [format_spread(row, "f1@0.5"), format_spread(row, "iou")]
        )
        rows.append([name, f1, iou, *mine])
    columns = ["model", "F1 at 0.5, published", "IoU at 0.5, published", "F1 at 0.5, here"]
    return Section(
        "Beside the published study",
        [
            Table([*columns, "IoU at val's threshold, here"], rows, "One run against several"),
            Text(CAVEAT),
        ],
    )
