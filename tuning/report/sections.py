"""Content of the report page: the verdict first, then the sections; the ranking for the terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data.check.leak_file import describe_leaks
from data.tiles.manifest import describe_origin
from data.tiles.regions import DEFAULT_REGION, format_regions
from tuning.metrics.compare import TOO_FEW, Comparison
from tuning.page.html import Page
from tuning.report.ceiling import build_ceiling_section
from tuning.report.context import ReportContext, describe_blind_seeds, format_spread
from tuning.report.events import build_events_section, describe_new_events
from tuning.report.placebo import build_placebo_section
from tuning.report.ranking import Ranking
from tuning.report.register_models import build_models_section
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

MOST_PLACES = 3
OF_THESE_EVENTS = "The following comparison is of these events alone: it takes the mean over them and says nothing about new events."
SECTIONS = (
    build_ranking_section,
    build_curves_section,
    build_landslides_section,
    build_placebo_section,
    build_conditions_section,
    build_examples_section,
    build_splits_section,
    build_search_section,
    build_cost_section,
    build_pages_section,
    build_provenance_section,
)


def build_page(context: ReportContext) -> Page:
    """Build the page's content."""
    first = context.table.iloc[0]
    synthetic = bool(first["data"] == "synthetic")
    regions = str(first["regions"]).split()
    facts = [
        ("data", f"{describe_origin(synthetic)} tiles"),
        ("regions", _name_regions(regions)),
        ("split", f"{first['split']} ({first['split_hash']})"),
        ("test tiles", f"{first['n_samples']}"),
        ("seeds", f"{int(context.table['seeds'].max())}"),
        ("input", f"{len(str(first['channels']).split())} channels, {first['acquisitions']}"),
        ("preset", str(first["preset"])),
    ]
    title = f"Landslide benchmark: {first['campaign']}"
    sections = [build_section(context) for build_section in SECTIONS]
    if regions == [DEFAULT_REGION]:  # the published study's
        sections.insert(-2, build_published_section(context))
    sections.insert(-2, build_models_section(context.registered))
    if ceiling := build_ceiling_section(context.folder):
        sections.insert(1, ceiling)
    if len(context.events):
        sections.insert(0, build_events_section(context.events, context.searched))
    return Page(title, synthetic, list(describe_result(context)), facts, sections)


def _name_regions(names: Sequence[str]) -> str:
    """Return regions with their places; many by name alone."""
    return format_regions(names) if len(names) <= MOST_PLACES else ", ".join(names)


def describe_result(context: ReportContext) -> Iterator[str]:
    """Yield the verdict in sentences: the networks among themselves, then the best network and baseline.

    With a split across events, the scores on new events come first, and the comparison is said to be of these events.
    """
    if len(context.events):
        models = context.ranking.models
        for kind in (False, True):  # the best network, then the best baseline
            if best := next((model for model in models if model.is_baseline == kind), None):
                yield describe_new_events(context.events, best.title)
        yield OF_THESE_EVENTS
    yield from _describe_comparison(context)
    if context.scope and context.scope.once:
        yield context.searched


def _describe_comparison(context: ReportContext) -> Iterator[str]:
    ranking = context.ranking
    networks = [model.title for model in ranking.models if not model.is_baseline]
    baselines = [model.title for model in ranking.models if model.is_baseline]
    network_pairs = [pair for pair in ranking.comparisons if {pair.a, pair.b} <= set(networks)]
    if network_pairs:
        yield _describe_pairs(network_pairs)
    elif networks:
        yield f"{networks[0]} is the only network of this campaign."
    contenders = {name for pair in ranking.comparisons for name in (pair.a, pair.b)}
    compared = [name for name in baselines if name in contenders]
    if networks and compared:
        pairs = _find_pairs(ranking, networks[0], compared[0])
        yield f"Against the best baseline on val: {_describe_pairs(pairs)}"
    elif len(baselines) == 1 and not networks:
        yield f"{baselines[0]} is the only model of this campaign."
    elif len(baselines) > 1:
        yield _describe_pairs(_find_pairs(ranking, *baselines[:2]))
    if blind := describe_blind_seeds(ranking.models):
        yield f"{' '.join(blind)} Such a seed counts as 0 in every mean."
    yield from describe_leaks(context.folder)
    if context.missing_runs:
        yield "This report is partial: " + " ".join(context.missing_runs)


def _find_pairs(ranking: Ranking, *names: str) -> list[Comparison]:
    return [pair for pair in ranking.comparisons if {pair.a, pair.b} == set(names)]


def _describe_pairs(pairs: Sequence[Comparison]) -> str:
    """Describe the pairs' verdicts; if all pairs have too few seeds, only that."""
    if all(pair.note == TOO_FEW for pair in pairs):
        names = sorted({name for pair in pairs for name in (pair.a, pair.b)})
        return f"{' and '.join(names)} were repeated with too few seeds for a verdict."
    return describe_verdict(pairs, "AP")


def _describe_pair(pair: Comparison, metric: str) -> str:
    names, gap, ends = (pair.a, pair.b), pair.difference, (pair.low, pair.high)
    if gap < 0:
        names, gap, ends = (pair.b, pair.a), -gap, (-pair.high, -pair.low)
    size, low, high = (f"{value:z.3f}" for value in (gap, *ends))
    p = "p < 0.001" if pair.p_adjusted < 0.0005 else f"p = {pair.p_adjusted:.3f}"
    if pair.verdict == "tie":
        reason = f", {pair.note}" if pair.note else f", {p}" if ends[0] > 0 else ""
        return f"{names[0]} and {names[1]} tie (difference {size}, {low} to {high}{reason})"
    return f"{names[0]} is better than {names[1]} by {size} {metric} (95 % interval {low} to {high}, {p})"


def describe_verdict(
    comparisons: Sequence[Comparison], metric: str = "AP", model: str | None = None
) -> str:
    """Describe comparisons in a sentence, decided ones before ties; p is the adjusted p-value.

    Args:
        comparisons: Comparisons to describe.
        metric: Name of the score.
        model: Describe only the comparisons of this model.

    Raises:
        ValueError: If there is no such comparison.
    """
    chosen = [pair for pair in comparisons if model is None or model in (pair.a, pair.b)]
    if not chosen:
        raise ValueError(
            f"A verdict needs a comparison, but got none ({model=}). Pass the result of compare_all."
        )
    chosen.sort(key=lambda pair: pair.verdict == "tie")
    clauses = [_describe_pair(pair, metric) for pair in chosen]
    return "; ".join(clauses) + "."


def format_ranking(table: pd.DataFrame) -> str:
    """Format the ranking for the terminal: test scores as mean ± standard deviation over seeds."""
    width = max(24, *(len(name) + 2 for name in table["model"]))
    head = f"{'rank':<6}{'model':<{width}}{'test AP':>16}{'95 % interval':>18}{'test F1':>16}"
    lines = [head + f"{'test IoU':>16}{'val AP':>9}{'seeds':>7}"]
    for row in table.to_dict("records"):
        interval = f"{row['pr_auc_low']:.3f} to {row['pr_auc_high']:.3f}"
        lines.append(
            f"{_format_rank(row):<6}{row['model']:<{width}}{format_spread(row, 'pr_auc'):>16}{interval:>18}"
            f"{format_spread(row, 'f1_dice'):>16}{format_spread(row, 'iou'):>16}"
            f"{row['val_pr_auc_mean']:>9.3f}{row['seeds']:>7d}"
        )
    return "\n".join(lines)


def _format_rank(row: dict[str, Any]) -> str:
    return "" if np.isnan(row["rank"]) else str(int(row["rank"]))
