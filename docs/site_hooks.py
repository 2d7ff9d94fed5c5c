"""Hooks of the site's build: pages from outside ``docs/``, links between them, the notebook as a page.

GitHub shows the pages where they lie, so their links are paths of the repository. The site has the same pages; those
from outside ``docs/`` keep their path below the site's root (``platform/README.md``), those of ``docs/`` lose it.
"""

import base64
import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS, NOTEBOOK, NOTEBOOK_PAGE = "docs/", "docs/map.ipynb", "map.md"
OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks", "docker", "platform")
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?!\w+:|#)([^)#\s]*)([^)\s]*\))")
ROLE = re.compile(
    r":(?:class|data|func|mod):(?=<code>)"
)  # of docstrings, which Markdown does not know
COMMENT = re.compile(r"^[ \t]*<!--.*?-->[ \t]*\n", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside ``docs/``, every file that a page links to, and the notebook."""
    for path in _list_outside():
        if files.get_file_from_path(path) is None:
            files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    for path, content in render_notebook((ROOT / NOTEBOOK).read_text(encoding="utf-8")).items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Make links of the repository links of the site; drop comments, which are for tests."""
    source = page.file.src_uri
    home = source if _is_outside(source) else DOCS + source
    return rewrite_links(COMMENT.sub("", markdown), home)


def on_page_content(html: str, **_: Any) -> str:
    """Drop the roles before names in docstrings."""
    return ROLE.sub("", html)


def rewrite_links(markdown: str, home: str) -> str:
    """Rewrite the links of a page outside its blocks of code.

    Args:
        markdown: Text of the page.
        home: Its path in the repository.

    Returns:
        The text, with links relative to the page's place in the site.
    """
    here = posixpath.dirname(to_site(home))

    def rewrite(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        if not target:
            return match.group()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(home), target))
        return before + posixpath.relpath(to_site(path), here or ".") + after

    parts = split_fences(markdown)
    return "".join(text if code else LINK.sub(rewrite, text) for code, text in parts)


def to_site(path: str) -> str:
    """Return the place in the site of a file by its path in the repository."""
    return NOTEBOOK_PAGE if path == NOTEBOOK else path.removeprefix(DOCS)


def split_fences(markdown: str) -> Iterator[tuple[bool, str]]:
    """Yield a page's text in parts, each with whether it is a fenced block of code."""
    code, text = False, ""
    for line in markdown.splitlines(keepends=True):
        fence = line.lstrip().startswith("```")
        if fence and not code:
            yield False, text
            code, text = True, line
        elif fence:
            yield True, text + line
            code, text = False, ""
        else:
            text += line
    yield code, text


def render_notebook(text: str) -> dict[str, str | bytes]:
    """Return the notebook as a page, and its pictures, by their places in the site."""
    made: dict[str, str | bytes] = {}
    page = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        page.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                name = f"map_{len(made) + 1}.png"
                made[name] = base64.b64decode("".join(data["image/png"]))
                page.append(f"![Output of the cell above]({name})")
            elif shown := "".join(output.get("text") or data.get("text/plain", [])).rstrip():
                page.append(f"```text\n{shown}\n```")
    return {NOTEBOOK_PAGE: "\n\n".join(page) + "\n", **made}


def _is_outside(path: str) -> bool:
    return (ROOT / path).is_file() and not (ROOT / DOCS / path).exists()


def _list_outside() -> list[str]:
    """Return the pages of the folders outside ``docs/``, and what any page links to there, by path in the repository."""
    pages = [
        file
        for name in OUTSIDE
        for file in ([ROOT / name] if name.endswith(".md") else sorted((ROOT / name).rglob("*.md")))
    ]
    found = {file.relative_to(ROOT).as_posix() for file in pages}
    for page in [*pages, *sorted((ROOT / DOCS).rglob("*.md"))]:
        for code, text in split_fences(page.read_text(encoding="utf-8")):
            for _, target, _ in () if code else LINK.findall(text):
                linked = (page.parent / target).resolve()
                if linked.is_file() and not linked.is_relative_to(ROOT / DOCS):
                    found.add(linked.relative_to(ROOT).as_posix())
    return sorted(found)
