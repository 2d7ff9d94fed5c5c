"""The section with the ranking: rows that read the same stand together; then every pair of the primary family."""

from typing import Any

import pandas as pd

from tuning.baselines.baselines import DESCRIPTION, KIND
from tuning.page.html import Block, Section, Table, Text
from tuning.report.context import ReportContext, format_spread
from tuning.report.fairness import count_trials, group_by_input
from tuning.report.tables import format_ends
from tuning.statistics.family import Comparison

COLUMNS = (
    *("model", "place", "AP", "95 % interval", "context", "trials"),
    *("F1", "IoU", "val AP", "seeds"),
)
PAIR_COLUMNS = (
    "model",
    "against",
    "difference in AP",
    "95 % interval",
    "p",
    "verdict on the first",
)
OF_THESE_EVENTS = (
    "The scores of this section are means over the held-out events. Intervals and p-values are over seeds and over the "
    "tiles of these events, so they hold for these events, not for new ones and not for one area."
)
ROWS_NOTE = (
    "Only rows of one block read the same channels and acquisitions. **Place**: the range of places that the comparisons of the "
    "primary family leave possible; rows without one are exploratory, and so are F1 and IoU, which are at the threshold chosen on "
    "val. **Context**: the width of the square around a pixel that its value depends on. **Trials**: how many samples the "
    "search of its hyperparameters tried, per fold."
)
INTERVALS = (
    "Test average precision: seeds, mean, 95 % interval. An interval holds for one score, with all that makes tiles easy or hard "
    "for every model. Two models are told apart by the interval of their **difference** below, not by the overlap of these."
)
PAIRS_NOTE = (
    "Intervals and p-values hold for all pairs together. **Equivalent**: the 90 % interval lies within ± {margin:g}. "
    "**Undecided**: the data show neither a difference nor equivalence."
)


def build_ranking_section(context: ReportContext) -> Section:
    """Build the section with scores, intervals, every pair of contenders, and the baselines."""
    blocks: list[Block] = [Text(OF_THESE_EVENTS)] if len(context.events) else []
    score = f"mean over {context.folds} folds, each " if context.folds > 1 else ""
    caption = f"Scores on test, {score}pooled over pixels: mean ± standard deviation over seeds"
    blocks.append(Table(COLUMNS, make_rows(context.table), caption, ROWS_NOTE))
    blocks.append(context.image("intervals", INTERVALS))
    if context.ranking.comparisons:
        pairs = [make_pair_row(pair) for pair in context.ranking.comparisons]
        caption = "Primary family: the networks and the best baseline on val, by AP"
        note = PAIRS_NOTE.format(margin=context.ranking.margin)
        blocks.append(Table(PAIR_COLUMNS, pairs, caption, note))
    baselines = [
        [model.title, KIND[model.key], DESCRIPTION[model.key]]
        for model in context.ranking.models
        if model.is_baseline
    ]
    if baselines:
        blocks.append(Table(["baseline", "kind", "description"], baselines, "Baselines"))
    return Section("Ranking", blocks)


def make_rows(table: pd.DataFrame) -> list[list[Any] | str]:
    """Return the table's rows, those that read the same under one heading; the block of the best model first.

    Args:
        table: Content of ``benchmark_master.csv``, best first.
    """
    rows: list[list[Any] | str] = []
    for heading, own in group_by_input(table):
        rows += [heading, *map(_make_row, own.to_dict("records"))]
    return rows


def _make_row(row: dict[Any, Any]) -> list[Any]:
    return [
        row["model"],
        row["rank"],
        format_spread(row, "pr_auc"),
        format_ends(row["pr_auc_low"], row["pr_auc_high"]),
        row["reads_context"],
        count_trials(row),
        format_spread(row, "f1_dice"),
        format_spread(row, "iou"),
        f"{row['val_pr_auc_mean']:.3f}",
        int(row["seeds"]),
    ]


def make_pair_row(pair: Comparison) -> list[Any]:
    """Return a pair's row: models, difference, interval, p and verdict."""
    verdict = f"{pair.verdict}{f' ({pair.note})' if pair.note else ''}"
    return [
        pair.a,
        pair.b,
        pair.difference,
        format_ends(pair.low, pair.high, "z.3f"),
        pair.p,
        verdict,
    ]
