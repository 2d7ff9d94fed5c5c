"""Answers to reviewers' checklists, each with the section that shows it."""

from types import SimpleNamespace
from typing import Any

from tests.support.campaign_facts import FACTS, make_facts
from tuning.page.html import Link, Table
from tuning.report.paper.checklist import build_checklist_section
from tuning.report.paper.checklist_items import list_items
from tuning.report.study.importance import Importance
from tuning.report.study.searches import SearchRecord

RANKING: Any = SimpleNamespace(
    estimand="area",
    models=(SimpleNamespace(title="VanillaUNet"), SimpleNamespace(title="UTAE")),
    primary=SimpleNamespace(margin=0.02),
    places={"VanillaUNet": (1, 2), "UTAE": (1, 2)},
)
SEARCHES = [
    SearchRecord("VanillaUNet", False, (), {}, Importance(0), {"finished": 4}),
    SearchRecord("UTAE", False, (), {}, Importance(0), {"finished": 3}),
    SearchRecord("CuSum", True, (), {}, Importance(0), {"finished": 4}),
]
HOURS = (1.5, 0.0)


def find_answers(**changes: Any) -> dict[str, str]:
    items = list_items(make_facts(**changes), RANKING, SEARCHES, HOURS)
    return {one.question: one.answer for one in items}


def test_answers_are_this_campaign_s() -> None:
    answers = find_answers()
    assert (
        answers["What is claimed, about what?"]
        == "How VanillaUNet, UTAE compare by AP on one test area of one event."
    )
    ranges = "Which hyperparameters, from which ranges, how chosen?"
    assert answers[ranges].startswith("3 to 4 trials per network")
    assert answers["Are there simple baselines, tuned as well?"] == "1 baseline, 4 samples each."
    assert (
        answers["How certain are the scores?"]
        == "95 % intervals over 24 spatial blocks and 3 seeds."
    )
    assert (
        answers["On what was it computed, for how long?"]
        == "1.50 CPU hours and no GPU, for training."
    )


def test_what_only_authors_can_answer_is_not_answered() -> None:
    assert find_answers()["Who may be harmed by a wrong map, and how is that met?"].startswith(
        "Not answered"
    )


def test_terms_follow_the_data() -> None:
    assert "Synthetic tiles" in find_answers()["Under which terms are the data?"]
    assert "CC BY 4.0" in find_answers(synthetic=False)["Under which terms are the data?"]


def test_an_answer_leads_to_its_section_where_the_page_has_it() -> None:
    section = build_checklist_section(FACTS, RANKING, SEARCHES, HOURS, {"Split": "#split"})
    table = section.blocks[1]
    assert isinstance(table, Table)
    links = [row[3] for row in table.rows if isinstance(row[3], Link)]
    assert {str(link): link.address for link in links} == {"Split": "#split"}
    assert {row[3] for row in table.rows if not isinstance(row[3], Link)} == {None}
