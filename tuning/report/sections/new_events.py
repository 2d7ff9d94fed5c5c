"""Verdicts on new events: every pair of the primary family compared over the held-out events, which are the unit."""

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from tuning.page.formats import describe_p
from tuning.page.html import Table
from tuning.report.events import ALL_EVENTS
from tuning.statistics.clusters import MIN_EVENTS, EventComparison, compare_events

COLUMNS = ("model", "against", "difference in AP", "over events", "verdict on the first")
NOTE = (
    "Differences are paired by event. From {least} events on, **over events** is the 95 % interval for the mean over new events of the "
    "same kind, simultaneous over the pairs (Bonferroni), and p is adjusted for them; with fewer it is the lowest and highest difference, and nothing is decided."
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
    return f"{pair.verdict} ({describe_p(pair.p)}, {pair.events} events)"


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
