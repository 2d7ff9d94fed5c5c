"""Writes the leaderboard as one HTML file that loads nothing; the only script that may run is its own, by its hash."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from data.io.durable import write_atomically
from tuning.leaderboard.content import COLUMNS, Content, make_content
from tuning.leaderboard.entries import Refused, load_entries
from tuning.leaderboard.groups import make_groups

GENERATOR = "tuning.leaderboard"
_HERE = Path(__file__).parent
_MARK = f'<meta name="generator" content="{GENERATOR}">'.encode()
_HEAD = 4096  # bytes in which an earlier page names its generator


def write_leaderboard(
    files: Sequence[Path], path: Path, title: str = "Leaderboard", *, skip: bool = False
) -> tuple[Content | None, list[Refused]]:
    """Write the page of some bundles.

    Args:
        files: The bundles.
        path: The page; an earlier leaderboard is replaced, another file is not.
        title: Heading of the page.
        skip: Whether to write a page without the refused bundles, which it then lists.

    Returns:
        What the page has, None if no page was written; and the refused bundles.

    Raises:
        FileExistsError: If *path* is another file.
    """
    check_target(path)
    entries, refused = load_entries(files)
    if not entries or (refused and not skip):
        return None, refused
    content = make_content(make_groups(entries), refused, title)
    write_atomically(path, lambda aside: aside.write_text(render(content), encoding="utf-8"))
    return content, refused


def check_target(path: Path) -> None:
    """Check that a page may be written: its folder exists, and nothing but an earlier leaderboard is replaced.

    Raises:
        FileNotFoundError: If its folder does not exist.
        FileExistsError: If it is something else.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"--to must be in an existing folder, but got {path.parent}. Make it first."
        )
    if path.is_dir() or (path.exists() and not _is_leaderboard(path)):
        raise FileExistsError(
            f"--to must be a new file or an earlier leaderboard, but {path} is something else. Choose another name."
        )


def _is_leaderboard(path: Path) -> bool:
    with path.open("rb") as file:
        return _MARK in file.read(_HEAD)


def render(content: Content) -> str:
    """Return the page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        content=content,
        columns=COLUMNS,
        generator=GENERATOR,
        script=Markup(script),  # noqa: S704  a file of this package
        script_hash=f"sha256-{digest}",
        lookup=Markup(content.lookup),  # noqa: S704  JSON without "<"
    )
