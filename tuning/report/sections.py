"""What a report says, in the order in which a reader asks: the verdict first, the proofs after it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data.tiles.manifest import describe_origin
from tuning.metrics.compare import TOO_FEW, Comparison
from tuning.report.context import ReportContext
from tuning.report.html import Page
from tuning.report.sections_runs import (
    build_cost_section,
    build_examples_section,
    build_pages_section,
    build_provenance_section,
    build_search_section,
    build_splits_section,
)
from tuning.report.sections_scores import (
    build_conditions_section,
    build_curves_section,
    build_landslides_section,
    build_published_section,
    build_ranking_section,
)

SECTIONS = (
    build_ranking_section,
    build_curves_section,
    build_landslides_section,
    build_conditions_section,
    build_examples_section,
    build_splits_section,
    build_search_section,
    build_cost_section,
    build_published_section,
    build_pages_section,
    build_provenance_section,
)


def build_page(material: ReportContext) -> Page:
    """Write the page's content."""
    first = material.table.iloc[0]
    synthetic = bool(first["data"] == "synthetic")
    facts = [
        ("data", f"{describe_origin(synthetic)} tiles"),
        ("split", f"{first['split']} ({first['split_hash']})"),
        ("test tiles", f"{first['n_samples']}"),
        ("seeds", f"{int(material.table['seeds'].max())}"),
        ("input", f"{len(str(first['channels']).split())} channels, {first['acquisitions']}"),
        ("preset", str(first["preset"])),
    ]
    title = f"Landslide benchmark: {first['campaign']}"
    sections = [tell_one(material) for tell_one in SECTIONS]
    return Page(title, synthetic, list(describe_result(material)), facts, sections)


def describe_result(material: ReportContext) -> Iterator[str]:
    """Say which model is better, by how much and how sure: networks among themselves, then the best baseline."""
    ranking = material.ranking
    networks = [model.title for model in ranking.models if not model.is_baseline]
    baselines = [model.title for model in ranking.models if model.is_baseline]
    among = [pair for pair in ranking.comparisons if {pair.a, pair.b} <= set(networks)]
    if among:
        yield _say(among)
    elif networks:
        yield f"{networks[0]} is the only network of this campaign."
    contenders = {name for pair in ranking.comparisons for name in (pair.a, pair.b)}
    against = [name for name in baselines if name in contenders]
    if networks and against:
        best = {networks[0], against[0]}
        pairs = [pair for pair in ranking.comparisons if {pair.a, pair.b} == best]
        yield f"Against the baseline that is best on val: {_say(pairs)}"
    elif len(baselines) == 1 and not networks:
        yield f"{baselines[0]} is the only model of this campaign."
    elif len(baselines) > 1:
        yield _say([p for p in ranking.comparisons if {p.a, p.b} == set(baselines[:2])])
    if material.lacking:
        yield "This report is partial: " + " ".join(material.lacking)


def _say(pairs: list[Comparison]) -> str:
    """Say the pairs' verdicts, or once that nothing can be said of so few seeds."""
    if all(pair.note == TOO_FEW for pair in pairs):
        names = sorted({name for pair in pairs for name in (pair.a, pair.b)})
        return f"{' and '.join(names)} were repeated with too few seeds to tell them apart."
    return describe_verdict(pairs, "AP")


def _say_pair(pair: Comparison, metric: str) -> str:
    names, gap, ends = (pair.a, pair.b), pair.difference, (pair.low, pair.high)
    if gap < 0:
        names, gap, ends = (pair.b, pair.a), -gap, (-pair.high, -pair.low)
    size, low, high = (f"{round(value, 3) + 0.0:.3f}" for value in (gap, *ends))  # no -0.000
    p = "p < 0.001" if pair.p_adjusted < 0.0005 else f"p = {pair.p_adjusted:.3f}"
    if pair.verdict == "tie":
        why = f", {pair.note}" if pair.note else f", {p}" if ends[0] > 0 else ""
        return f"{names[0]} and {names[1]} tie (difference {size}, {low} to {high}{why})"
    return f"{names[0]} is better than {names[1]} by {size} {metric} (95 % interval {low} to {high}, {p})"


def describe_verdict(
    comparisons: Sequence[Comparison], metric: str = "AP", about: str | None = None
) -> str:
    """Say in plain words what is decided, then what is not; p is the adjusted one.

    Args:
        comparisons: Those to speak about; all of the call, to be said in full.
        metric: Name of the score.
        about: Only the comparisons of this model, such as the best one.

    Raises:
        ValueError: If nothing is left to be said.
    """
    chosen = [pair for pair in comparisons if about is None or about in (pair.a, pair.b)]
    if not chosen:
        raise ValueError(
            f"A verdict needs a comparison, but got none ({about=}). Pass compare_all's."
        )
    clauses = [_say_pair(pair, metric) for pair in sorted(chosen, key=lambda x: x.verdict == "tie")]
    return "; ".join(clauses) + "."


def format_ranking(table: pd.DataFrame) -> str:
    """Format the ranking for the terminal: test scores as mean ± standard deviation over seeds."""
    width = max(24, *(len(name) + 2 for name in table["model"]))
    head = f"{'rank':<6}{'model':<{width}}{'test AP':>16}{'95 % interval':>18}{'test F1':>16}"
    lines = [head + f"{'test IoU':>16}{'val AP':>9}{'seeds':>7}"]
    for row in table.to_dict("records"):
        interval = f"{row['pr_auc_low']:.3f} to {row['pr_auc_high']:.3f}"
        lines.append(
            f"{_rank(row):<6}{row['model']:<{width}}{_spread(row, 'pr_auc'):>16}{interval:>18}"
            f"{_spread(row, 'f1_dice'):>16}{_spread(row, 'iou'):>16}"
            f"{row['val_pr_auc_mean']:>9.3f}{row['seeds']:>7d}"
        )
    return "\n".join(lines)


def _rank(row: dict[str, Any]) -> str:
    return "" if np.isnan(row["rank"]) else str(int(row["rank"]))


def _spread(row: dict[str, Any], name: str) -> str:
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    return f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"
