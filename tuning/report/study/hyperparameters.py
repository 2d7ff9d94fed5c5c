"""The section with each model's chosen hyperparameters, the ranges that were searched, and their importance."""

from collections.abc import Sequence
from typing import Any

from tuning.page.html import Block, Folded, Section, Table, Text
from tuning.report.study.importance import BEST_SHARE, MIN_TRIALS, SHUFFLES
from tuning.report.study.ranges import Chosen
from tuning.report.study.searches import CSV, SearchRecord

TITLE = "Hyperparameters"
CHOSEN = (
    "The values below were chosen by the highest average precision on val; test was not read for it. Ranges are those of the "
    "search space's code for this campaign's preset, recipe and loss."
)
EDGE = (
    "A value at the **lowest** or **highest** end of its range may be better still beyond it: the search could not tell. Lists of "
    "fewer than three numbers have no such ends."
)
IMPORTANCE = (
    "**Importance**: by PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255, as in Optuna), the share of a hyperparameter in what sets "
    "the best quarter of the trials apart from all of them. **By chance**: how often shuffled val scores give it as large a share; "
    f"above 0.05, its importance is not shown to be more than chance ({SHUFFLES} shuffles, not adjusted for the number of hyperparameters). "
    "The search itself prefers good values, which lowers the shares of those that it settled early."
)
TOO_FEW = (
    "No importance is shown for {names}: it takes {least} trials that ended with a val score, so that the best "
    "{share:.0f} % are five, and there are {trials}. With fewer, shares follow single trials."
)
COLUMNS = ("hyperparameter", "chosen", "searched", "at the edge")
BUDGET_COLUMNS = ("model", "trials", "finished", "stopped early", "failed", "interrupted")


def build_hyperparameters_section(
    searches: Sequence[SearchRecord], searched: str = "", seeds: str = ""
) -> Section:
    """Build the section.

    Args:
        searches: A record per model, networks first.
        searched: Where hyperparameters were searched, in sentences; empty without a search.
        seeds: The seed of the search trials, a sentence; empty if unknown.
    """
    networks = [one for one in searches if not one.is_baseline]
    baselines = [one for one in searches if one.is_baseline]
    blocks: list[Block] = [Text(" ".join(filter(None, (CHOSEN, searched, seeds))))]
    if networks:
        blocks += _list_tables(networks, "Chosen hyperparameters of the networks")
        blocks += map(Text, _describe_unrated(networks))
    tuned = [one for one in baselines if one.chosen]
    if tuned:
        caption = "Chosen values of the baselines"
        inside: list[Block] = [
            *_list_tables(tuned, caption),
            *map(Text, _describe_unrated(tuned)),
        ]
        blocks.append(Folded(f"{caption} ({len(tuned)})", inside))
    fixed = [one.title for one in baselines if not one.chosen]
    if fixed:
        blocks.append(Text(f"Without searched values: {', '.join(fixed)}."))
    blocks.append(_make_budget(networks or searches))
    if networks and baselines:
        blocks.append(Folded("Budgets of the baselines' searches", [_make_budget(baselines)]))
    blocks.append(Text(f"The same as a file: `{CSV}` in the page's folder."))
    return Section(TITLE, blocks)


def _list_tables(searches: Sequence[SearchRecord], caption: str) -> list[Block]:
    """Return the table of chosen values, a heading per model, and a sentence on models whose ranges are unknown."""
    rated = any(one.importance.shares for one in searches)
    columns = (*COLUMNS, "importance", "by chance") if rated else COLUMNS
    rows: list[Any] = []
    for search in searches:
        rows += [f"{search.title}: {search.trials} trials", *_list_rows(search, rated)]
    return [Table(columns, rows, caption, f"{EDGE} {IMPORTANCE if rated else ''}".strip())]


def _list_rows(search: SearchRecord, rated: bool) -> list[list[Any]]:
    ranked = sorted(search.chosen, key=lambda one: -search.importance.shares.get(one.name, 0.0))
    varied = [one for one in ranked if one.varied]
    blank = [None, None] if rated else []
    rows = [_make_row(one, search, rated) for one in varied]
    if fixed := [f"{one.name} {one.value}" for one in search.chosen if not one.varied]:
        rows.append(["others", ", ".join(fixed), "fixed in this campaign", None, *blank])
    rows += [
        [name, value, "unknown: its search space is not in this code", None, *blank]
        for name, value in search.unranged.items()
    ]
    return rows or [["not logged", None, None, None, *blank]]


def _make_row(one: Chosen, search: SearchRecord, rated: bool) -> list[Any]:
    shares, chance = search.importance.shares, search.importance.by_chance
    more = [shares.get(one.name), chance.get(one.name)] if rated else []
    return [one.name, one.value, one.searched, one.edge or None, *more]


def _describe_unrated(searches: Sequence[SearchRecord]) -> list[str]:
    """Say for which models no importance is shown, and why, one sentence per number of trials."""
    by_count: dict[int, list[str]] = {}
    for one in searches:
        if not one.importance.shares and any(value.varied for value in one.chosen):
            by_count.setdefault(one.importance.trials, []).append(one.title)
    return [
        TOO_FEW.format(
            names=", ".join(names),
            least=MIN_TRIALS,
            share=100 * BEST_SHARE,
            trials=trials or "none",
        )
        if trials < MIN_TRIALS
        else f"No importance is shown for {', '.join(names)}: all trials have the same val score."
        for trials, names in by_count.items()
    ]


def _make_budget(searches: Sequence[SearchRecord]) -> Table:
    rows = [[one.title, one.trials, *one.counts.values()] for one in searches]
    return Table(
        BUDGET_COLUMNS,
        rows,
        "Budget of each search: trials by how they ended",
        "**Finished**: trained to the last epoch, or until val AP no longer rose. **Stopped early**: by the scheduler, because other "
        "trials were better at that epoch. Baselines' samples are measured whole. With several searched folds, trials of all folds.",
    )
