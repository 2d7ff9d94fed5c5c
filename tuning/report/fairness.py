"""What each model of a report reads and how much was searched for it: columns of the tables, and blocks of equal inputs.

Two models are compared like with like only where they read the same channels and acquisitions. Rows of equal inputs stand
together in the ranking's table.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from data.io.errors import list_first
from tuning.report.results import ModelResult
from tuning.trial.foreign.names import FOREIGN, NOT_STATED, is_foreign
from tuning.trial.foreign.provenance import load_provenance
from tuning.trial.reads import Reads, describe_reads

MOST_CHANNELS = 6  # more are counted, not named
MOST_RUNS = 4  # of one version of the code; more are counted
MOST_CHARS = 60  # of a tag
PACKAGE_TAG = "env.packages."
COLUMNS = ("reads_channels", "reads_dates", "reads_context", "search_trials")


def read_inputs(model: ModelResult, searches: pd.DataFrame) -> Reads:
    """Return what a model reads, from the params of its run.

    Args:
        model: The model.
        searches: A row per search trial, as in ``search_trials.csv``; with several searched folds, a fold's trials count.

    Raises:
        ValueError: If a param is not what a trial logs.
    """
    trials = None
    if len(searches):
        own = searches[searches["model"] == model.key]
        trials = int(own.groupby("split", dropna=False).size().max()) if len(own) else None
    return describe_reads(model.chosen.run.data.params, trials)


def make_reads_columns(
    models: Sequence[ModelResult], searches: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """Return the columns :data:`COLUMNS` of each model, by its title."""
    rows = {}
    for model in models:
        if is_foreign(model.key):
            stated = load_provenance(model.chosen.run.data.params)
            found: tuple[Any, ...] = (stated.channels, stated.acquisitions, NOT_STATED, None)
            rows[model.title] = dict(zip(COLUMNS, found, strict=True))
            continue
        reads = read_inputs(model, searches)
        # baselines of earlier versions do not log their context
        known = not model.is_baseline or "context_px" in model.chosen.run.data.params
        context = reads.context if known else ""
        values = (" ".join(reads.channels), reads.acquisitions, context, reads.search_trials)
        rows[model.title] = dict(zip(COLUMNS, values, strict=True))
    return rows


def group_by_input(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of ``benchmark_master.csv`` that read the same, after a heading; the block of the best row first."""
    for (channels, dates), rows in table.groupby(["reads_channels", "reads_dates"], sort=False):
        yield describe_input(str(channels), str(dates)), rows


def describe_input(channels: str, dates: str) -> str:
    """Describe channels and acquisitions in a few words."""
    if channels == NOT_STATED:
        return f"What these rows read is {NOT_STATED}; acquisitions: {dates}"
    names = channels.split()
    listed = ", ".join(names) if len(names) <= MOST_CHANNELS else f"{len(names)} channels"
    return f"Reads {listed or 'no channel'}; acquisitions: {dates}"


def describe_unequal_input(table: pd.DataFrame, compared: Sequence[str]) -> str:
    """Warn if the compared models read different acquisitions, as in a campaign of an earlier version; else return nothing.

    Args:
        table: Content of ``benchmark_master.csv``.
        compared: Titles of the primary family.
    """
    rows = table[table["model"].isin(compared)]
    dates = {str(name): own["model"].tolist() for name, own in rows.groupby("reads_dates")}
    if len(dates) < 2:
        return ""
    parts = [f"{', '.join(names)}: {number}" for number, names in dates.items()]
    return f"The compared models do not read the same acquisitions ({'; '.join(parts)})."


def describe_versions(models: Sequence[ModelResult]) -> str:
    """Warn if the models' runs ran with different code or packages, as after a resume; return nothing if not.

    The code is identified by its hash (tag ``env.code``), or by the commit for runs of earlier versions.
    """
    codes: dict[str, list[str]] = {}
    packages: dict[str, set[str]] = {}
    for model in models:
        for one in model.runs:
            tags = one.run.data.tags
            if tags.get("origin") == FOREIGN:
                continue
            name = f"{model.title} seed {one.seed}"
            codes.setdefault(_name_code(tags), []).append(name)
            for tag in (tag for tag in tags if tag.startswith(PACKAGE_TAG)):
                packages.setdefault(_clean(tag.removeprefix(PACKAGE_TAG)), set()).add(
                    _clean(tags[tag])
                )
    sentences = []
    if len(codes) > 1:
        parts = [f"{code}: {list_first(names, MOST_RUNS)}" for code, names in codes.items()]
        sentences.append(f"The runs were made by different code ({'; '.join(parts)}).")
    mixed = {name: found for name, found in packages.items() if len(found) > 1}
    if mixed:
        parts = [f"{name} {' and '.join(sorted(found))}" for name, found in sorted(mixed.items())]
        sentences.append(f"The runs were made with different packages ({'; '.join(parts)}).")
    return " ".join(sentences)


def _name_code(tags: Mapping[str, str]) -> str:
    commit, code = tags.get("git_commit", "unknown"), tags.get("env.code")
    return f"commit {_clean(commit)}" + (f", code {_clean(code)}" if code else "")


def _clean(text: str) -> str:
    """Return a tag of a run, which somebody else may have written, for a sentence."""
    return re.sub(r"[^\w.+ -]", "?", text, flags=re.ASCII)[:MOST_CHARS]


def count_trials(row: Mapping[str, Any]) -> int | None:
    """Return the search trials of a row of ``benchmark_master.csv``; None if unknown."""
    return None if pd.isna(row["search_trials"]) else int(row["search_trials"])
