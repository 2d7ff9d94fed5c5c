"""One self-contained HTML page from blocks of text, tables and figures.

The file embeds its style and images and loads nothing, so it can be mailed, archived, printed, and shown by MLflow. The
template is ``page.html.j2``, the style ``page.css``. Jinja2 escapes every value. A page with a
:class:`tuning.page.blocks.Tracker` has one script, ``tracker.js``, since no element of HTML can change where links lead to;
without scripts its links lead to the address with which it was written.

Text, verdict, captions and notes may contain ``**bold**``, ```code``` and ``[label](http address)``, or the address of another
report beside this one, ``../NAME/report.html``, or of a section, ``#id``. These marks do not nest. Titles, facts and table cells contain text from
outside the project and are shown as they are.
"""

import base64
import hashlib
import re
import struct
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from tuning.page.blocks import (
    ADDRESS,
    Block,
    Code,
    Folded,
    Gallery,
    Image,
    Link,
    Page,
    Section,
    Table,
    Text,
    Tracker,
)
from tuning.page.formats import MISSING, column_kind, format_cell

__all__ = [
    "MISSING",
    "Block",
    "Code",
    "Folded",
    "Gallery",
    "Image",
    "Link",
    "Page",
    "Section",
    "Table",
    "Text",
    "Tracker",
    "column_kind",
    "format_cell",
    "render_prose",
    "write_page",
]

MAX_IMAGE_BYTES = 2 * 1024**2  # of one PNG; as base64 a third more
SCRIPT = Path(__file__).with_name("tracker.js")
_PNG = b"\x89PNG\r\n\x1a\n"
_MARKS = re.compile(rf"`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\(({ADDRESS})\)")
_NAME_CHARS = 12  # a longer name may break at its underscores


def _render_mark(mark: re.Match[str]) -> str:
    code, bold, label, address = mark.groups()
    if code:
        return f"<code>{code}</code>"
    return f"<strong>{bold}</strong>" if bold else f'<a href="{address}">{label}</a>'


def render_prose(text: str) -> Markup:
    """Escape a text, then render its marks; escaping adds and removes no mark."""
    return Markup(_MARKS.sub(_render_mark, str(escape(text))))  # noqa: S704  the text is escaped


def _keep_names_whole(sentence: Markup) -> Markup:
    """Keep a line from breaking within names such as ``U-Net``."""
    spans = re.sub(
        r"(<[^>]*>)|\b(\w{1,8}-\w{1,12})\b",
        lambda found: found[1] or f'<span class="whole">{found[2]}</span>',
        sentence,
    )
    return Markup(spans)  # noqa: S704  the sentence is escaped


def _make_breakable(name: str) -> Markup:
    """Escape a name; allow a line break after each underscore if it is long."""
    text = escape(name)
    return text.replace("_", Markup("_<wbr>")) if len(name) > _NAME_CHARS else text


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


def _hash_script(script: str) -> str:
    """Return the source by which a Content-Security-Policy allows one inline script and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def write_page(page: Page, path: Path) -> Path:
    """Write a page as one HTML file; return its path.

    Args:
        page: Content of the page.
        path: File to write; its folder is created.

    Raises:
        FileNotFoundError: If an image does not exist.
        ValueError: If an image is no PNG or exceeds ``MAX_IMAGE_BYTES``.
    """
    script = SCRIPT.read_text(encoding="utf-8") if page.tracker else ""
    content = ENVIRONMENT.get_template("page.html.j2").render(page=page, script=script)
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
    "whole": _keep_names_whole,
    "hash": _hash_script,
}
