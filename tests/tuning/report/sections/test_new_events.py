"""Verdicts on new events: fewer than five events decide nothing, and the sentence says how many are needed."""

import pandas as pd

from tuning.report.events import ALL_EVENTS
from tuning.report.sections.new_events import (
    build_event_pairs,
    compare_over_events,
)


def events_of(gaps: list[float]) -> pd.DataFrame:
    rows = []
    for model, shift in (("A", 1.0), ("B", 0.0)):
        for number, gap in enumerate(gaps):
            score = 0.3 + 0.05 * number + shift * gap
            rows.append({"model": model, "held_out": f"r{number}", "pr_auc_mean": score})
        rows.append({"model": model, "held_out": ALL_EVENTS, "pr_auc_mean": 0.9})
    return pd.DataFrame(rows).assign(shots=0)


def test_two_events_decide_nothing() -> None:
    pairs = compare_over_events(events_of([0.3, 0.31]), ["A", "B"], 0.02)
    (row,) = build_event_pairs(pairs).cells
    assert row == ["A", "B", "0.305", "0.300 to 0.310", "undecided: 2 events, 5 are needed"]


def test_six_like_differences_are_decided() -> None:
    pairs = compare_over_events(events_of([0.1, 0.11, 0.12, 0.1, 0.11, 0.12]), ["B", "A"], 0.02)
    assert pairs[0].verdict == "worse"
    assert build_event_pairs(pairs).cells[0][-1] == "worse (p < 0.001, 6 events)"
