"""The section on what the result covers and what it does not, from the campaign's own facts."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.check.leak_file import describe_leaks
from data.io.safe_json import read_json
from tuning.page.html import Section, Table
from tuning.report.ceiling import describe_ceiling
from tuning.report.paper.facts import CampaignFacts
from tuning.report.ranking import Ranking
from tuning.report.sections.verdict import ESTIMANDS, describe_blocks, describe_power
from tuning.report.study.importance import MIN_TRIALS
from tuning.report.study.learning_curves import describe_still_rising
from tuning.report.study.records import History
from tuning.report.study.searches import SearchRecord

TITLE = "Scope and limitations"
FEW_SEEDS = 5
MOST_EDGES = 6  # values at the edge of their range; more are counted
SELECTION = (
    "Hyperparameters, epoch, threshold and registered version are chosen on val. Each repeat run reads test once, with the checkpoint "
    "and the threshold that val chose."
)
OTHERS = {
    "area": "Other areas, other events and other seasons. --split blocks:5 tests the whole area, --split events new events.",
    "event": "Other events: all tiles share this event's weather, terrain and labelling. --split events tests new ones.",
    "events": "Events beyond these, except as the section on new events says.",
}
REUSE = (
    "There is no second test part that nobody has seen: whoever changes a method after looking at these scores, and measures again on this "
    "split, has chosen on test. Another split or another region is a fresh test."
)
REAL_LABELS = (
    "Not known for these tiles. The inventories were drawn by people, and the authors of the data set name missing and noisy labels as a "
    "difficulty. Where a label is wrong, a right map counts as an error."
)
TWIN_LABELS = "On purpose some landslides are not drawn, and outlines are shifted."
SIMULATED = (
    "Any real place: terrain, backscatter, landslides and labels are simulated. The scores show that the pipeline works, and how models "
    "compare on such tiles."
)

Rows = list[Any]


def build_scope_section(
    facts: CampaignFacts,
    ranking: Ranking,
    searches: Sequence[SearchRecord],
    histories: "dict[str, Sequence[History]] | Any",
    folder: Path,
    missing: Sequence[str] = (),
) -> Section:
    """Build the section.

    Args:
        facts: Facts of the campaign.
        ranking: Its models.
        searches: A record of each model's search.
        histories: Values per epoch of each network's seeds.
        folder: The report's folder with the campaign's files on tiles.
        missing: Sentences on missing repeat runs.
    """
    rows: Rows = ["The result covers", *list_covered(facts, ranking, folder)]
    rows += ["It does not cover, or only so far"]
    rows += [
        list(pair) for pair in list_limits(facts, ranking, searches, histories, folder, missing)
    ]
    return Section(
        TITLE,
        [Table(("topic", "this campaign"), rows, "What the result covers, and what it does not")],
    )


def list_covered(facts: CampaignFacts, ranking: Ranking, folder: Path) -> list[list[str]]:
    """Return topics and sentences on what the result is about."""
    share = facts.landslide_km2 / facts.test_km2
    size = f"{facts.test_km2:,.0f} km², of which {facts.landslide_km2:,.2f} km² ({100 * share:.1f} %) are labelled as landslide"
    events = ", ".join(f"{name} {time} UTC" for name, time in facts.events.items())
    leaks = describe_leaks(folder)
    seeds = f"{facts.seeds} seeds" if facts.seeds > 1 else "one seed"
    folds = f", each on {facts.folds} folds" if facts.folds > 1 else ""
    return [
        ["claim", f"How the models compare. {ESTIMANDS[ranking.estimand]}"],
        ["data", "synthetic tiles" if facts.synthetic else f"real tiles, {facts.data_name}"],
        [
            "area",
            f"{facts.place}: {facts.test_tiles} test tiles, {size}",
        ],
        ["event", events or "not known to the tiles"],
        ["input", f"{facts.channels}; acquisitions: {facts.acquisitions}; 10 m pixels"],
        ["split", f"{facts.split} (hash {facts.split_hash}). {describe_touching(folder)}"],
        [
            "dates",
            leaks[0] if leaks else "Not audited for leaks: an earlier version made this campaign.",
        ],
        ["selection", SELECTION],
        [
            "repeats",
            f"{seeds}{folds}. {describe_blocks(ranking) if ranking.primary else ''}".strip(),
        ],
    ]


def describe_touching(folder: Path) -> str:
    """Say how many test tiles of each split touch a train tile; empty without ``splits.json``."""
    file = folder / "splits.json"
    if not file.is_file():
        return ""
    near = tiles = 0
    for split in read_json(file)["splits"]:
        near += len(split["touching_train_by_edge_or_corner"].get("test", ()))
        tiles += split["parts"]["test"]["tiles"]
    if not near:
        return "No test tile touches a train tile, not even at a corner."
    return f"{near} of {tiles} test tiles touch a train tile, so their scores may be too good."


def list_limits(
    facts: CampaignFacts,
    ranking: Ranking,
    searches: Sequence[SearchRecord],
    histories: Any,
    folder: Path,
    missing: Sequence[str],
) -> Iterator[tuple[str, str]]:
    """Yield topics and sentences on what the result does not show."""
    if missing:
        yield "missing runs", " ".join(missing)
    if facts.synthetic:
        yield "reality", SIMULATED
    yield "other events", OTHERS[ranking.estimand]
    yield (
        "other inputs",
        f"Other sensors, channels, dates and pixel sizes than {facts.channels} at 10 m.",
    )
    ceiling = describe_ceiling(folder)
    yield "labels", f"{TWIN_LABELS} {ceiling}".strip() if facts.synthetic else REAL_LABELS
    yield "tiles", describe_left_out(folder)
    yield from _describe_searches(searches)
    if rising := describe_still_rising(histories):
        yield "training length", rising
    if 1 < facts.seeds < FEW_SEEDS:
        yield (
            "seeds",
            f"With {facts.seeds} seeds the spread between seeds is itself known only roughly.",
        )
    if ranking.primary and (power := describe_power(ranking.primary)):
        yield "small differences", power
    yield "test", REUSE


def describe_left_out(folder: Path) -> str:
    """Say how many tiles were left out, used with a warning, or listed by the split and absent."""
    counts = {}
    for name in ("excluded_tiles.json", "suspicious_tiles.json"):
        file = folder / name
        counts[name] = len(read_json(file)) if file.is_file() else math.nan
    excluded, suspicious = counts.values()
    if math.isnan(excluded):
        return "Which tiles were left out is not known: an earlier version made this campaign."
    absent = 0
    if (file := folder / "splits.json").is_file():
        absent = sum(len(split.get("missing", ())) for split in read_json(file)["splits"])
    return (
        f"Left out as unusable: {excluded}. Used with a warning: {suspicious:.0f}. Listed by the split, but absent from the data: "
        f"{absent}. The section on provenance names them."
    )


def _describe_searches(searches: Sequence[SearchRecord]) -> Iterator[tuple[str, str]]:
    networks = [one for one in searches if not one.is_baseline]
    if not networks:
        return
    trials = [one.trials for one in networks]
    if not max(trials):
        yield (
            "tuning",
            "No hyperparameter was searched, so the models may differ in how well their fixed values suit them.",
        )
    elif min(trials) < MIN_TRIALS:
        number = str(trials[0]) if len(set(trials)) == 1 else f"{min(trials)} to {max(trials)}"
        yield (
            "tuning",
            f"{number} search trials per network are few: with more, values may be found that change the order.",
        )
    edges = [
        f"{one.name} of {record.title} ({one.value}, {one.edge})"
        for record in networks
        for one in record.chosen
        if one.edge
    ]
    if edges:
        more = f" and {len(edges) - MOST_EDGES} more" if len(edges) > MOST_EDGES else ""
        yield "range", f"At the edge of the searched range: {', '.join(edges[:MOST_EDGES])}{more}."
