"""The section of a page on scores by days after the event: sentences, figures and tables; and its rows in a CSV file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tuning.days.figure import draw_days, draw_days_details, list_arrivals
from tuning.days.result import (
    AP,
    BY_SIZE,
    F1,
    RECALL,
    SCORES,
    SHARE,
    DaysResult,
    name_modality,
    order_results,
    pick_shown,
)
from tuning.objects.object_scores import SIZES
from tuning.page.html import Image, Section, Table, Text
from tuning.plots.trial_figures import save

CSV = "benchmark_days.csv"
FIGURE, DETAILS = "days", "days_details"
TITLE = "Days after the event"
MOST_COLUMNS = 6  # models of the table by day
MOST_SENTENCES = 8
ABOUT = (
    "The calendar of the test tiles is replayed: on each day a tile has the acquisitions of each orbit up to then and no later one; "
    "the last one takes the places of those to come, and before its first one a series repeats its last image from before the "
    "event. The threshold of a day is chosen on val with as many acquisitions, so that val has no more false pixels and false "
    "alarms than with all of them. Networks and baselines are the same on all days; nothing is trained again. Bands and brackets "
    "are 95 % intervals over spatial blocks and seeds, of each model by itself; they are exploratory."
)


def build_days_section(
    results: Sequence[DaysResult], folder: Path, synthetic: bool, title: str = TITLE
) -> Section:
    """Build the section on scores by days after the event, and draw its figures.

    Args:
        results: Models of one campaign or of several, with labels of their own.
        folder: Folder of the figures, such as ``Figures`` of a report.
        synthetic: Whether the numbers come from the twin.
        title: Title of the section and of the figures.

    Raises:
        ValueError: If there is no model, or two have one label.
    """
    shown, ordered = pick_shown(results), order_results(results)
    first = save(draw_days(shown, title, synthetic), folder / f"{FIGURE}.png")
    second = save(draw_days_details(shown, title, synthetic), folder / f"{DETAILS}.png")
    return Section(
        title,
        [
            Text(" ".join(describe_days(results))),
            Image(
                first,
                "Average precision on test over days after the event. A line is a step: a map changes only where an image comes. "
                f"**Middle**: the first day with {SHARE:.0%} of the score with all acquisitions, and its interval. **Bottom**: "
                "acquisitions by orbit, the taller the more of the tiles get one. Baselines are grey, the best three are shown.",
            ),
            Text(ABOUT),
            _make_plateau_table(ordered),
            _make_day_table(shown),
            Image(
                second,
                "Recall of landslides by their size (any found pixel touches them), F1 of pixels and mapped area over days after "
                "the event, at the day's threshold; dotted the labelled area.",
            ),
            _make_size_table(shown),
        ],
    )


def describe_days(results: Sequence[DaysResult]) -> Iterator[str]:
    """Yield sentences: the days of the first acquisitions, and when each model reaches most of its plateau, networks first."""
    arrivals = list_arrivals(results)
    some = [(days[0], name_modality(name)) for name, (days, _) in arrivals.items() if days.size]
    if some:
        firsts = [f"{name} on day {day:g}" for day, name in sorted(some)]
        yield f"The first acquisitions after the event are {' and '.join(firsts)}."
    for one in pick_shown(results, baselines=2)[:MOST_SENTENCES]:
        yield one.describe()


def list_days_rows(results: Sequence[DaysResult]) -> list[dict[str, Any]]:
    """Return a row per model and day, for ``benchmark_days.csv``: scores with their intervals, areas and acquisitions."""
    return [_make_row(one, place) for one in results for place in range(len(one.days))]


def _make_row(one: DaysResult, place: int) -> dict[str, Any]:
    reached = one.to_plateau
    scores = {
        f"{name}_{end}": float(getattr(one.scores[name], end)[place])
        for name in SCORES
        for end in ("mean", "low", "high")
    }
    counts = {f"acquisitions_{name}": float(row[place]) for name, row in one.acquisitions.items()}
    return {
        "model": one.label,
        "seeds": one.seeds,
        "tiles": one.tiles,
        "day": int(one.days[place]),
        **counts,
        **scores,
        "mapped_km2": float(one.mapped_km2[place]),
        "labelled_km2": one.labelled_km2,
        "days_to_plateau": reached.days,
        "days_to_plateau_low": reached.low,
        "days_to_plateau_high": reached.high,
    }


def _format(one: DaysResult, name: str, place: int) -> str:
    band = one.scores[name]
    low, high = band.low[place], band.high[place]
    mean = f"{band.mean[place]:.3f}"
    return mean if np.isnan([low, high]).any() else f"{mean} [{low:.3f}, {high:.3f}]"


def _make_plateau_table(results: Sequence[DaysResult]) -> Table:
    rows = []
    for one in results:
        first = one.first
        rows.append(
            [
                one.label,
                str(one.to_plateau),
                _format(one, AP, first),
                _format(one, AP, -1),
                *(one.scores[name].mean[place] for name in (F1, RECALL) for place in (first, -1)),
                *(f"{one.mapped_km2[place]:.2f}" for place in (first, -1)),
            ]
        )
    areas = sorted({f"{one.labelled_km2:.2f}" for one in results})
    return Table(
        [
            *(
                "model",
                f"days to {SHARE:.0%} of the last AP",
                "AP, first image",
                "AP, all",
                "F1, first",
                "F1, all",
            ),
            *("recall of landslides, first", "all", "mapped km², first", "all"),
        ],
        rows,
        "With the first acquisition after the event, and with all",
        f"**First**: with the first acquisition after the event, of whichever orbit. Labelled: {' or '.join(areas)} km². Interval of the days: multiplier bootstrap "
        "of the whole curve over blocks and seeds.",
    )


def _list_days(results: Sequence[DaysResult]) -> list[int]:
    return sorted({int(day) for one in results for day in one.days})


def _make_day_table(results: Sequence[DaysResult]) -> Table:
    columns = results[:MOST_COLUMNS]
    names = list(dict.fromkeys(name for one in results for name in one.acquisitions))
    rows = []
    for day in _list_days(columns):
        at = [int(np.searchsorted(one.days, day, side="right")) - 1 for one in columns]
        counts = [_count(columns, at, name) for name in names]
        scores = [float(one.ap.mean[place]) for one, place in zip(columns, at, strict=True)]
        rows.append([str(day), *counts, *scores])
    return Table(
        ["day", *map(name_modality, names), *(one.label for one in columns)],
        rows,
        "Average precision by day",
        f"Acquisitions after the event by then are means over the test tiles. All models and scores: `{CSV}`.",
    )


def _count(results: Sequence[DaysResult], places: Sequence[int], name: str) -> str:
    """Return the acquisitions of a modality by a day, of the models that know it; a range where campaigns differ."""
    counts = sorted(
        {
            f"{one.acquisitions[name][place]:.3g}"
            for one, place in zip(results, places, strict=True)
            if name in one.acquisitions
        }
    )
    return " to ".join(dict.fromkeys((counts[0], counts[-1]))) if counts else ""


def _make_size_table(results: Sequence[DaysResult]) -> Table:
    rows = [
        [
            one.label,
            *(one.scores[name].mean[place] for name in BY_SIZE for place in (one.first, -1)),
        ]
        for one in results
    ]
    heads = [f"{size}, {when}" for size in SIZES for when in ("first", "all")]
    return Table(["model", *heads], rows, "Recall of landslides by size, first acquisition and all")
