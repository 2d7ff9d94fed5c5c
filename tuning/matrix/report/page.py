"""The page of a matrix: what makes it void or partial first, then a sentence per axis, then the sections."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from data.tiles.manifest import describe_origin
from tuning.days.section import build_days_section
from tuning.matrix.cell_results import MISSING
from tuning.matrix.plan import Axis
from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.sections.basis import build_basis_section, describe_family
from tuning.matrix.report.sections.cells import (
    build_cells_section,
    build_cost_section,
    build_provenance_section,
)
from tuning.matrix.report.sections.curves import build_curves_section
from tuning.matrix.report.sections.effects import build_axis_section
from tuning.matrix.report.sections.networks import build_networks_section
from tuning.matrix.report.words import describe_axis_shortly
from tuning.matrix.results import MatrixResults, describe_cell
from tuning.page.html import Page, Section

MOST_NAMED = 3  # cells without results that the first sentence names


def build_page(context: MatrixContext, figures: Mapping[str, Path]) -> Page:
    """Build the page's content."""
    plan = context.results.plan
    tests = {len(cell.tiles) for cell in context.results.cells if cell.tiles}
    facts = [
        ("data", f"{describe_origin(context.synthetic)} tiles"),
        ("cells", _count_cells(context.results)),
        ("networks", ", ".join(context.networks.values()) or "none"),
        ("seeds", f"{plan.seeds}"),
        ("axes", _shorten(", ".join(axis.name for axis in order_axes(context)))),
        ("test tiles", " to ".join(map(str, sorted({min(tests), max(tests)})))),
        ("margin", f"± {plan.margin:g} AP"),
    ]
    sections = [build_axis_section(context, axis, figures) for axis in order_axes(context)]
    if context.days:
        folder = context.folder / "Figures"
        sections.append(build_days_section(context.days, folder, context.synthetic))
    more = (build_networks_section(context), build_curves_section(context, figures))
    sections += [section for section in more if section]
    sections += [
        build_basis_section(context),
        build_cells_section(context),
        build_cost_section(context),
        build_provenance_section(context),
    ]
    title = f"Experiment matrix: {plan.name}"
    return Page(
        title, context.synthetic, list(describe_result(context)), facts, _drop_empty(sections)
    )


def _drop_empty(sections: list[Section]) -> list[Section]:
    return [section for section in sections if section.blocks]


def _shorten(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"


def _count_cells(results: MatrixResults) -> str:
    whole = sum(not cell.problem for cell in results.cells)
    return (
        f"{len(results.cells)}"
        if whole == len(results.cells)
        else f"{whole} of {len(results.cells)} complete"
    )


def order_axes(context: MatrixContext) -> list[Axis]:
    """Return the axes, the primary one first."""
    plan = context.results.plan
    return sorted(plan.axes, key=lambda axis: axis.name != plan.primary)


def describe_result(context: MatrixContext) -> Iterator[str]:
    """Yield the result in sentences: of the primary axis, then of the others, then what they hold for."""
    if partial := describe_missing(context.results):
        yield partial
    margin = context.results.plan.margin
    for axis in order_axes(context):
        if sentence := describe_axis_shortly(axis, context.effects, margin):
            yield sentence
    yield describe_family(context)


def describe_missing(results: MatrixResults) -> str:
    """Say how many cells are missing or lack runs, and name the first; empty for a complete matrix."""
    gone = [cell for cell in results.cells if cell.status == MISSING]
    broken = [cell for cell in results.cells if cell.problem]
    if not broken:
        return ""
    named = ", ".join(describe_cell(results.plan, cell.cell) for cell in broken[:MOST_NAMED])
    more = f" and {len(broken) - MOST_NAMED} more" if len(broken) > MOST_NAMED else ""
    lacking = len(broken) - len(gone)
    counts = [
        f"{len(gone)} {'has' if len(gone) == 1 else 'have'} no results" if gone else "",
        f"{lacking} {'lacks' if lacking == 1 else 'lack'} runs" if lacking else "",
    ]
    text = " and ".join(filter(None, counts))
    return f"This matrix is partial: of {len(results.cells)} cells {text} ({named}{more})."
