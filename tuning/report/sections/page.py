"""Content of the report page: the verdict first, then the sections."""

from collections.abc import Sequence

from data.tiles.manifest import describe_origin
from data.tiles.regions import DEFAULT_REGION, format_regions
from tuning.days.section import build_days_section
from tuning.page.html import Page, Section
from tuning.report.ceiling import build_ceiling_section
from tuning.report.context import ReportContext
from tuning.report.events import build_events_section
from tuning.report.headline.result import (
    compare_events,
    describe_result,
    list_warnings,
    make_numbers,
)
from tuning.report.placebo import build_placebo_section
from tuning.report.register_models import build_models_section
from tuning.report.sections.basis import build_basis_section
from tuning.report.sections.details import add_details
from tuning.report.sections.early import build_early_section
from tuning.report.sections.examples import build_examples_section
from tuning.report.sections.foreign import build_foreign_section
from tuning.report.sections.new_events import build_event_pairs
from tuning.report.sections.ranking import build_ranking_section
from tuning.report.sections.runs import (
    build_cost_section,
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
    if foreign := build_foreign_section(context):
        sections.insert(1, foreign)
    if ceiling := build_ceiling_section(context.folder):
        sections.insert(2, ceiling)
    if len(context.events):
        section = build_events_section(context.events, context.searched)
        pairs = compare_events(context)
        more = [build_event_pairs(pairs)] if pairs else []
        sections.insert(0, Section(section.title, [*section.blocks, *more]))
    verdict = list(describe_result(context))
    return Page(
        title,
        synthetic,
        verdict,
        facts,
        add_details(context, sections, verdict[0]),
        list(list_warnings(context)),
        make_numbers(context),
    )


def _name_regions(names: Sequence[str]) -> str:
    """Return regions with their places; many by name alone."""
    return format_regions(names) if len(names) <= MOST_PLACES else ", ".join(names)
