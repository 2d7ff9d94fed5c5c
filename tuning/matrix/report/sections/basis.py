"""The section on what the verdicts rest on: the families of tests, power, and parts of the variance."""

from collections.abc import Sequence
from math import ceil, isfinite, isnan
from typing import Any

from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.effects import Effect
from tuning.page.html import Block, Section, Table, Text
from tuning.report.sections.verdict import MOST_NEEDED

WHY = (
    "Effects on the same test tiles are paired by spatial blocks, because neighbouring tiles share weather, terrain and labelling. Seeds of two cells "
    "have nothing in common, so they are not paired; their variance is pooled over all cells of an architecture. Intervals are "
    "Student's, with degrees of freedom that match the estimated variance."
)
POWER_NOTE = (
    "**80 % power**: the true effect that would be found with it, beside all other tests of the family (Bonferroni). "
    "**Effective blocks**: on how many equal blocks the effect's variance would be as large. **Needed**: seeds or blocks that would show the observed effect, the "
    "other number unchanged; ∞: no number would."
)
PARTS_NOTE = (
    "Standard deviation of AP that each source alone would cause for one training on one test area. Errors of paired effects are smaller: "
    "what blocks share cancels."
)


def describe_family(context: MatrixContext) -> str:
    """State the families of tests in one sentence."""
    plan = context.results.plan
    primary, others = (
        [one for one in context.effects if one.family == family]
        for family in ("primary", "exploratory")
    )
    first = (
        f"Confirmatory are the {len(primary)} effects of the axis {plan.primary}, declared before training (Holm: the chance of any false one is "
        "at most 5 %)"
    )
    if not primary:
        first = f"No effect of the primary axis {plan.primary} could be tested"
    if not others:
        return f"{first}; nothing else was tested."
    return (
        f"{first}; all {len(others)} others, of other axes, baselines and differences between networks, are exploratory (Benjamini and Hochberg: the expected "
        "share of false ones among those called better or worse is at most 5 %)."
    )


def build_basis_section(context: MatrixContext) -> Section:
    """Build the section on families, power and variance."""
    blocks: list[Block] = [Text(describe_family(context)), Text(WHY)]
    if rows := make_power_rows(context.effects):
        columns = [
            "axis",
            "effect on",
            "80 % power",
            "error",
            "effective blocks",
            "seeds needed",
            "blocks needed",
        ]
        blocks.append(
            Table(columns, rows, "What the effects can show: the median over levels", POWER_NOTE)
        )
    blocks.append(
        Table(
            ["source", *context.parts, "how it was measured"],
            make_part_rows(context),
            "Parts of the variance",
            PARTS_NOTE,
        )
    )
    return Section("What the verdicts rest on", blocks)


def make_power_rows(effects: Sequence[Effect]) -> list[list[Any]]:
    """Return per axis and model the effect of the level with the median error."""
    rows = []
    groups: dict[tuple[str, str], list[Effect]] = {}
    for one in effects:
        if one.family and one.kind != "interaction":
            groups.setdefault((one.axis.name, one.model), []).append(one)
    for (axis, model), own in groups.items():
        own.sort(key=lambda one: one.contrast.error)
        middle = own[len(own) // 2]
        needs = [_format_need(value, middle) for value in (middle.needs.seeds, middle.needs.blocks)]
        rows.append(
            [
                *(axis, model, middle.needs.detectable, middle.contrast.error),
                f"{middle.contrast.effective_blocks:.1f} of {middle.contrast.blocks}",
                *needs,
            ]
        )
    return rows


def _format_need(number: float, effect: Effect) -> str:
    if effect.verdict != "undecided":
        return ""
    return "∞" if not isfinite(number) or number >= MOST_NEEDED else f"{ceil(number):,}"


def make_part_rows(context: MatrixContext) -> list[list[Any]]:
    """Return a row per source of variance: the standard deviation by network, and how it was measured."""
    by_source = zip(*context.parts.values(), strict=True)
    return [
        [parts[0].source, *(_format_part(part.spread) for part in parts), parts[0].note]
        for parts in by_source
    ]


def _format_part(spread: float) -> str | None:
    return None if isnan(spread) else f"{spread:.3f}"
