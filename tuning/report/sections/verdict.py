"""The verdict in words: what is decided, what is not and why, and what the comparison is about."""

from collections.abc import Sequence
from math import ceil, isfinite

from tuning.report.ranking import Estimand, Ranking
from tuning.statistics.family import FEW_BLOCKS, ONE_BLOCK, Comparison, Family

ESTIMANDS: dict[Estimand, str] = {
    "area": "It holds for this test area and these dates; it says nothing about other areas or other events.",
    "event": "It holds for this event, whose whole area was tested fold by fold; it says nothing about other events.",
    "events": "It holds for these events alone; what is known of new events stands in the section on held-out events.",
}
MOST_NEEDED = 1000  # seeds or blocks; more are named as out of reach


def describe_pair(pair: Comparison, metric: str, margin: float) -> str:
    """Describe a comparison in a clause, the better model first."""
    names, gap, ends = (pair.a, pair.b), pair.difference, (pair.low, pair.high)
    if gap < 0:
        names, gap, ends = (pair.b, pair.a), -gap, (-pair.high, -pair.low)
    size, low, high = (f"{value:z.3f}" for value in (gap, *ends))
    p = "p < 0.001" if pair.p < 0.0005 else f"p = {pair.p:.3f}"
    if pair.decided:
        return f"{names[0]} is better than {names[1]} by {size} {metric} (95 % interval {low} to {high}, {p})"
    if pair.verdict == "equivalent":
        return f"{names[0]} and {names[1]} are equivalent (difference {size}, 90 % interval within ± {margin:g})"
    inside = f"{pair.note}" if pair.note else f"difference {size}, {low} to {high}"
    return f"{names[0]} against {names[1]} is undecided ({inside})"


def describe_verdict(
    family: Family, metric: str = "AP", models: Sequence[str] | None = None
) -> str:
    """Describe a family's comparisons in a sentence, decided ones first.

    Args:
        family: The comparisons.
        metric: Name of the score.
        models: Describe only pairs of these models; all if None.

    Raises:
        ValueError: If there is no such pair.
    """
    pairs = [pair for pair in family.pairs if models is None or {pair.a, pair.b} <= set(models)]
    if not pairs:
        raise ValueError(
            f"A verdict needs a comparison, but got none ({models=}). Pass two models of the family."
        )
    order = ("better", "worse", "equivalent", "undecided")
    pairs.sort(key=lambda pair: order.index(pair.verdict.replace("worse", "better")))
    return "; ".join(describe_pair(pair, metric, family.margin) for pair in pairs) + "."


def describe_blocks(ranking: Ranking) -> str:
    """Describe how the test tiles depend on each other, and on how many blocks the differences rest."""
    family = ranking.primary
    if family is None:
        return ""
    if any(pair.note == ONE_BLOCK for pair in family.pairs):
        return f"Nothing can be decided here, because {ONE_BLOCK}."
    rests_on = min(pair.effective_blocks for pair in family.pairs)
    edge = ranking.block_tiles
    text = (
        f"Neighbouring tiles are not independent (Moran's I of the differences {family.moran:.2f}), so blocks of {edge} x "
        f"{edge} tiles are resampled: {family.blocks} blocks"
    )
    if rests_on < FEW_BLOCKS:
        return f"{text}, but the differences rest on as few as {rests_on:.0f} of them."
    return f"{text}, of which the differences rest on {rests_on:.0f} or more."


def describe_power(family: Family) -> str:
    """Describe the smallest difference that can be shown, and what would decide the undecided pairs."""
    if not isfinite(family.detectable):
        return ""
    text = (
        f"With these tiles and seeds, a difference of {family.detectable:.3f} AP between any two of the compared models "
        "is found with 80 % power."
    )
    open_pairs = [pair for pair in family.pairs if pair.verdict == "undecided" and not pair.note]
    return " ".join([text, *map(describe_needs, open_pairs)])


def describe_needs(pair: Comparison) -> str:
    """Describe how many seeds or blocks would decide the observed difference."""
    ways = [
        f"{ceil(number):,} {unit}"
        for number, unit in ((pair.needs.seeds, "seeds"), (pair.needs.blocks, "blocks"))
        if number < MOST_NEEDED
    ]
    start = f"To decide {pair.a} against {pair.b} at the observed {abs(pair.difference):.3f}"
    if not ways:
        return f"{start}, neither more seeds nor more blocks alone would do."
    return f"{start}, about {' or '.join(ways)} would be needed."
