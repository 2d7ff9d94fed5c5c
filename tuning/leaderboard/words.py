"""Verdicts of a leaderboard in sentences."""

from collections import Counter
from collections.abc import Sequence

from tuning.leaderboard.entries import Entry
from tuning.report.sections.verdict import order_pair
from tuning.statistics.family import Comparison


class Names:
    """Short names of rows: the model's title, with the bundle's file where two rows have one title."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        count = Counter(entry.model.title for entry in entries)
        self._short = {
            entry.name: entry.model.title
            if count[entry.model.title] == 1
            else f"{entry.model.title} of {entry.file}"
            for entry in entries
        }

    def __getitem__(self, name: str) -> str:
        return self._short[name]


def describe_comparison(pair: Comparison, margin: float, names: Names) -> str:
    """Describe a verdict with its numbers, the better row first."""
    best, other, size, low, high = order_pair(pair)
    best, other = names[best], names[other]
    p = "p < 0.001" if pair.p < 0.0005 else f"p = {pair.p:.3f}"
    numbers = f"difference {size:.3f} AP, 95 % interval {low:z.3f} to {high:z.3f}, {p}"
    if pair.decided:
        return f"{best} is better than {other}: {numbers}."
    if pair.verdict == "equivalent":
        return f"{best} and {other} are equivalent within ± {margin:g} AP: {numbers}."
    why = f"; {pair.note}" if pair.note else ""
    return f"Undecided between {best} and {other}: {numbers}{why}."
