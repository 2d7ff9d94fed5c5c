"""The headline: one sentence in words that says which models are better, equivalent, or cannot be told apart.

Every pair of models has one of three relations, and each clause states a relation of all pairs that it names, so that the
sentence says nothing that the verdicts do not. A sentence that would take more than ``MOST_CLAUSES`` clauses counts pairs instead.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

from tuning.page.html import Table
from tuning.report.headline.names import be, join_names, name_models
from tuning.report.sections.verdict import order_pair
from tuning.report.tables import format_ends
from tuning.statistics.family import MIN_SEEDS, TOO_FEW, Comparison, Family, Verdict

MOST_CLAUSES = 4
MOST_ROWS = 10  # of the table below the headline
PAIR_COLUMNS = ("pair", "difference in AP", "95 % interval", "p", "verdict on the first")
CAPTION = (
    "Differences in test AP {where}, the higher mean first. Intervals are simultaneous over {pairs}, p-values adjusted for them; "
    "both are over {blocks} blocks of test tiles and over seeds."
)
NOTE = "**Better**: the interval excludes 0. **Equivalent**: the 90 % interval lies within ± {margin:g}. **Undecided**: neither is shown."


class Pair(Protocol):
    """A verdict on model *a* against model *b*."""

    @property
    def a(self) -> str:
        """The first model."""

    @property
    def b(self) -> str:
        """The second model."""

    @property
    def verdict(self) -> Verdict:
        """Verdict on *a*."""

    @property
    def note(self) -> str:
        """Why the pair is undecided in any case."""


def describe_pairs(pairs: Sequence[Pair], order: Sequence[str], margin: float, where: str) -> str:
    """Describe all verdicts of a family in one sentence, without its first capital and its full stop.

    Args:
        pairs: Every pair of the models, once.
        order: Titles of the models, best first.
        margin: Difference in AP below which two models count as equivalent.
        where: What the verdicts hold for, such as ``on this area``; it ends the first clause.

    Raises:
        ValueError: If there is no pair.
    """
    if not pairs:
        raise ValueError(
            "A headline needs a comparison, but the family has none. Compare two or more models."
        )
    alike = {
        (verdict, *group): _describe_alike(verdict, group, margin)
        for verdict in ("equivalent", "undecided")
        for group in find_groups([(p.a, p.b) for p in pairs if p.verdict == verdict], order)
    }
    groups = _group_winners(pairs, order)
    best = _find_best(groups, order)
    shared = [key for key in alike if list(key[1:]) == best]  # one relation of all the best
    if shared:
        worse = [name for name in order if name not in best]
        decided = [alike.pop(shared[0]), f"{name_models(worse)} {be(worse)} worse"]
    else:
        decided = [_describe_winners(*group) for group in groups]
    clauses = [*decided, *alike.values()]
    if len(clauses) > MOST_CLAUSES:
        return _count_pairs(pairs, order, margin, where)
    first, *rest = clauses
    return "; ".join([f"{first} {where}{_explain(pairs)}", *rest])


def _explain(pairs: Sequence[Pair]) -> str:
    """Say why nothing can be decided, where that has one reason for all pairs."""
    notes = {pair.note for pair in pairs}
    if len(notes) > 1 or "" in notes:
        return ""
    note = notes.pop()
    return f": {note}{f', {MIN_SEEDS} are needed' if note == TOO_FEW else ''}"


def _find_losers(pairs: Sequence[Pair]) -> dict[str, set[str]]:
    """Return what each model is better than; models that are better than none are left out."""
    losers: dict[str, set[str]] = {}
    for pair in pairs:
        if pair.verdict in ("better", "worse"):
            best, other = (pair.a, pair.b) if pair.verdict == "better" else (pair.b, pair.a)
            losers.setdefault(best, set()).add(other)
    return losers


def _group_winners(
    pairs: Sequence[Pair], order: Sequence[str]
) -> list[tuple[list[str], list[str]]]:
    """Return models that are better than the same others, with these others, best first."""
    losers = _find_losers(pairs)
    groups: dict[frozenset[str], list[str]] = {}
    for name in order:
        if name in losers:
            groups.setdefault(frozenset(losers[name]), []).append(name)
    return [
        (winners, [name for name in order if name in others]) for others, winners in groups.items()
    ]


def _find_best(groups: Sequence[tuple[list[str], list[str]]], order: Sequence[str]) -> list[str]:
    """Return the models that are each better than every model outside of them; none if that is not all that is decided."""
    if len(groups) != 1 or len(groups[0][0]) + len(groups[0][1]) < len(order):
        return []
    return groups[0][0]


def _describe_winners(winners: Sequence[str], others: Sequence[str]) -> str:
    return f"{name_models(winners)} {be(winners)} better than {name_models(others)}"


def _describe_alike(verdict: str, group: Sequence[str], margin: float) -> str:
    names = name_models(group)
    if verdict == "equivalent":
        return f"{names} are equivalent within {margin:g} AP"
    return f"the test cannot tell {names} apart"


def find_groups(edges: Sequence[tuple[str, str]], order: Sequence[str]) -> list[list[str]]:
    """Return groups whose every pair is an edge, which cover all edges; each begins at the first edge that is not covered yet.

    Args:
        edges: Pairs of names.
        order: All names; groups list them in this order.
    """
    known = {frozenset(edge) for edge in edges}
    left = [pair for pair in combinations(order, 2) if frozenset(pair) in known]
    groups = []
    while left:
        group = list(left[0])
        for name in order:
            if name not in group and all(frozenset((name, one)) in known for one in group):
                group.append(name)
        groups.append(sorted(group, key=list(order).index))
        left = [pair for pair in left if not set(pair) <= set(group)]
    return groups


def _count_pairs(pairs: Sequence[Pair], order: Sequence[str], margin: float, where: str) -> str:
    """Describe many relations by their numbers, and by the models than which none is shown to be better."""
    beaten = set().union(*_find_losers(pairs).values())
    unbeaten = [name for name in order if name not in beaten]
    counts = {
        "better or worse": sum(pair.verdict in ("better", "worse") for pair in pairs),
        f"equivalent within {margin:g} AP": sum(pair.verdict == "equivalent" for pair in pairs),
        "undecided": sum(pair.verdict == "undecided" for pair in pairs),
    }
    told = [
        f"{number} {'is' if number == 1 else 'are'} {what}"
        for what, number in counts.items()
        if number
    ]
    return (
        f"no model is shown to be better than {name_models(unbeaten, 'or')} {where}; of {len(pairs)} pairs of models "
        f"{join_names(told)}"
    )


def sort_pairs(pairs: Sequence[Comparison]) -> list[Comparison]:
    """Return the decided pairs, then equivalent, then undecided ones; the largest difference first."""
    rank = {"better": 0, "worse": 0, "equivalent": 1, "undecided": 2}
    return sorted(pairs, key=lambda pair: (rank[pair.verdict], -abs(pair.difference)))


def make_pair_row(pair: Comparison) -> list[object]:
    """Return a pair's row: models, difference, interval, p and verdict on the model with the higher mean."""
    best, other, size, low, high = order_pair(pair)
    verdict = "better" if pair.decided else pair.verdict
    return [
        f"{best} \N{MINUS SIGN} {other}",
        size,
        format_ends(low, high, "z.3f"),
        pair.p,
        f"{verdict}{f' ({pair.note})' if pair.note else ''}",
    ]


def make_pair_table(
    family: Family, where: str, most: int | None = None, elsewhere: str = ""
) -> Table:
    """Return the table of a family's pairs.

    Args:
        family: Two models or more.
        where: What the differences hold for, such as ``on this area``.
        most: Number of rows; None for all pairs.
        elsewhere: Where pairs that are left out are found.
    """
    pairs = sort_pairs(family.pairs)
    shown = pairs[:most]
    note = NOTE.format(margin=family.margin)
    if left := len(pairs) - len(shown):
        note += f" {left} more {'pair is' if left == 1 else 'pairs are'} in {elsewhere}."
    number = "this one pair" if len(pairs) == 1 else f"all {len(pairs)} pairs"
    caption = CAPTION.format(where=where, pairs=number, blocks=family.blocks)
    return Table(PAIR_COLUMNS, [make_pair_row(pair) for pair in shown], caption, note)
