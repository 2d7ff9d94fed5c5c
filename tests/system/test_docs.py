"""The README stays short, links to every page, and every page of a topic begins with a command."""

import doctest
import re
from pathlib import Path

import pytest

from tuning.command_line.table import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PATHS = [
    "index",
    "start",
    "researcher",
    "responder",
    "engineer",
    "design",
    "untested",
    "statistics",
    "reference",
]
TOPICS = [page for page in PAGES if not {page.stem, page.parent.name} & set(PATHS)]
TEXTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *PAGES,
    *(
        page
        for folder in ("benchmarks", "docker", "platform")
        for page in (ROOT / folder).rglob("*.md")
    ),
]
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
MODULE = re.compile(
    r"`((?:data|models|tuning|tests|benchmarks|platform|docker|docs)/[\w./*-]+\.(?:py|md))`"
)


def test_readme_is_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_readme_links_every_page_of_docs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [page.relative_to(ROOT).as_posix() for page in PAGES]
    assert [name for name in names if f"({name})" not in text] == []


@pytest.mark.parametrize("page", TOPICS, ids=lambda page: page.name)
def test_page_of_a_topic_begins_with_a_command(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    first = [line for line in lines if line and not line.startswith("<!--")][:3]
    assert first[0].startswith("# ")
    assert first[1].startswith("```")
    assert re.match(
        r"((\.venv/bin/)?(python|make|\.)|from tuning\.api import) ",
        first[2].removeprefix(". .venv/bin/activate; "),
    )


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_paths_in_texts_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    paths = [path for path in MODULE.findall(text) if not list(ROOT.glob(path.rstrip("/")))]
    assert links + paths == []


def test_the_reference_lists_every_command_by_both_names() -> None:
    text = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    names = [(f"| `landslide {row.name}` | `python -m {row.module}` |", row) for row in COMMANDS]
    assert [row.name for name, row in names if name not in text] == []


def test_the_numbers_of_the_statistics_are_what_the_code_gives() -> None:
    done = doctest.testfile(str(ROOT / "docs" / "statistics.md"), module_relative=False)
    assert done.attempted > 20
    assert done.failed == 0
