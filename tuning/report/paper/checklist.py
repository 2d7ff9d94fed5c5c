"""The section that answers reviewers' checklists: each question with this campaign's answer, and the section that shows it.

References:
    Kapoor et al. (2024), REFORMS: Consensus-based Recommendations for Machine-learning-based Science, Science Advances 10(18),
    doi:10.1126/sciadv.adk3452: 32 items in 8 modules. NeurIPS, Paper Checklist (neurips.cc/public/guides/PaperChecklist).
    The questions are in this project's words.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.page.html import Link, Section, Table, Text
from tuning.report.paper.checklist_items import list_items
from tuning.report.paper.facts import CampaignFacts
from tuning.report.ranking import Ranking
from tuning.report.study.searches import SearchRecord

TITLE = "Checklist"
ABOUT = (
    "What reviewers ask, answered by this campaign. R1 to R8 are the modules of REFORMS (Kapoor et al. 2024, doi:10.1126/sciadv.adk3452), N the "
    "names of NeurIPS' paper checklist. What only authors can answer is said so."
)


def build_checklist_section(
    facts: CampaignFacts,
    ranking: Ranking,
    searches: Sequence[SearchRecord],
    hours: tuple[float, float],
    addresses: Mapping[str, str],
) -> Section:
    """Build the section.

    Args:
        facts: Facts of the campaign.
        ranking: Its models.
        searches: A record of each model's search.
        hours: CPU and GPU hours of searches and repeats.
        addresses: Address of each section of the page, by its title.
    """
    items = list_items(facts, ranking, searches, hours)
    rows: list[list[Any]] = [
        [one.question, one.asked, one.answer, _link(one.section, addresses)] for one in items
    ]
    return Section(
        TITLE,
        [Text(ABOUT), Table(("question", "asked by", "answer", "shown in"), rows, "Checklist")],
    )


def _link(title: str, addresses: Mapping[str, str]) -> Any:
    return Link(title, addresses[title]) if title in addresses else None
