"""The verdict in words: what is decided, what is not, and what the comparison is about; a few short sentences."""

from collections.abc import Iterator, Sequence
from math import ceil, isfinite

from tuning.report.ranking import Estimand, Ranking
from tuning.statistics.family import FEW_BLOCKS, ONE_BLOCK, Comparison, Family

ESTIMANDS: dict[Estimand, str] = {
    "area": "This holds for this test area and these dates; it says nothing about other areas or other events.",
    "event": "This holds for this event, whose whole area was tested fold by fold; it says nothing about other events.",
    "events": "This holds for these events alone; verdicts on new events are in the section on new events.",
}
MOST_NEEDED = 1000  # seeds or blocks; more are named as out of reach
MOST_NUMBERS = 2  # pairs that are described with their numbers; more are summarised


def join_names(names: Sequence[str]) -> str:
    """Join names as in a sentence: ``A``, ``A and B``, ``A, B and C``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def order_pair(pair: Comparison) -> tuple[str, str, float, float, float]:
    """Return a pair's better and worse model, their difference and its interval."""
    if pair.difference < 0:
        return pair.b, pair.a, -pair.difference, -pair.high, -pair.low
    return pair.a, pair.b, pair.difference, pair.low, pair.high


def describe_pair(pair: Comparison, metric: str = "AP") -> str:
    """Describe a decided or undecided comparison in a clause with its numbers, the better model first."""
    best, other, *numbers = order_pair(pair)
    size, low, high = (f"{value:z.3f}" for value in numbers)
    if pair.decided:
        p = "p < 0.001" if pair.p < 0.0005 else f"p = {pair.p:.3f}"
        return (
            f"{best} is better than {other} by {size} {metric} (95 % interval {low} to {high}, {p})"
        )
    inside = pair.note or f"difference {size}, {low} to {high}"
    return f"{best} against {other} ({inside})"


def describe_verdict(family: Family, metric: str = "AP") -> Iterator[str]:
    """Yield up to three sentences: what is better than what, what is equivalent, and what is undecided.

    Raises:
        ValueError: If the family has no pair.
    """
    if not family.pairs:
        raise ValueError(
            "A verdict needs a comparison, but the family has none. Compare two or more models."
        )
    decided = [pair for pair in family.pairs if pair.decided]
    same = [pair for pair in family.pairs if pair.verdict == "equivalent"]
    still_open = [pair for pair in family.pairs if pair.verdict == "undecided"]
    if decided:
        yield _describe_decided(decided, metric)
    if same:
        names = "; ".join(f"{pair.a} and {pair.b}" for pair in same)
        yield f"Equivalent within ± {family.margin:g} {metric}: {names}."
    if still_open:
        yield _describe_open(still_open, family, metric)


def _describe_decided(pairs: Sequence[Comparison], metric: str) -> str:
    if len(pairs) <= MOST_NUMBERS:
        return "; ".join(describe_pair(pair, metric) for pair in pairs) + "."
    losers: dict[str, list[str]] = {}
    gaps: dict[str, list[float]] = {}
    for pair in pairs:
        best, other, gap, *_ = order_pair(pair)
        losers.setdefault(best, []).append(other)
        gaps.setdefault(best, []).append(gap)
    clauses = [
        f"{best} is better than {join_names(losers[best])} by {_format_range(gaps[best])} {metric}"
        for best in sorted(losers, key=lambda name: -len(losers[name]))
    ]
    return "; ".join(clauses) + "."


def _format_range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.3f}", f"{max(values):.3f}"
    return low if low == high else f"{low} to {high}"


def _describe_open(pairs: Sequence[Comparison], family: Family, metric: str) -> str:
    if len(pairs) == len(family.pairs) and len(pairs) > 1:
        names = list(dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b)))
        largest = max(pairs, key=lambda pair: abs(pair.difference))
        best, other, size, low, high = order_pair(largest)
        why = (
            f": {largest.note}"
            if largest.note
            else f"; the largest difference, {best} over {other}, is {size:.3f} {metric} with the 95 % interval {low:z.3f} to {high:z.3f}"
        )
        return f"Undecided: this test cannot tell {join_names(names)} apart{why}."
    if len(pairs) <= MOST_NUMBERS:
        return f"Undecided: {'; '.join(describe_pair(pair, metric) for pair in pairs)}."
    listed = "; ".join(" against ".join(order_pair(pair)[:2]) for pair in pairs)
    return f"Undecided: {listed}."


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
        f"Compared are {what}, by average precision (AP); every other row and score is exploratory."
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
        f"Neighbouring tiles may be alike (Moran's I of the differences {family.moran:z.2f}), so {family.blocks} blocks of "
        f"{edge} x {edge} test tiles are the units; the least supported difference rests on {few} of them."
    )


def describe_power(family: Family) -> str:
    """Describe the smallest difference that can be shown, and what would decide the pair that is nearest to it."""
    if not isfinite(family.detectable):
        return ""
    text = (
        f"A true difference of {family.detectable:.3f} AP or more would be found with 80 % power."
    )
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
