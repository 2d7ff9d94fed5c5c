"""The questions of reviewers' checklists, each with a campaign's answer and the section that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuning.report.paper import quote, scope
from tuning.report.paper.facts import CampaignFacts
from tuning.report.ranking import Ranking
from tuning.report.study import all_runs, compute, hyperparameters
from tuning.report.study.searches import SearchRecord

RANKING, BASIS, SPLIT, PROVENANCE = (
    "Ranking",
    "What the comparison rests on",
    "Split",
    "Provenance and excluded tiles",
)
MADE = "Synthetic tiles, made by this code (Apache-2.0) from published statistics of Sen12Landslides (CC BY 4.0)"
AUTHORS = "for the authors of a paper to answer"


@dataclass(frozen=True)
class Item:
    """One question.

    Attributes:
        asked: Where it is asked.
        question: In a few words.
        answer: This campaign's answer.
        section: Title of the section that shows it; empty for none.
    """

    asked: str
    question: str
    answer: str
    section: str = ""


def list_items(
    facts: CampaignFacts,
    ranking: Ranking,
    searches: Sequence[SearchRecord],
    hours: tuple[float, float],
) -> list[Item]:
    """Return the questions with their answers."""
    return [
        *_ask_about_claims(facts, ranking),
        *_ask_about_data(facts),
        *_ask_about_models(searches),
        *_ask_about_evidence(facts, ranking),
        *_ask_about_repetition(facts, hours),
    ]


def _ask_about_claims(facts: CampaignFacts, ranking: Ranking) -> list[Item]:
    kind = {
        "area": "one test area of one event",
        "event": "one event, tested fold by fold",
        "events": "the tested events",
    }[ranking.estimand]
    compared = [one.title for one in ranking.models if one.title in ranking.places]
    models = ", ".join(compared) or ranking.models[0].title
    return [
        Item(
            "R1, N claims",
            "What is claimed, about what?",
            f"How {models} compare by AP on {kind}.",
            BASIS,
        ),
        Item(
            "R8, N limitations",
            "What are the limits?",
            "Listed, with what is not known.",
            scope.TITLE,
        ),
        Item(
            "R8",
            "Is there evidence beyond the test tiles?",
            "Yes, by held-out events."
            if ranking.estimand == "events"
            else "No: the result is of these tiles and dates.",
            scope.TITLE,
        ),
    ]


def _ask_about_data(facts: CampaignFacts) -> list[Item]:
    source = f"{facts.data_name[:1].upper()}{facts.data_name[1:]}, doi:10.1038/s41597-025-06167-2"
    terms = MADE if facts.synthetic else "CC BY 4.0 for Sen12Landslides"
    return [
        Item(
            "R2, R3, N data",
            "Which data, and how are they identified?",
            f"{source}; hash {facts.data_hash}.",
            PROVENANCE,
        ),
        Item("N licences", "Under which terms are the data?", f"{terms}.", quote.TITLE),
        Item(
            "R3",
            "Who labelled, and how good are the labels?",
            "See the row on labels.",
            scope.TITLE,
        ),
        Item(
            "R4",
            "Which data were left out, and why?",
            "Every tile is named with its reason.",
            PROVENANCE,
        ),
        Item(
            "R4",
            "How were the data prepared?",
            f"Channels {facts.channels}; acquisitions {facts.acquisitions}; statistics of train tiles alone.",
            PROVENANCE,
        ),
        Item(
            "R6",
            "Are train and test apart?",
            f"Split {facts.split}, hash {facts.split_hash}; touching tiles are counted.",
            SPLIT,
        ),
        Item(
            "R6",
            "Can the input give the label away?",
            "The dates were audited for it where the campaign has an audit.",
            BASIS,
        ),
    ]


def _ask_about_models(searches: Sequence[SearchRecord]) -> list[Item]:
    networks = [one for one in searches if not one.is_baseline]
    baselines = [one for one in searches if one.is_baseline]
    budget = f"{_format_range([one.trials for one in networks])} trials per network"
    tuned = [one.trials for one in baselines if one.trials]
    names = (
        f"{len(baselines)} baseline{'s' if len(baselines) > 1 else ''}"
        if baselines
        else "No baseline"
    )
    return [
        Item(
            "R5, N setting",
            "Which hyperparameters, from which ranges, how chosen?",
            f"{budget}; ranges and values are listed; chosen on val."
            if networks
            else "No network was trained.",
            hyperparameters.TITLE,
        ),
        Item(
            "R5",
            "Are there simple baselines, tuned as well?",
            f"{names}, {_format_range(tuned)} samples each."
            if tuned
            else f"{names}{', untuned' if baselines else ''}.",
            RANKING,
        ),
    ]


def _format_range(numbers: Sequence[int]) -> str:
    if not numbers:
        return "no"
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _ask_about_evidence(facts: CampaignFacts, ranking: Ranking) -> list[Item]:
    family = ranking.primary
    adjusted = "One family of comparisons is declared and adjusted; all else is exploratory."
    return [
        Item(
            "R7",
            "Which score, and why?",
            "AP: it needs no threshold, and landslides are rare.",
            RANKING,
        ),
        Item(
            "R7, N significance",
            "How certain are the scores?",
            f"95 % intervals over {facts.blocks} spatial blocks and {facts.seeds} seed{'s' if facts.seeds > 1 else ''}.",
            BASIS,
        ),
        Item(
            "R7",
            "How are models compared?",
            f"{adjusted} Margin of equivalence ± {family.margin:g} AP."
            if family
            else "A single model: with nothing.",
            BASIS,
        ),
        Item(
            "R6",
            "Was test used to choose anything?",
            "No: val chose everything, test was read once per run.",
            scope.TITLE,
        ),
    ]


def _ask_about_repetition(facts: CampaignFacts, hours: tuple[float, float]) -> list[Item]:
    cpu, gpu = hours
    spent = f"{cpu:,.2f} CPU hours and " + (f"{gpu:,.2f} GPU hours" if gpu else "no GPU")
    again = "python -m tuning.reproduce RUN_ID"
    return [
        Item(
            "R2, N code",
            "Which code, and how is it run again?",
            f"Commit {facts.git_commit[:12]}; {again} repeats a run.",
            all_runs.TITLE,
        ),
        Item(
            "R2, N compute",
            "On what was it computed, for how long?",
            f"{spent}, for training." if cpu or gpu else "Not logged.",
            compute.TITLE,
        ),
        Item("R2", "How is it cited?", "Lines to quote, and BibTeX.", quote.TITLE),
        Item(
            "N ethics, impact",
            "Who may be harmed by a wrong map, and how is that met?",
            f"Not answered here: {AUTHORS}.",
        ),
    ]
