"""Verdicts on new events: every pair of the primary family compared over the held-out events, which are the unit."""

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from tuning.page.html import Table
from tuning.report.events import ALL_EVENTS
from tuning.statistics.clusters import MIN_EVENTS, EventComparison, compare_events

COLUMNS = ("model", "against", "difference in AP", "over events", "verdict on the first")
NOTE = (
    "Differences are paired by event. From {least} events on, **over events** is the 95 % interval, simultaneous over the pairs, for "
    "the mean over new events of the same kind; with fewer it is the lowest and highest difference, and nothing is decided."
)


def compare_over_events(
    events: pd.DataFrame, models: Sequence[str], margin: float
) -> list[EventComparison]:
    """Compare every two models over the held-out events.

    Args:
        events: Content of ``benchmark_events.csv``.
        models: Titles of the models.
        margin: Difference in AP below which two models count as equivalent.
    """
    each = events[events["held_out"] != ALL_EVENTS]
    scores = each.pivot(index=["held_out", "shots"], columns="model", values="pr_auc_mean")
    pairs = list(combinations(models, 2))
    return [
        compare_events(scores[a].to_numpy(), scores[b].to_numpy(), margin, (a, b), len(pairs))
        for a, b in pairs
    ]


def describe_event_verdict(pair: EventComparison) -> str:
    """Describe a verdict in a few words, such as ``undecided: 2 events, 5 are needed``."""
    if pair.events < MIN_EVENTS:
        number = "1 event" if pair.events == 1 else f"{pair.events} events"
        return f"{pair.verdict}: {number}, {MIN_EVENTS} are needed"
    return f"{pair.verdict} (p = {pair.p:.3f}, {pair.events} events)"


def describe_new_event_verdicts(pairs: Sequence[EventComparison]) -> str:
    """Describe in a sentence what is known about the compared models on new events."""
    count = pairs[0].events
    if count < MIN_EVENTS:
        number = "1 event" if count == 1 else f"{count} events"
        return (
            f"Which model is better on new events is undecided: {number}, {MIN_EVENTS} are needed."
        )
    decided = [pair for pair in pairs if pair.verdict in ("better", "worse")]
    clauses = [
        f"{pair.a if pair.verdict == 'better' else pair.b} is better than "
        f"{pair.b if pair.verdict == 'better' else pair.a} by {abs(pair.difference):.3f} AP"
        for pair in decided
    ]
    rest = len(pairs) - len(clauses)
    clauses += [f"{rest} of {len(pairs)} pairs show no difference"] if rest else []
    return f"On new events, {'; '.join(clauses)}."


def build_event_pairs(pairs: Sequence[EventComparison]) -> Table:
    """Build the table of verdicts for new events."""
    rows = [
        [
            *(pair.a, pair.b, pair.difference, f"{pair.low:z.3f} to {pair.high:z.3f}"),
            describe_event_verdict(pair),
        ]
        for pair in pairs
    ]
    return Table(COLUMNS, rows, "Verdicts for new events", NOTE.format(least=MIN_EVENTS))
