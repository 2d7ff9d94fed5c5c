"""Content of a page: text, tables, figures, code, links and the address of the tracker, in sections."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tuning.page.formats import column_kind, format_in_column

# Another report in the folder of all reports.
BESIDE = r"\.\./[A-Za-z0-9_][A-Za-z0-9_.-]*/report\.html"
SECTION = r"#[a-z0-9-]+"  # a section of the same page
ADDRESS = rf"https?://[^)\s]+|{BESIDE}|{SECTION}"


def _require(values: Sequence[Any], whole: str, part: str, name: str) -> None:
    if not values:
        raise ValueError(f"A {whole} needs {part}, but {name!r} has none. Add one.")


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Link:
    """A cell of a table that leads to a web address, to another report beside this one, or to a section of its page."""

    label: str
    address: str

    def __post_init__(self) -> None:
        if not re.fullmatch(ADDRESS, self.address):
            raise ValueError(
                f"A link must lead to an http address, to ../NAME/report.html or to #section, but {self.label!r} leads to "
                f"{self.address!r}. Show it as text."
            )

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Table:
    """A table whose first column names the row; a row that is a text is a heading over those below it.

    A cell is a value, written as :mod:`tuning.page.formats` says, or a :class:`Link`.
    """

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        _require(self.columns, "table", "a column", self.caption)
        for place, row in enumerate(self.rows, 1):
            if not isinstance(row, str) and len(row) != len(self.columns):
                raise ValueError(
                    f"A table's row must have a cell per column, {len(self.columns)}, but got "
                    f"{len(row)} in row {place} of table {self.caption!r}. Fill the row with None."
                )

    @property
    def cells(self) -> list[list[str]]:
        """The rows as texts; a heading is one cell."""
        return [
            [row]
            if isinstance(row, str)
            else [format_in_column(*pair) for pair in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]

    @property
    def addresses(self) -> list[list[str]]:
        """Where each cell leads to; empty for a cell that is no link."""
        return [
            [cell.address if isinstance(cell, Link) else "" for cell in row] for row in self.rows
        ]

    @property
    def kinds(self) -> list[str]:
        """The CSS class of each column."""
        rows = [row for row in self.cells if len(row) == len(self.columns)]
        return [column_kind([row[k] for row in rows]) for k, _ in enumerate(self.columns)]


@dataclass(frozen=True)
class Image:
    """A PNG file; its alternative text is *alt*, or the caption if *alt* is empty."""

    kind: ClassVar[str] = "image"
    path: Path
    caption: str
    alt: str = ""

    def __post_init__(self) -> None:
        if not self.caption.strip():
            raise ValueError(
                f"An image must have a caption, but {self.path} has {self.caption!r}. "
                "Describe what it shows."
            )


@dataclass(frozen=True)
class Gallery:
    """Small images side by side under one caption."""

    kind: ClassVar[str] = "gallery"
    images: Sequence[Image]
    caption: str = ""

    def __post_init__(self) -> None:
        _require(self.images, "gallery", "an image", self.caption)


@dataclass(frozen=True)
class Tracker:
    """Where the page's links to runs lead to, and a field in which the reader can set another address.

    A page has at most one. All its links that begin with *address* follow the field.

    Attributes:
        address: Such as ``http://127.0.0.1:5000``, without a slash at its end.
        command: The command that serves this address; empty for a server.
    """

    kind: ClassVar[str] = "tracker"
    address: str
    command: str = ""


@dataclass(frozen=True)
class Code:
    """Lines that a reader copies, shown as they are."""

    kind: ClassVar[str] = "code"
    text: str
    caption: str = ""


@dataclass(frozen=True)
class Folded:
    """Blocks below a line that opens them; printed pages show them."""

    kind: ClassVar[str] = "folded"
    summary: str
    blocks: "Sequence[Block]"

    def __post_init__(self) -> None:
        _require(self.blocks, "folded part", "a block", self.summary)


Block = Text | Table | Image | Gallery | Tracker | Code | Folded


@dataclass(frozen=True)
class Section:
    """Blocks under a title, which the table of contents lists."""

    title: str
    blocks: Sequence[Block]

    def __post_init__(self) -> None:
        for block in self.blocks:
            if not isinstance(block, Block):
                raise TypeError(
                    "A block must be Text, Table, Image, Gallery, Tracker, Code or Folded, but got "
                    f"{block!r}. Wrap it in one."
                )


def list_anchors(titles: Sequence[str]) -> list[str]:
    """Return an id for each title, such as ``search``; a number sets apart titles that have the same letters and digits."""
    anchors: list[str] = []
    for title in titles:
        name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        number = 1
        while (anchor := name if number == 1 else f"{name}--{number}") in anchors:
            number += 1
        anchors.append(anchor)
    return anchors


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        title: Name of the page.
        synthetic: Whether a banner warns that the numbers come from synthetic data.
        verdict: The result: one sentence in words, the headline, then others below *numbers*.
        facts: Name and value of what a reader needs to interpret the numbers.
        sections: The rest, in order.
        warnings: What makes the result void or partial, shown above it.
        numbers: Table with the numbers behind the headline.
    """

    title: str
    synthetic: bool
    verdict: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    warnings: Sequence[str] = ()
    numbers: Table | None = None

    def __post_init__(self) -> None:
        _require(self.verdict, "page", "a verdict", self.title)
        _require(self.sections, "page", "a section", self.title)
        if len(found := self._trackers) > 1:
            raise ValueError(
                f"A page must have at most one tracker, but {self.title!r} has {len(found)}. Keep the first."
            )

    @property
    def anchors(self) -> list[str]:
        """The id of each section, as :func:`list_anchors` makes it."""
        return list_anchors([section.title for section in self.sections])

    @property
    def _trackers(self) -> list[Tracker]:
        return [b for section in self.sections for b in section.blocks if isinstance(b, Tracker)]

    @property
    def tracker(self) -> Tracker | None:
        """The tracker's address, if a section has one."""
        return next(iter(self._trackers), None)
