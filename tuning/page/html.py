"""One self-contained HTML page from blocks of text, tables and figures.

The file embeds its style and images, runs no script and loads nothing, so it can be mailed, archived, printed,
and shown by MLflow. The template is ``page.html.j2``, the style ``page.css``. Jinja2 escapes every value.

Text, verdict, captions and notes may contain ``**bold**``, ```code``` and ``[label](http address)``, or the address of another
report beside this one, ``../NAME/report.html``. These marks do not nest. Titles, facts and table cells contain text from outside the project and are shown as they are.
"""

import base64
import math
import numbers
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jinja2
import numpy as np
from markupsafe import Markup, escape

MAX_IMAGE_BYTES = 2 * 1024**2  # of one PNG; as base64 a third more
MISSING = "\N{EN DASH}"
_PNG = b"\x89PNG\r\n\x1a\n"
_BESIDE = (
    r"\.\./[A-Za-z0-9_][A-Za-z0-9_.-]*/report\.html"  # another report in the folder of all reports
)
_MARKS = re.compile(rf"`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\((https?://[^)\s]+|{_BESIDE})\)")
_IN_NUMBERS = frozenset("0123456789 .,:%+-/()[]±\N{MINUS SIGN}\N{EN DASH}\N{MULTIPLICATION SIGN}")
_NEUTRAL = (MISSING, "∞", "-∞", "")  # cells that do not decide their column's kind
_NAME_CHARS = 12  # a longer name may break at its underscores
_SHORT_CHARS = 28  # a longer text may break within its table cell


def _require(values: Sequence[Any], whole: str, part: str, name: str) -> None:
    if not values:
        raise ValueError(f"A {whole} needs {part}, but {name!r} has none. Add one.")


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Table:
    """A table whose first column names the row; a row that is a text is a heading over those below it."""

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
        rows = ([row] if isinstance(row, str) else row for row in self.rows)
        return [[format_cell(cell) for cell in row] for row in rows]

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


Block = Text | Table | Image | Gallery


@dataclass(frozen=True)
class Section:
    """Blocks under a title, which the table of contents lists."""

    title: str
    blocks: Sequence[Block]

    def __post_init__(self) -> None:
        for block in self.blocks:
            if not isinstance(block, Block):
                raise TypeError(
                    f"A block must be Text, Table, Image or Gallery, but got {block!r}. Wrap it in one."
                )


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes:
        title: Name of the page.
        synthetic: Whether a banner warns that the numbers come from synthetic data.
        verdict: The result in sentences, the most important one first.
        facts: Name and value of what a reader needs to interpret the numbers.
        sections: The rest, in order.
    """

    title: str
    synthetic: bool
    verdict: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]

    def __post_init__(self) -> None:
        _require(self.verdict, "page", "a verdict", self.title)
        _require(self.sections, "page", "a section", self.title)


def _render_mark(mark: re.Match[str]) -> str:
    code, bold, label, address = mark.groups()
    if code:
        return f"<code>{code}</code>"
    return f"<strong>{bold}</strong>" if bold else f'<a href="{address}">{label}</a>'


def render_prose(text: str) -> Markup:
    """Escape a text, then render its marks; escaping adds and removes no mark."""
    return Markup(_MARKS.sub(_render_mark, str(escape(text))))  # noqa: S704  the text is escaped


def _make_breakable(name: str) -> Markup:
    """Escape a name; allow a line break after each underscore if it is long."""
    text = escape(name)
    return text.replace("_", Markup("_<wbr>")) if len(name) > _NAME_CHARS else text


def format_cell(value: Any) -> str:
    """Format a table cell as plain text.

    Floats get three decimals and never a negative zero, floats and integers thousands separators,
    NaN and None an en dash, booleans yes or no, anything else its ``str``.
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    if isinstance(value, numbers.Real):
        number = float(value)
        if math.isfinite(number):
            return f"{number:z,.3f}"
        return MISSING if math.isnan(number) else ("∞" if number > 0 else "-∞")
    return MISSING if value is None else str(value)


def column_kind(cells: Sequence[str]) -> str:
    """Return a column's CSS class: ``num`` for numbers, ``short`` or ``long`` for text."""
    deciding = [cell for cell in cells if cell not in _NEUTRAL]
    if deciding and all(
        _IN_NUMBERS.issuperset(cell) and re.search(r"\d", cell) for cell in deciding
    ):
        return "num"
    return "long" if any(len(cell) > _SHORT_CHARS for cell in deciding) else "short"


def _read_png(path: Path) -> tuple[str, int, int]:
    """Return a PNG as data URI, its width and its height in pixels."""
    if not path.is_file():
        raise FileNotFoundError(f"An image must exist, but {path} does not. Draw it first.")
    size = path.stat().st_size
    if size > MAX_IMAGE_BYTES:
        raise ValueError(
            f"An image must not exceed {MAX_IMAGE_BYTES:,} bytes, but got {size:,} in {path}. "
            "Draw it smaller or with fewer dots per inch."
        )
    content = path.read_bytes()
    if not content.startswith(_PNG) or len(content) < 24:  # signature, then the IHDR chunk's start
        raise ValueError(
            f"An image must be PNG, but got {content[:8]!r} first in {path}. Save it as PNG."
        )
    width, height = struct.unpack(">II", content[16:24])
    return f"data:image/png;base64,{base64.b64encode(content).decode()}", width, height


def _anchor(title: str, number: int) -> str:
    """Return a section's id; its number distinguishes equal titles."""
    return f"{number}-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}".strip("-")


def write_page(page: Page, path: Path) -> Path:
    """Write a page as one HTML file; return its path.

    Args:
        page: Content of the page.
        path: File to write; its folder is created.

    Raises:
        FileNotFoundError: If an image does not exist.
        ValueError: If an image is no PNG or exceeds ``MAX_IMAGE_BYTES``.
    """
    content = ENVIRONMENT.get_template("page.html.j2").render(page=page)
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON may contain lone surrogates, which UTF-8 cannot encode.
    path.write_text(content, encoding="utf-8", errors="replace")
    return path


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {
    "prose": render_prose,
    "plain": lambda text: _MARKS.sub(r"\1\2\3", text),
    "breakable": _make_breakable,
    "read_png": _read_png,
    "anchor": _anchor,
}
