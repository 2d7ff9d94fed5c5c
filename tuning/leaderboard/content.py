"""Content of the page as plain values, from which the template makes HTML."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan

from tuning.leaderboard.entries import Entry, Refused
from tuning.leaderboard.groups import SAME_RUNS, Group, explain_incomparable
from tuning.leaderboard.words import Names, describe_comparison
from tuning.page.html import MISSING

# Label of each column, and whether its cells are sorted as numbers.
COLUMNS = (
    *(("model", False), ("AP", True), ("95 % interval", True), ("F1", True), ("seeds", True)),
    *(("origin", False), ("input", False), ("split", False), ("region", False), ("data", False)),
    ("group", True),
)
FILTERS = ("split", "input", "region", "origin", "data")


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and what it is sorted by."""

    text: str
    key: str


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        id: Such as ``r1``.
        cells: One per column.
        classes: CSS classes by which filters find it.
        low, high: Ends of the interval in percent of the axis from 0 to 1; -1 without an interval.
        mean: Its middle in percent.
        bundle: Name of the bundle's file.
        details: Label and text of what is known about its origin.
    """

    id: str
    cells: tuple[Cell, ...]
    classes: str
    low: float
    high: float
    mean: float
    bundle: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Filter:
    """A filter: its name, and the class and text of each choice."""

    name: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class GroupText:
    """A group in words, and its pairs in sentences."""

    number: int
    title: str
    basis: str
    pairs: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """The whole page.

    Attributes:
        title: Heading.
        synthetic: ``all``, ``some`` or ``none`` of the rows are of synthetic tiles.
        rows: Rows, the groups in their order, best first within each.
        filters: One per entry of ``FILTERS``.
        groups: The groups.
        apart: Why rows of two groups are not compared: both numbers and the reason.
        refused: Bundles that are not on the page.
        bundles: Number of bundles on the page.
        lookup: JSON for the comparison of two chosen rows.
    """

    title: str
    synthetic: str
    rows: tuple[Row, ...]
    filters: tuple[Filter, ...]
    groups: tuple[GroupText, ...]
    apart: tuple[tuple[int, int, str], ...]
    refused: tuple[Refused, ...]
    bundles: int
    lookup: str


def make_content(groups: Sequence[Group], refused: Sequence[Refused], title: str) -> Content:
    """Make the page's content from the groups of rows.

    Args:
        groups: All groups, at least one.
        refused: Bundles that are left out.
        title: Heading of the page.
    """
    listed = [(group, entry) for group in groups for entry in group.entries]
    names = Names([entry for _, entry in listed])
    filters = tuple(_make_filter(name, [entry for _, entry in listed]) for name in FILTERS)
    ids = {entry.name: f"r{number}" for number, (_, entry) in enumerate(listed, 1)}
    data = {entry.data for _, entry in listed}
    apart = tuple(
        (a.number, b.number, explain_incomparable(a.first, b.first))
        for a, b in combinations(groups, 2)
    )
    return Content(
        title=title,
        synthetic="all" if data == {"synthetic"} else "some" if "synthetic" in data else "none",
        rows=tuple(_make_row(ids[entry.name], entry, group, filters) for group, entry in listed),
        filters=filters,
        groups=tuple(_describe_group(group, names) for group in groups),
        apart=apart,
        refused=tuple(refused),
        bundles=len({entry.file for _, entry in listed}),
        lookup=_make_lookup(groups, ids, names, apart),
    )


def list_values(entry: Entry, name: str) -> tuple[str, ...]:
    """Return the values of a row that a filter chooses by; several for the regions of several events."""
    if name == "region":
        return entry.regions
    return (str(getattr(entry, name)),)


def _make_filter(name: str, entries: Sequence[Entry]) -> Filter:
    values = sorted({value for entry in entries for value in list_values(entry, name)})
    return Filter(name, tuple((f"{name}-{n}", value) for n, value in enumerate(values, 1)))


def _make_row(row_id: str, entry: Entry, group: Group, filters: Sequence[Filter]) -> Row:
    estimate, row = entry.estimate, entry.model.row
    ends = [estimate.low, estimate.high]
    known = not any(map(isnan, ends))
    interval = f"{ends[0]:.3f} to {ends[1]:.3f}" if known else MISSING
    spread = "" if isnan(estimate.std) else f" ± {estimate.std:.3f}"
    f1 = _number(row.get("f1_dice_mean", ""))
    cells = (
        Cell(entry.model.title, entry.model.title.lower()),
        Cell(f"{estimate.mean:.3f}{spread}", f"{estimate.mean:.6f}"),
        Cell(interval, f"{ends[0]:.6f}" if known else "-1"),
        Cell(MISSING if isnan(f1) else f"{f1:.3f}", "-1" if isnan(f1) else f"{f1:.6f}"),
        Cell(str(len(entry.model.seeds)), str(len(entry.model.seeds))),
        *(
            Cell(text, text.lower())
            for text in (
                entry.origin,
                entry.input,
                entry.split,
                ", ".join(entry.regions),
                entry.data,
            )
        ),
        Cell(str(group.number), str(group.number)),
    )
    classes = [
        key
        for one in filters
        for key, value in one.choices
        if value in list_values(entry, one.name)
    ]
    low, high = (100 * end for end in ends) if known else (-1.0, -1.0)
    details = tuple(entry.list_details())
    return Row(
        row_id, cells, " ".join(classes), low, high, 100 * estimate.mean, entry.file, details
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _describe_group(group: Group, names: Names) -> GroupText:
    first, count = group.first, len(group.entries)
    title = f"{first.data} tiles of {', '.join(first.regions)}; split {first.split}; input {first.input}"
    basis = f"{count} row{'s'[: count - 1]}, {len(first.bundle.tile_ids)} test tiles"
    if group.pairs:
        basis += (
            f", blocks of {group.block_tiles} x {group.block_tiles} tiles, equivalent within ± {group.margin:g} AP. Intervals and "
            f"p-values hold for all {len(group.pairs)} pairs together."
        )
    else:
        basis += f". {(group.problem or 'A single row is compared with nothing').capitalize()}."
    pairs = tuple(describe_comparison(pair, group.margin, names) for pair in group.pairs)
    return GroupText(group.number, title, basis, pairs)


def _make_lookup(
    groups: Sequence[Group],
    ids: dict[str, str],
    names: Names,
    apart: Sequence[tuple[int, int, str]],
) -> str:
    """Return as JSON what the page's script says of two chosen rows."""
    pairs = {
        f"{ids[pair.a]} {ids[pair.b]}": describe_comparison(pair, group.margin, names)
        for group in groups
        for pair in group.pairs
    }
    content = {
        "rows": {ids[entry.name]: group.number for group in groups for entry in group.entries},
        "pairs": pairs,
        "apart": {f"{a} {b}": reason for a, b, reason in apart},
        "same": SAME_RUNS,
    }
    return json.dumps(content).replace("<", "\\u003c")  # a text must not end the script element
