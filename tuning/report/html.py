"""One self-contained HTML page from blocks of text, tables and figures.

The file carries its style and images inside, needs no script and asks for nothing outside itself,
so it can be mailed, archived, printed, and shown by MLflow. Its looks are in ``page.css`` beside
this file. Nothing here knows what the numbers mean.

``**bold**`` and ```code``` are the only marks, and they work in prose alone: text, verdict, captions
and notes. Titles, facts and table cells, which hold what others wrote, are taken as they are. Everything
is escaped.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

from tuning.report.markup import breakable, format_cell, kind_of, picture, prose

SYNTHETIC = (
    "**Synthetic data.** These numbers come from synthetic tiles: "
    "they show that the pipeline works, and nothing about a real place."
)
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_WIDE_COLUMNS = 9  # a table with more is printed across


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows below columns; the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    note: str = ""


@dataclass(frozen=True)
class Image:
    """A PNG file; what it shows in words is its caption, unless *alt* says it better."""

    path: Path
    caption: str
    alt: str = ""


@dataclass(frozen=True)
class Gallery:
    """Small images side by side under one caption."""

    images: Sequence[Image]
    caption: str = ""


Block = Text | Table | Image | Gallery


@dataclass(frozen=True)
class Section:
    """Blocks under a title, which the table of contents lists."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        title: Name of the page.
        synthetic: Whether to say, above all else, that the numbers come from synthetic data.
        verdict: The answer in sentences, the most important one first.
        facts: Name and value of what a reader needs to place the numbers.
        sections: The rest, in order.
    """

    title: str
    synthetic: bool
    verdict: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]


def _render_table(table: Table, number: int, synthetic: bool) -> str:
    if not table.columns:
        raise ValueError(f"A table must have a column, but {table.caption!r} has none. Name one.")
    for place, row in enumerate(table.rows, 1):
        if len(row) != len(table.columns):
            raise ValueError(
                f"A table's row must have a cell per column, {len(table.columns)}, but got "
                f"{len(row)} in row {place} of table {table.caption!r}. Fill the row with None."
            )
    rows = [[format_cell(cell) for cell in row] for row in table.rows]
    kinds = [kind_of([row[place] for row in rows]) for place in range(len(table.columns))]
    head = "".join(
        f'<th scope="col" class="{kind}">{breakable(name)}</th>'
        for name, kind in zip(table.columns, kinds, strict=True)
    )
    body = "\n".join(f"<tr>{_render_row(row, kinds)}</tr>" for row in rows)
    wide = " wide" if len(table.columns) > _WIDE_COLUMNS else ""
    tag = '<span class="tag">synthetic</span> ' if synthetic else ""
    note = f'<p class="note">{prose(table.note)}</p>' if table.note else ""
    return (
        f'<figure class="table{wide}"><figcaption id="table-{number}">{tag}<b>Table {number}.</b> '
        f'{prose(table.caption)}</figcaption>\n<div class="scroll" tabindex="0" role="region" '
        f'aria-labelledby="table-{number}"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>{note}</figure>"
    )


def _render_row(cells: Sequence[str], kinds: Sequence[str]) -> str:
    first, *rest = zip(cells, kinds, strict=True)
    return f'<th scope="row" class="{first[1]}">{breakable(first[0])}</th>' + "".join(
        f'<td class="{kind}">{escape(cell)}</td>' for cell, kind in rest
    )


def _render_gallery(gallery: Gallery, number: int) -> str:
    if not gallery.images:
        raise ValueError(
            f"A gallery must have an image, but {gallery.caption!r} has none. Add one."
        )
    pictures = "\n".join(
        picture(image.path, image.caption, image.alt, "") for image in gallery.images
    )
    return (
        f'<figure class="gallery"><div class="grid">\n{pictures}\n</div>'
        f"<figcaption><b>Figure {number}.</b> {prose(gallery.caption)}</figcaption></figure>"
    )


def _render_block(
    block: Block, figures: Iterator[int], tables: Iterator[int], synthetic: bool
) -> str:
    match block:
        case Text():
            return f"<p>{prose(block.text)}</p>"
        case Table():
            return _render_table(block, next(tables), synthetic)
        case Image():
            start = f"<b>Figure {next(figures)}.</b> "
            return picture(block.path, block.caption, block.alt, start)
        case Gallery():
            return _render_gallery(block, next(figures))
    raise TypeError(
        f"A block must be Text, Table, Image or Gallery, but got {block!r}. Wrap it in one."
    )


def _anchors(sections: Sequence[Section]) -> list[str]:
    """Name each section for links: its number keeps equal titles apart."""
    slugs = [re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-") for section in sections]
    return [f"{number}-{slug}".strip("-") for number, slug in enumerate(slugs, 1)]


def _render_header(page: Page) -> str:
    lead, *more = page.verdict
    verdict = f'<p class="lead">{prose(lead)}</p>' + "".join(
        f"<p>{prose(sentence)}</p>" for sentence in more
    )
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in page.facts
    )
    banner = f'<p class="banner">{prose(SYNTHETIC)}</p>\n' if page.synthetic else ""
    return (
        f"<header>\n{banner}<h1>{escape(page.title)}</h1>\n"
        f'<div class="verdict">{verdict}</div>\n'
        + (f'<dl class="facts">{facts}</dl>\n' if facts else "")
        + "</header>"
    )


def _render_main(page: Page) -> str:
    """Render the table of contents and the sections."""
    figures, tables = count(1), count(1)
    links, sections = [], []
    for section, anchor in zip(page.sections, _anchors(page.sections), strict=True):
        title = escape(section.title)
        links.append(f'<li><a href="#{anchor}">{title}</a></li>')
        blocks = "\n".join(
            _render_block(block, figures, tables, page.synthetic) for block in section.blocks
        )
        sections.append(f'<section id="{anchor}">\n<h2>{title}</h2>\n{blocks}\n</section>')
    return (
        f'<nav aria-label="Contents"><p>Contents</p><ol>{"".join(links)}</ol></nav>\n'
        "<main>\n" + "\n".join(sections) + "\n</main>"
    )


def write_page(page: Page, path: Path) -> Path:
    """Write a page as one HTML file.

    Args:
        page: What it says.
        path: File to write; its folder is made.

    Returns:
        *path*.

    Raises:
        ValueError: If there is no verdict, no section, no column or no image in a gallery; a row
            does not fit its columns; an image has no caption, is no PNG, or exceeds 2 MiB.
        FileNotFoundError: If an image does not exist.
        TypeError: If a block is of another kind.
    """
    for name, value in (("verdict", page.verdict), ("section", page.sections)):
        if not value:
            raise ValueError(f"A page must have a {name}, but {page.title!r} has none. Add one.")
    title = f"{page.title} (synthetic data)" if page.synthetic else page.title
    style = files("tuning.report").joinpath("page.css").read_text(encoding="utf-8")
    content = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
{_render_header(page)}
{_render_main(page)}
<footer><p>Select a figure to see it in full size, and again to close it.
This page is one file: it runs no script and loads nothing.</p></footer>
</body>
</html>
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", errors="replace")  # half a character, out of JSON
    return path
