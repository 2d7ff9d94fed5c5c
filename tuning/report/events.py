"""Scores on held-out events: the rows of ``benchmark_events.csv``, and the means over events.

Every fold of a split across events tests on one region and trains on the others (:mod:`data.splits.events`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.splits.names import parse_event
from models import is_network
from tuning.baselines.baselines import is_deterministic
from tuning.metrics.scores import METRICS
from tuning.page.html import Block, Section, Table, Text
from tuning.report.context import format_spread
from tuning.report.tables import average_seeds
from tuning.statistics.clusters import MIN_EVENTS, estimate_event_mean
from tuning.trial.foreign.names import is_foreign

SEED = 2018  # of the bootstrap over events
EVENTS_FILE = "benchmark_events.csv"
ALL_EVENTS = "mean over events"  # in the column held_out
INTERVAL, RANGE = "95 % interval", "range"  # in the column interval
SCORES = (*METRICS, "f1@0.5", "f1@oracle")
BY_EVENT = (
    "Scores on test by held-out event, pooled over its pixels: mean ± standard deviation over seeds"
)
SEARCHED = (
    "{searched} Training has seen nothing of the tested event but its labelled tiles. Registered models are those of the fold "
    "that tests on **{first}**."
)


@dataclass(frozen=True)
class EventFold:
    """One fold of a split across events.

    Attributes:
        held_out: The tested region.
        shots: Its labelled tiles in train.
        trained_on: The other regions.
    """

    held_out: str
    shots: int
    trained_on: tuple[str, ...]

    def describe_training(self, most: int = 3) -> str:
        """Return what the fold trains on: all names if they are few, else all but the held-out one."""
        names = " + ".join(self.trained_on)
        if len(self.trained_on) > most:
            names = f"all {len(self.trained_on)} but {self.held_out}"
        if not self.shots:
            return names
        return f"{names} + {self.shots} {'tile' if self.shots == 1 else 'tiles'} of {self.held_out}"


def list_event_folds(folds: Sequence[str], regions: Sequence[str]) -> dict[str, EventFold]:
    """Return the folds of a split across events by name; nothing for another split.

    Args:
        folds: Names of the folds.
        regions: All regions of the campaign.
    """
    found = {}
    for name in sorted(set(folds)):
        if (event := parse_event(name)) is None:
            return {}
        others = tuple(sorted(set(regions) - {event[0]}))
        found[name] = EventFold(event[0], event[1], others)
    return found


def make_event_rows(runs: Sequence[Mapping[str, Any]], regions: Sequence[str]) -> pd.DataFrame:
    """Make ``benchmark_events.csv``: a row per model and held-out event, and one per model for the mean over events.

    Args:
        runs: The rows of ``benchmark_runs.csv``.
        regions: The campaign's regions.

    Returns:
        Scores as mean and standard deviation over seeds, in the order of the models; no row for another split.
    """
    table = pd.DataFrame(runs)
    folds = list_event_folds(table["fold"].tolist(), regions)
    rows: list[dict[str, Any]] = []
    for title in dict.fromkeys(table["model"]) if folds else ():
        own = table[table["model"] == title]
        by_fold = [_make_row(own[own["fold"] == name], fold) for name, fold in folds.items()]
        rows += [*by_fold, _make_mean_row(by_fold)]
    return pd.DataFrame(rows)


def _make_row(runs: pd.DataFrame, fold: EventFold) -> dict[str, Any]:
    """Return the row of one model and fold; *runs* has a row per seed."""
    first = runs.iloc[0]
    positives = int(first["tp"] + first["fn"])
    row = {
        **{name: first[name] for name in ("model", "architecture")},
        "held_out": fold.held_out,
        "shots": fold.shots,
        "trained_on": " ".join(fold.trained_on),
        "events": 1,
        "seeds": len(runs),
        "n_samples": int(first["n_samples"]),
        "pos_pixels": positives,
    }
    for name in SCORES:
        row[f"{name}_mean"], row[f"{name}_std"] = average_seeds(runs, name)
    return row | {"pr_auc_low": np.nan, "pr_auc_high": np.nan, "interval": ""}


def _make_mean_row(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the row with a model's means over events; standard deviations are those over events."""
    scores = pd.DataFrame(rows)
    row = dict(rows[0]) | {"held_out": ALL_EVENTS, "trained_on": "", "events": len(rows)}
    row |= {name: int(scores[name].sum()) for name in ("n_samples", "pos_pixels")}
    for name in SCORES:
        means = scores[f"{name}_mean"]
        row |= {f"{name}_mean": means.mean(), f"{name}_std": means.std()}
    mean = estimate_event_mean(scores["pr_auc_mean"].to_numpy(), np.random.default_rng(SEED))
    kind = INTERVAL if mean.is_interval else RANGE if mean.events > 1 else ""
    return row | {"pr_auc_low": mean.low, "pr_auc_high": mean.high, "interval": kind}


