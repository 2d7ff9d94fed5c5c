"""Content of the report page: the verdict first, then the sections."""

from collections.abc import Iterator, Sequence

from data.check.leak_file import describe_leaks, read_leak_audit
from data.tiles.manifest import describe_origin
from data.tiles.regions import DEFAULT_REGION, format_regions
from tuning.days.section import build_days_section
from tuning.page.html import Page, Section
from tuning.report.ceiling import build_ceiling_section, describe_ceiling
from tuning.report.context import ReportContext, describe_blind_seeds
from tuning.report.events import build_events_section, describe_new_events
from tuning.report.fairness import describe_unequal_input, describe_versions
from tuning.report.placebo import build_placebo_section
from tuning.report.register_models import build_models_section
from tuning.report.sections.basis import build_basis_section
from tuning.report.sections.early import build_early_section
from tuning.report.sections.new_events import (
    build_event_pairs,
    compare_over_events,
    describe_new_event_verdicts,
)
from tuning.report.sections.ranking import build_ranking_section
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
)
from tuning.report.sections.verdict import (
    ESTIMANDS,
    describe_blocks,
    describe_family,
    describe_power,
    describe_verdict,
    join_names,
)
from tuning.statistics.clusters import EventComparison
from tuning.statistics.family import TOO_FEW

MOST_PLACES = 3
SECTIONS = (
    build_ranking_section,
    build_basis_section,
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
    if context.days:
        sections.insert(1, build_days_section(context.days, context.folder / "Figures", synthetic))
    if regions == [DEFAULT_REGION]:  # the published study's
        sections.insert(-2, build_published_section(context))
    sections.insert(-2, build_early_section(context.table))
    sections.insert(-2, build_models_section(context.registered))
    if ceiling := build_ceiling_section(context.folder):
        sections.insert(2, ceiling)
    if len(context.events):
        section = build_events_section(context.events, context.searched)
        pairs = _compare_events(context)
        more = [build_event_pairs(pairs)] if pairs else []
        sections.insert(0, Section(section.title, [*section.blocks, *more]))
    return Page(title, synthetic, list(describe_result(context)), facts, sections)


def _name_regions(names: Sequence[str]) -> str:
    """Return regions with their places; many by name alone."""
    return format_regions(names) if len(names) <= MOST_PLACES else ", ".join(names)


def describe_result(context: ReportContext) -> Iterator[str]:
    """Yield the verdict in a few sentences; what makes it void comes first, the numbers behind it have a section.

    With a split across events, the scores on new events come first, and the comparison is said to be of these events.
    """
    if any(audit.above_chance for audit in read_leak_audit(context.folder)):
        yield from (_capitalise(sentence) for sentence in describe_leaks(context.folder))
    if context.missing_runs:
        yield "This report is partial: " + " ".join(context.missing_runs)
    yield from context.duplicates
    if versions := describe_versions(context.ranking.models):
        yield versions
    if len(context.events):
        yield from _describe_events(context)
    yield from _describe_comparison(context)
    if blind := describe_blind_seeds(context.ranking.models):
        yield f"{' '.join(blind)} Such a seed counts as 0 in every mean."
    if ceiling := describe_ceiling(context.folder):
        yield ceiling
    if context.scope and context.scope.once:
        yield context.searched


def _capitalise(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _describe_events(context: ReportContext) -> Iterator[str]:
    models = context.ranking.models
    for kind in (False, True):  # the best network, then the best baseline
        if best := next((model for model in models if model.is_baseline == kind), None):
            yield describe_new_events(context.events, best.title)
    if pairs := _compare_events(context):
        yield describe_new_event_verdicts(pairs)


def _compare_events(context: ReportContext) -> list[EventComparison]:
    ranking = context.ranking
    return compare_over_events(context.events, list(ranking.places), ranking.margin)


def _describe_comparison(context: ReportContext) -> Iterator[str]:
    ranking = context.ranking
    if ranking.primary is None:
        yield f"{ranking.models[0].title} is the only model of this campaign."
        return
    if all(pair.note == TOO_FEW for pair in ranking.comparisons):
        yield f"{join_names(sorted(ranking.places))} were repeated with too few seeds for a verdict."
        return
    yield from describe_verdict(ranking.primary)
    yield f"{describe_family(ranking)} {ESTIMANDS[ranking.estimand]}"
    unequal = describe_unequal_input(context.table, list(ranking.places))
    yield from filter(None, (unequal, describe_blocks(ranking), describe_power(ranking.primary)))
