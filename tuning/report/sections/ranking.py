"""The section with the ranking: rows that read the same stand together; then every pair of the primary family."""

from typing import Any

import pandas as pd

from tuning.baselines.baselines import DESCRIPTION, KIND
from tuning.page.html import Block, Section, Table, Text, format_cell
from tuning.report.context import BY_ITSELF, ReportContext, format_spread
from tuning.report.fairness import count_trials, group_by_input
from tuning.report.headline.names import capitalise
from tuning.report.headline.pairs import MOST_ROWS, make_pair_table
from tuning.report.headline.result import WHERE
from tuning.report.tables import format_ends

COLUMNS = (
    *("model", "place", "AP", "95 % interval", "context", "trials"),
    *("F1", "IoU", "val AP", "seeds"),
)
OF_THESE_EVENTS = (
    "The scores of this section are means over the held-out events. Intervals and p-values are over seeds and over blocks of "
    "test tiles of these events, so they hold for these events, not for new ones and not for one area."
)
ROWS_NOTE = (
    "Only rows of one block read the same channels and acquisitions. **Place**: the range of places that the comparisons of the "
    "primary family leave possible; rows without one are exploratory, and so are F1 and IoU, which are at the threshold chosen on "
    "val. **Context**: the width of the square around a pixel that its value depends on. **Trials**: how many samples the "
    "search of its hyperparameters tried, per fold. "
    f"{capitalise(BY_ITSELF)}."
)
INTERVALS = (
    f"Test average precision: mean (large marker), seeds (small markers), interval (line). {capitalise(BY_ITSELF)}. An interval "
    "holds what makes tiles easy or hard for every model: two models are told apart by the interval of their **difference**, not "
    "by the overlap of these."
)


def build_ranking_section(context: ReportContext) -> Section:
    """Build the section with scores, intervals, every pair of contenders, and the baselines."""
    blocks: list[Block] = [Text(OF_THESE_EVENTS)] if len(context.events) else []
    score = f"mean over {context.folds} folds, each " if context.folds > 1 else ""
    caption = f"Scores on test, {score}pooled over pixels: mean ± standard deviation over seeds"
    blocks.append(Table(COLUMNS, make_rows(context.table), caption, ROWS_NOTE))
    blocks.append(context.image("intervals", INTERVALS))
    family = context.ranking.primary
    if family and (len(family.pairs) > MOST_ROWS or len(context.events)):  # not all at the top
        blocks.append(make_pair_table(family, WHERE[context.ranking.estimand]))
    baselines = [
        [model.title, KIND[model.key], DESCRIPTION[model.key]]
        for model in context.ranking.models
        if model.is_baseline and not model.is_foreign
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
        format_cell(row["val_pr_auc_mean"]),
        int(row["seeds"]),
    ]
