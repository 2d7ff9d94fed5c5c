"""The section on what the comparison rests on: blocks, dependence, seeds, power, and what would decide each pair."""

from collections.abc import Sequence
from math import ceil, isfinite, nan, sqrt
from typing import Any

from data.check.leak_file import describe_leaks
from tuning.page.html import Block, Section, Table, Text
from tuning.report.context import ReportContext
from tuning.report.ranking import Ranking
from tuning.report.results import NETWORK
from tuning.report.sections.dates import describe_dates
from tuning.report.sections.verdict import ESTIMANDS, MOST_NEEDED
from tuning.statistics.estimate import Estimate
from tuning.statistics.family import Comparison, Family

WHY = (
    "The tiles of a spatial block stay together, because neighbouring tiles share weather, terrain and labelling. Where blocks "
    "are few, unequal or still correlated, intervals are widened. Seeds of two models have nothing in common, so they are not "
    "paired; their variance is pooled over the models of one kind. All pairs share one critical value, so intervals, p-values and "
    "verdicts agree, and the chance of any false *better* is 5 %."
)
NEEDS = (
    *("model", "against", "error", "80 % power"),
    *("effective blocks", "seeds needed", "blocks needed"),
)
NEEDS_NOTE = (
    "**Error**: standard error of the difference. **80 % power**: the true difference that would be found with it. **Needed**: seeds or "
    "blocks that would show the observed difference with it, the other number unchanged; ∞: no number would. "
    "**Effective blocks**: on how many equal blocks the difference's variance would be as large."
)


def build_basis_section(context: ReportContext) -> Section:
    """Build the section on the statistics behind the verdict."""
    ranking = context.ranking
    blocks: list[Block] = [Text(WHY.replace("*better*", "**better**"))]
    if (family := ranking.primary) is None:
        blocks = [Text("A single model is compared with nothing.")]
    else:
        blocks.append(Text(ESTIMANDS[ranking.estimand]))
        caption = "What the verdicts rest on"
        blocks.append(Table(["quantity", "value"], _list_facts(ranking, family), caption))
        pairs = [make_needs_row(pair) for pair in family.pairs]
        blocks.append(
            Table(NEEDS, pairs, "What each comparison can show, and what it takes", NEEDS_NOTE)
        )
    blocks += [Text(sentence) for sentence in describe_leaks(context.folder)]
    if dates := describe_dates(context.campaign, ranking.models):
        blocks.append(Text(dates))
    return Section("What the comparison rests on", blocks)


def _list_facts(ranking: Ranking, family: Family) -> list[list[Any]]:
    edge, rests_on = ranking.block_tiles, [pair.effective_blocks for pair in family.pairs]
    networks = [
        ranking.estimates[model.title]
        for model in ranking.models
        if model.kind == NETWORK and model.title in ranking.places
    ]
    spread, degrees = pool_spread(networks)
    facts = [
        ["compared", ", ".join(ranking.places)],
        ["test tiles", f"{len(ranking.units.corners)}"],
        [f"blocks of {edge} x {edge} tiles", f"{family.blocks}"],
        ["effective blocks of a difference", f"{min(rests_on):.1f} to {max(rests_on):.1f}"],
        ["Moran's I between neighbouring tiles (median over pairs)", f"{family.moran:.2f}"],
        ["tiles uncorrelated from a distance of", f"{family.range_tiles:g} tiles"],
    ]
    if degrees:
        text = f"{spread:.3f} AP ({degrees} degrees of freedom)"
        facts.append(["standard deviation between a network's seeds, pooled", text])
    detectable = [pair.needs.detectable for pair in family.pairs]
    facts.append(
        ["difference found with 80 % power", f"{min(detectable):.3f} to {max(detectable):.3f} AP"]
    )
    return [*facts, ["margin of equivalence", f"± {family.margin:g} AP"]]


def pool_spread(estimates: Sequence[Estimate]) -> tuple[float, int]:
    """Return the standard deviation over seeds pooled over models, and its degrees of freedom."""
    known = [one for one in estimates if one.seeds > 1]
    degrees = sum(one.seeds - 1 for one in known)
    squares = sum((one.seeds - 1) * one.std**2 for one in known)
    return (sqrt(squares / degrees) if degrees else nan), degrees


def make_needs_row(pair: Comparison) -> list[Any]:
    """Return a pair's row: standard error, detectable difference, effective blocks, and what would decide it."""
    needs = pair.needs
    return [
        *(pair.a, pair.b, needs.error, needs.detectable, f"{pair.effective_blocks:.1f}"),
        *(_format_need(number, pair) for number in (needs.seeds, needs.blocks)),
    ]


def _format_need(number: float, pair: Comparison) -> str:
    if pair.verdict != "undecided":
        return ""
    if not isfinite(number) or number >= MOST_NEEDED:
        return "∞"
    return f"{ceil(number):,}"