def describe_new_events(events: pd.DataFrame, model: str) -> str:
    """Describe a model's score on events that training did not see, in one sentence.

    Args:
        events: Content of ``benchmark_events.csv``.
        model: The model's title.
    """
    own = events[events["model"] == model]
    mean = own[own["held_out"] == ALL_EVENTS].iloc[0]
    each = own[own["held_out"] != ALL_EVENTS].sort_values("pr_auc_mean")
    low, high, count = each.iloc[0], each.iloc[-1], len(each)
    seen = f"{mean['shots'] or 'no'} labelled {'tile' if mean['shots'] < 2 else 'tiles'}"
    if count == 1:
        return (
            f"On the event of {low['held_out']}, with {seen} of it in training, {model} has AP "
            f"{low['pr_auc_mean']:.3f}; one event does not show how much scores differ between events."
        )
    start = f"On new events, with {seen} of the event in training, {model} has mean AP {mean['pr_auc_mean']:.3f}"
    if mean["interval"] == RANGE:
        return (
            f"{start} over {count} events, from {low['pr_auc_mean']:.3f} on {low['held_out']} to "
            f"{high['pr_auc_mean']:.3f} on {high['held_out']}: a range over few events, not a confidence interval."
        )
    ends = f"{mean['pr_auc_low']:.3f} to {mean['pr_auc_high']:.3f}"
    return f"{start} (95 % interval over {count} events: {ends})."


def format_events(events: pd.DataFrame) -> str:
    """Format test AP by held-out event for the terminal."""
    columns = list(dict.fromkeys(events["held_out"]))
    width = max(24, *(len(name) + 2 for name in events["model"]))
    lines = [f"{'test AP on':<{width}}" + "".join(f"{name:>{len(name) + 4}}" for name in columns)]
    for title, rows in events.groupby("model", sort=False):
        scores = rows.drop_duplicates("held_out").set_index("held_out")["pr_auc_mean"]
        cells = (f"{scores[name]:>{len(name) + 4}.3f}" for name in columns)
        lines.append(f"{title:<{width}}" + "".join(cells))
    return "\n".join(lines)


def build_events_section(events: pd.DataFrame, searched: str = "") -> Section:
    """Build the section on new events: scores by event, means, trained on x tested on.

    Args:
        events: Content of ``benchmark_events.csv``.
        searched: Where hyperparameters were searched, in sentences.
    """
    is_mean = events["held_out"] == ALL_EVENTS
    folds, means = events[~is_mean], events[is_mean]
    regions = list(dict.fromkeys(folds["held_out"]))
    blocks: list[Block] = [Text(_explain(len(regions)))]
    if len(regions) > 1 and any(map(is_network, set(events["architecture"]))):
        blocks.append(Text(SEARCHED.format(searched=searched, first=regions[0]).strip()))
    names = ["model", "held-out event", "labelled tiles", "test tiles", "landslide px", "AP", "F1"]
    scores = [[*_list_sizes(row), *_list_scores(row)] for _, row in folds.iterrows()]
    blocks.append(Table([*names, "IoU"], scores, BY_EVENT))
    if len(regions) > 1:
        kind = means["interval"].iloc[0]
        rows = [
            [row["model"], row["events"], row["pr_auc_mean"], _format_ends(row)]
            for _, row in means.iterrows()
        ]
        columns = ["model", "events", "mean AP", f"{kind} over events"]
        caption = "AP on new events: mean over the held-out events"
        if kind == INTERVAL:
            caption += "; each interval is of its mean by itself, by a bootstrap over events"
        blocks.append(Table(columns, rows, caption))
    for title, rows in folds.groupby("model", sort=False):
        if _is_trained(rows["architecture"].iloc[0]):
            caption = f"{title}: AP by training data (rows) and tested event (columns)"
            blocks.append(Table(["trained on", *regions], _cross(rows, regions), caption))
    return Section("New events", blocks)


def _is_trained(key: str) -> bool:
    return is_network(key) or not (is_foreign(key) or is_deterministic(key))


def _explain(count: int) -> str:
    """Return the sentence that says what the scores estimate."""
    text = (
        "A user who maps the next event has labels of other events, and few or none of this one. So each fold tests on one "
        "event and trains on the others, and these scores estimate AP **on new events**; the event is the unit."
    )
    if count < MIN_EVENTS:
        few = "one event" if count == 1 else f"{count} events"
        text += f" With {few}, fewer than {MIN_EVENTS}, no confidence interval for new events can be given."
    return text


def _list_sizes(row: "pd.Series[Any]") -> list[Any]:
    return [row[name] for name in ("model", "held_out", "shots", "n_samples", "pos_pixels")]


def _list_scores(row: "pd.Series[Any]") -> list[str]:
    return [format_spread(row, name) for name in ("pr_auc", "f1_dice", "iou")]


def _format_ends(row: "pd.Series[Any]") -> str:
    return f"{row['pr_auc_low']:.3f} to {row['pr_auc_high']:.3f}"


def _cross(rows: pd.DataFrame, regions: Sequence[str]) -> list[list[Any]]:
    """Return a row per training set with the AP in the column of the tested event."""
    lines = []
    for _, row in rows.iterrows():
        fold = EventFold(row["held_out"], row["shots"], tuple(row["trained_on"].split()))
        cells = [
            format_spread(row, "pr_auc") if name == fold.held_out else None for name in regions
        ]
        lines.append([fold.describe_training(), *cells])
    return lines
