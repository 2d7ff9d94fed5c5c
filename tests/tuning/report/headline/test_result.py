"""The top of the report: what makes the result void or partial comes first, then one sentence and its numbers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tests.tuning.report.sections.test_new_events import events_of
from tests.tuning.report.sections.test_verdict import family_of, pair_of
from tuning.report.context import ReportContext
from tuning.report.headline import result
from tuning.report.headline.result import list_warnings, make_headline, make_numbers
from tuning.statistics.family import TOO_FEW, Comparison

WIN, OPEN = pair_of("A", "B", 0.1, "better"), pair_of("A", "B", 0.01, "undecided")


def make_context(*pairs: Comparison, **changes: Any) -> ReportContext:
    """Return a context of the models A and B, or of A alone."""
    titles = list(dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b))) or ["A"]
    network = {"is_baseline": False, "is_foreign": False, "runs": ()}
    models = tuple(SimpleNamespace(title=name, **network) for name in titles)
    estimand = changes.pop("estimand", "area")
    ranking = SimpleNamespace(
        models=models,
        primary=family_of(*pairs) if pairs else None,
        comparisons=pairs,
        places=dict.fromkeys(titles, (1, 2)) if pairs else {},
        margin=0.02,
        estimand=estimand,
    )
    row = {
        "model": "A",
        "pr_auc_mean": 0.5,
        "pr_auc_std": 0.01,
        "pr_auc_low": 0.4,
        "pr_auc_high": 0.6,
    }
    values: dict[str, Any] = dict.fromkeys(ReportContext.__dataclass_fields__)
    values |= {"ranking": ranking, "events": pd.DataFrame(), "missing_runs": (), "duplicates": ()}
    values |= {"table": pd.DataFrame([row]), "folder": Path("none")} | changes
    return ReportContext(**values)


def test_the_headline_is_one_sentence_about_this_area() -> None:
    assert make_headline(make_context(WIN)) == "A is better than B on this area."
    assert make_headline(make_context(WIN, estimand="event")) == "A is better than B on this event."


def test_too_few_seeds_are_said_in_the_headline() -> None:
    pair = pair_of("A", "B", 0.1, "undecided", TOO_FEW)
    assert make_headline(make_context(pair)) == (
        "The test cannot tell A and B apart on this area: too few seeds, 3 are needed."
    )


def test_a_single_model_is_compared_with_nothing_and_keeps_its_score() -> None:
    context = make_context()
    assert make_headline(context) == "A is the only model of this campaign, so nothing is compared."
    table = make_numbers(context)
    assert table.cells == [["A", "0.500 ± 0.010", "0.400 to 0.600"]]
    assert "of each score by itself, not adjusted" in table.caption


def test_a_partial_report_begins_with_it() -> None:
    context = make_context(WIN, missing_runs=("unet has 2 of 5 repeat runs.",))
    assert make_headline(context) == "In this partial report, A is better than B on this area."
    assert list(list_warnings(context)) == ["This report is partial: unet has 2 of 5 repeat runs."]


def test_a_leak_makes_the_result_void_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = SimpleNamespace(above_chance=("dates",))
    monkeypatch.setattr(result, "read_leak_audit", lambda folder: [audit])
    monkeypatch.setattr(result, "describe_leaks", lambda folder: ["warning: The label leaks."])
    context = make_context(WIN, missing_runs=("unet has 2 of 5 repeat runs.",))
    assert make_headline(context) == (
        "Do not rely on these scores, since the label leaks; as measured, in this partial report, A is better than B on this area."
    )
    assert next(list_warnings(context)) == "The label leaks."


def test_few_events_say_nothing_about_new_ones_but_something_about_these() -> None:
    context = make_context(OPEN, events=events_of([0.3, 0.31]), estimand="events")
    assert make_headline(context) == (
        "2 events cannot show which model is better on new events (5 are needed); the test cannot tell A and B apart on "
        "these events."
    )
    assert "on these events, the higher mean first" in make_numbers(context).caption
    one = make_context(WIN, events=events_of([0.3]))
    assert make_headline(one).startswith("1 event cannot show which model is better on new events")


def test_many_events_give_the_headline_and_its_numbers() -> None:
    events = events_of([0.1, 0.11, 0.12, 0.1, 0.11, 0.12])
    context = make_context(OPEN, events=events, estimand="events")
    assert make_headline(context) == "A is better than B on new events."
    table = make_numbers(context)
    assert table.caption == "Verdicts for new events"
    assert table.cells[0][-1] == "better (p < 0.001, 6 events)"
