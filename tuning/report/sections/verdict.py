"""What stands below the headline: what is compared, on how many blocks it rests, and what would decide more."""

from math import ceil, isfinite

from tuning.report.ranking import Estimand, Ranking
from tuning.statistics.family import FEW_BLOCKS, ONE_BLOCK, Comparison, Family

ESTIMANDS: dict[Estimand, str] = {
    "area": "This holds for this test area and these dates; it says nothing about other areas or other events.",
    "event": "This holds for this event, whose whole area was tested fold by fold; it says nothing about other events.",
    "events": "This holds for these events alone; verdicts on new events are in the section on new events.",
}
MOST_NEEDED = 1000  # seeds or blocks; more are named as out of reach


def order_pair(pair: Comparison) -> tuple[str, str, float, float, float]:
    """Return a pair's better and worse model, their difference and its interval."""
    if pair.difference < 0:
        return pair.b, pair.a, -pair.difference, -pair.high, -pair.low
    return pair.a, pair.b, pair.difference, pair.low, pair.high


def describe_family(ranking: Ranking) -> str:
    """Describe what is compared, and that the rest is exploratory."""
    baseline = [model.title for model in ranking.models if model.is_baseline]
    compared = [name for name in baseline if name in ranking.places]
    if len(compared) == len(ranking.places):
        what = "the baselines"
    elif compared:
        what = f"the networks and {compared[0]}, the baseline that is best on val"
    else:
        what = "the networks"
    return (
        f"Compared by average precision (AP) are {what}; every other row and score is exploratory."
    )


def describe_blocks(ranking: Ranking) -> str:
    """Describe on how many blocks of test tiles the differences rest."""
    family = ranking.primary
    if family is None:
        return ""
    if any(pair.note == ONE_BLOCK for pair in family.pairs):
        return f"Nothing can be decided here, because {ONE_BLOCK}."
    rests_on = min(pair.effective_blocks for pair in family.pairs)
    edge = ranking.block_tiles
    few = f"only {rests_on:.0f}" if rests_on < FEW_BLOCKS else f"{rests_on:.0f}"
    return (
        f"Units are {family.blocks} blocks of {edge} x {edge} test tiles, since neighbouring tiles may be alike; "
        f"the least supported difference rests on {few} of them."
    )


def describe_power(family: Family) -> str:
    """Describe the smallest difference that can be shown, and what would decide the pair that is nearest to it."""
    if not isfinite(family.detectable):
        return ""
    text = f"A true difference of {family.detectable:.3f} AP would be found with 80 % power."
    pairs = [pair for pair in family.pairs if pair.verdict == "undecided" and not pair.note]
    if not pairs:
        return text
    nearest = min(pairs, key=lambda pair: (pair.needs.blocks, pair.needs.seeds))
    return f"{text} {describe_needs(nearest)}"


def describe_needs(pair: Comparison) -> str:
    """Describe how many seeds or blocks would decide the observed difference."""
    ways = [
        f"{ceil(number):,} {unit}"
        for number, unit in ((pair.needs.seeds, "seeds"), (pair.needs.blocks, "blocks"))
        if number < MOST_NEEDED
    ]
    best, other, gap, *_ = order_pair(pair)
    if not ways:
        return f"To decide {best} against {other} at the observed {gap:.3f}, neither more seeds nor more blocks alone would do."
    return f"To decide {best} against {other} at the observed {gap:.3f} takes about {' or '.join(ways)}."
