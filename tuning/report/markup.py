"""Values as HTML: prose with its three marks, table cells, and PNG files as data URIs.

``**bold**``, ```code``` and ``[label](http address)`` are the only marks; no mark works inside another.
"""

import base64
import math
import numbers
import re
import struct
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

MAX_IMAGE_BYTES = 2 * 1024**2  # of one PNG; as base64 a third more
MISSING = "\N{EN DASH}"
_PNG = b"\x89PNG\r\n\x1a\n"
_MARKS = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\((https?://[^)\s]+)\)")
_IN_NUMBERS = frozenset("0123456789 .,:%+-/()[]±\N{MINUS SIGN}\N{EN DASH}\N{MULTIPLICATION SIGN}")
_UNSIGNED = (MISSING, "∞", "-∞", "")  # cells that say nothing about their column's kind
_NAME_CHARS = 12  # a longer name may break at its underscores
_SHORT_CHARS = 28  # a longer text may break within its table cell


def _element(code: str | None, bold: str | None, label: str | None, address: str | None) -> str:
    if code:
        return f"<code>{escape(code)}</code>"
    if bold:
        return f"<strong>{escape(bold)}</strong>"
    return f'<a href="{escape(address or "")}">{escape(label or "")}</a>'


def prose(text: str) -> str:
    """Escape a text and turn its marks into elements."""
    parts, end = [], 0
    for mark in _MARKS.finditer(text):
        parts += [escape(text[end : mark.start()]), _element(*mark.groups())]
        end = mark.end()
    return "".join(parts) + escape(text[end:])


def _plain(text: str) -> str:
    """Take the marks away from a text."""
    return _MARKS.sub(r"\1\2\3", text)


def breakable(name: str) -> str:
    """Escape a name and, when it is long, let it break after each underscore."""
    text = escape(name)
    return text.replace("_", "_<wbr>") if len(name) > _NAME_CHARS else text


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


def kind_of(cells: Sequence[str]) -> str:
    """Say how a column is set: as numbers (``num``), or as ``short`` or ``long`` text."""
    shown = [cell for cell in cells if cell not in _UNSIGNED]
    if shown and all(_IN_NUMBERS.issuperset(cell) and re.search(r"\d", cell) for cell in shown):
        return "num"
    return "long" if any(len(cell) > _SHORT_CHARS for cell in shown) else "short"


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


def picture(path: Path, caption: str, alt: str, start: str) -> str:
    """Render a PNG with its caption; ``<details>`` opens it in full size without a script.

    Args:
        path: PNG file.
        caption: What it shows, with marks.
        alt: What it shows for who cannot see it; the caption when empty.
        start: HTML before the caption, such as its number.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the caption is empty, or the file is no PNG or exceeds ``MAX_IMAGE_BYTES``.
    """
    if not caption.strip():
        raise ValueError(
            f"An image must have a caption, but {path} has {caption!r}. Say what it shows."
        )
    uri, width, height = _read_png(path)
    return (
        f'<figure class="picture"><details style="max-width:calc({width}px + 1.5rem);'
        f'--ratio:{width}/{height}"><summary title="Full size"><img src="{uri}" '
        f'alt="{escape(alt or _plain(caption))}" width="{width}" height="{height}"></summary>'
        f"</details><figcaption>{start}{prose(caption)}</figcaption></figure>"
    )
