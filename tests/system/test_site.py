"""The site of ``docs/`` builds without a warning, needs no server, and its links lead where GitHub's do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs.site_hooks import NOTEBOOK, NOTEBOOK_PAGE, render_notebook, rewrite_links
from tests.support.browsing import OVERFLOW, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_links_of_the_repository_become_links_of_the_site() -> None:
    text = "[a](maps.md#input) [b](../platform/README.md) ![c](map.png) [d](#here) [e](https://x.org/y.md)"
    assert rewrite_links(text, "docs/scene.md") == text.replace("../platform", "platform")
    up = rewrite_links("[a](docs/maps.md) [b](platform/README.md#x)", "CONTRIBUTING.md")
    assert up == "[a](maps.md) [b](platform/README.md#x)"
    deep = "[a](../../docs/maps.md) [b](../README.md) [c](../../CONTRIBUTING.md#rules)"
    assert rewrite_links(deep, "platform/ray/README.md") == deep.replace("docs/", "")
    assert rewrite_links("[a](../options.md)", "docs/reference/index.md") == "[a](../options.md)"
    assert rewrite_links("[a](map.ipynb)", "docs/maps.md") == f"[a]({NOTEBOOK_PAGE})"


def test_links_in_code_are_left_alone() -> None:
    text = "```python\nrun[a](docs/maps.md)\n```\n"
    assert rewrite_links(text, "CONTRIBUTING.md") == text


def test_the_notebook_is_a_page_with_its_pictures() -> None:
    made = render_notebook((ROOT / NOTEBOOK).read_text(encoding="utf-8"))
    page = made.pop(NOTEBOOK_PAGE)
    assert isinstance(page, str)
    assert page.startswith("# From one command to a landslide map")
    assert [name for name in made if f"]({name})" in page] == [
        "map_1.png",
        "map_2.png",
        "map_3.png",
    ]
    assert all(isinstance(one, bytes) and one[1:4] == b"PNG" for one in made.values())


@pytest.mark.slow
def test_every_page_of_the_project_is_in_the_site(site: Path) -> None:
    pages = [
        *(ROOT / "docs").rglob("*.md"),
        *(page for name in ("platform", "docker") for page in (ROOT / name).rglob("*.md")),
    ]
    places = [page.relative_to(ROOT).as_posix().removeprefix("docs/") for page in pages]
    html = [f"{place.removesuffix('.md')}.html".replace("README", "index") for place in places]
    assert [place for place in html if not (site / place).is_file()] == []
    index = json.loads((site / "search" / "search_index.json").read_text())
    texts = " ".join(one["text"] for one in index["docs"])
    assert "<!-- " not in texts
    assert ":func:" not in texts


@pytest.mark.slow
def test_pages_load_nothing_from_a_server_and_fit_a_phone(site: Path, browser: "Browser") -> None:
    for name in ("index.html", "statistics.html", "reference/python.html", "platform/index.html"):
        widths, messages, requests = visit(browser, site / name)
        assert messages == []
        assert all(widths)
        assert {url for url in requests if not url.startswith("file:")} == set()
        page = browser.new_page(viewport={"width": 400, "height": 900})
        page.goto((site / name).as_uri())
        assert page.evaluate(OVERFLOW) == 0, name
        page.close()


@pytest.mark.slow
def test_search_answers_in_a_page_opened_as_a_file(site: Path, browser: "Browser") -> None:
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").fill("layover")
    found = page.locator(".md-search-result__item a").first
    found.wait_for(timeout=20_000)
    assert "maps.html" in (found.get_attribute("href") or "")
    page.close()


@pytest.mark.slow
def test_a_dead_link_or_a_forgotten_page_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Home\n\n[a](nosuch.md) [b](#nosuch)\n")
    (docs / "forgotten.md").write_text("# Forgotten\n")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    validation = settings[settings.index("validation:") : settings.index("nav:\n  - Home")]
    config = tmp_path / "mkdocs.yml"
    config.write_text(f"site_name: x\nplugins: []\n{validation}nav:\n  - index.md\n")
    done = build(tmp_path / "site", config)
    assert done.returncode == 1
    for said in ("forgotten.md", "'nosuch.md', but the target is not found", "'#nosuch'"):
        assert said in done.stderr
