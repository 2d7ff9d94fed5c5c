"""The section on what the verdicts rest on: the families of tests, power, and parts of the variance."""

from collections.abc import Sequence
from math import isnan
from typing import Any

from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.tables import EFFECTS_FILE
from tuning.matrix.report.unequal import describe_unequal
from tuning.page.html import Block, Section, Table, Text

WHY = (
    "Effects on the same test tiles are paired by spatial blocks, because neighbouring tiles share weather, terrain and labelling. Seeds of two cells "
    "have nothing in common, so they are not paired; their variance is pooled over the cells of an architecture. Intervals are "
    "Student's, with degrees of freedom that match the estimated variance."
)
POWER_COLUMNS = (
    "axis",
    "mean of networks",
    "one network",
    "one baseline",
    "effective blocks",
    "fewest seeds",
)
POWER_NOTE = (
    "The true effect in AP that would be found with 80 % power beside all other tests of its family (Bonferroni): range over levels "
    "and models. **Effective blocks**: on how many equal blocks an effect's variance would be as large. "
    f"`{EFFECTS_FILE}` has each effect, and the seeds or blocks that would show the observed one."
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
        f"Confirmatory {_count(len(primary))} of the axis {plan.primary}, declared before training (Holm: the chance of any false one is "
        "at most 5 %)"
    )
    if not primary:
        first = f"No effect of the primary axis {plan.primary} could be tested"
    if not others:
        return f"{first}. Nothing else was tested."
    return (
        f"{first}. Exploratory {_count(len(others))} of other axes, of baselines, and of differences between networks (Benjamini and "
        "Hochberg: the expected share of false ones among those called better or worse is at most 5 %)."
    )


def _count(number: int) -> str:
    return "is one effect" if number == 1 else f"are {number} effects"


def build_basis_section(context: MatrixContext) -> Section:
    """Build the section on families, power and variance."""
    blocks: list[Block] = [Text(describe_family(context)), Text(WHY)]
    blocks += map(Text, describe_unequal(context.results))
    if rows := make_power_rows(context):
        caption = "The smallest effects that can be shown"
        kept = [k for k, _ in enumerate(POWER_COLUMNS) if any(row[k] is not None for row in rows)]
        columns, *shown = ([line[k] for k in kept] for line in (POWER_COLUMNS, *rows))
        blocks.append(Table(columns, shown, caption, POWER_NOTE))
    blocks.append(
        Table(
            ["source", *context.parts, "how it was measured"],
            make_part_rows(context),
            "Parts of the variance",
            PARTS_NOTE,
        )
    )
    return Section("What the verdicts rest on", blocks)


def make_power_rows(context: MatrixContext) -> list[list[Any]]:
    """Return a row per axis: smallest effects that can be shown, of what they rest on."""
    rows = []
    for axis in context.results.plan.axes:
        own = [one for one in context.effects if one.axis == axis and one.kind != "interaction"]
        own = [one for one in own if one.family]
        if not own:
            continue
        means = [one for one in own if one.kind == "mean"]
        networks, baselines = (
            [one for one in own if one.key in keys]
            for keys in (context.networks, context.baselines)
        )
        found = [[one.needs.detectable for one in some] for some in (means, networks, baselines)]
        least = min(own, key=lambda one: one.contrast.effective_blocks).contrast
        rests = f"{least.effective_blocks:.1f} of {least.blocks}"
        seeds = min(one.contrast.seeds for one in networks or own)
        rows.append([axis.name, *map(_format_range, found), rests, seeds])
    return rows


def _format_range(values: Sequence[float]) -> str | None:
    if not values:
        return None
    low, high = f"{min(values):.3f}", f"{max(values):.3f}"
    return low if low == high else f"{low} to {high}"


def make_part_rows(context: MatrixContext) -> list[list[Any]]:
    """Return a row per source of variance: the standard deviation by network, and how it was measured."""
    by_source = zip(*context.parts.values(), strict=True)
    return [
        [parts[0].source, *(_format_part(part.spread) for part in parts), parts[0].note]
        for parts in by_source
    ]


def _format_part(spread: float) -> str | None:
    return None if isnan(spread) else f"{spread:.3f}"
