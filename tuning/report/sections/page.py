"""Content of the report page: the verdict first, then the sections; the ranking for the terminal."""

from collections.abc import Iterator, Sequence

import pandas as pd

from data.check.leak_file import describe_leaks
from data.tiles.manifest import describe_origin
from data.tiles.regions import DEFAULT_REGION, format_regions
from tuning.page.html import Page
from tuning.report.ceiling import build_ceiling_section
from tuning.report.context import ReportContext, describe_blind_seeds, format_spread
from tuning.report.events import build_events_section, describe_new_events
from tuning.report.placebo import build_placebo_section
from tuning.report.register_models import build_models_section
from tuning.report.sections.runs import (
    build_cost_section,
    build_examples_section,
    build_pages_section,
    build_provenance_section,
    build_search_section,
    build_splits_section,
)
from tuning.report.sections.scores import (
    build_conditions_section,
    build_curves_section,
    build_landslides_section,
    build_published_section,
    build_ranking_section,
)
from tuning.report.sections.verdict import (
    ESTIMANDS,
    describe_blocks,
    describe_power,
    describe_verdict,
)
from tuning.statistics.family import TOO_FEW

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
    if ranking.primary is None:
        yield f"{ranking.models[0].title} is the only model of this campaign."
    elif all(pair.note == TOO_FEW for pair in ranking.comparisons):
        names = sorted({name for pair in ranking.comparisons for name in (pair.a, pair.b)})
        yield f"{' and '.join(names)} were repeated with too few seeds for a verdict."
    else:
        yield describe_verdict(ranking.primary)
        yield ESTIMANDS[ranking.estimand]
        yield from filter(None, (describe_blocks(ranking), describe_power(ranking.primary)))
    if blind := describe_blind_seeds(ranking.models):
        yield f"{' '.join(blind)} Such a seed counts as 0 in every mean."
    yield from describe_leaks(context.folder)
    if context.missing_runs:
        yield "This report is partial: " + " ".join(context.missing_runs)


def format_ranking(table: pd.DataFrame) -> str:
    """Format the ranking for the terminal: test scores as mean ± standard deviation over seeds."""
    width = max(24, *(len(name) + 2 for name in table["model"]))
    head = f"{'rank':<6}{'model':<{width}}{'test AP':>16}{'95 % interval':>18}{'test F1':>16}"
    lines = [head + f"{'test IoU':>16}{'val AP':>9}{'seeds':>7}"]
    for row in table.to_dict("records"):
        interval = f"{row['pr_auc_low']:.3f} to {row['pr_auc_high']:.3f}"
        lines.append(
            f"{row['rank']:<6}{row['model']:<{width}}{format_spread(row, 'pr_auc'):>16}{interval:>18}"
            f"{format_spread(row, 'f1_dice'):>16}{format_spread(row, 'iou'):>16}"
            f"{row['val_pr_auc_mean']:>9.3f}{row['seeds']:>7d}"
        )
    return "\n".join(lines)
