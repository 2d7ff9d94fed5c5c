"""BibTeX entries as text: every value is escaped, so that a name from outside cannot end its field."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

VERBATIM = ("doi", "eprint", "archiveprefix", "author")  # BibTeX styles print these as they are
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
_KEY = re.compile(r"[^A-Za-z0-9-]+")
MAX_CHARS = 1000  # of a field


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        kind: Such as ``misc`` and ``article``.
        key: What a paper cites it by.
        fields: Plain values by name, in order; escaped when written.
    """

    kind: str
    key: str
    fields: Mapping[str, str]


def escape_value(text: str) -> str:
    """Escape a plain text for a BibTeX field: one line, without marks that TeX would read."""
    shown = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return "".join(_ESCAPED.get(mark, mark) for mark in shown[:MAX_CHARS])


def make_key(*parts: str) -> str:
    """Join parts into a key of letters, digits and hyphens."""
    return "-".join(filter(None, (_KEY.sub("-", part).strip("-") for part in parts)))


def format_entry(entry: Entry) -> str:
    """Return an entry as text."""
    lines = [f"  {name} = {{{_write(name, value)}}}," for name, value in entry.fields.items()]
    return "\n".join([f"@{entry.kind}{{{entry.key},", *lines, "}"])


def _write(name: str, value: str) -> str:
    text = value if name in VERBATIM else escape_value(value)
    return (
        f"{{{text}}}" if name == "title" else text
    )  # else styles would write a title in small letters


def format_entries(entries: Iterable[Entry]) -> str:
    """Return several entries as the text of a file, an empty line between them."""
    return "\n\n".join(map(format_entry, entries)) + "\n"
