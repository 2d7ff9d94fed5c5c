"""Code, folded parts and links to sections: what they become on the page, and in print."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tuning.page.blocks import list_anchors
from tuning.page.html import Code, Folded, Link, Page, Section, Table, Text, write_page

LINE = "VanillaUNet: AP 0.621 <b>& 50 %</b> of `code`"
TABLE = Table(["question", "shown in"], [["How?", Link("Quote", "#quote-and-cite")]], "Inside")
SECTIONS = [
    Section("First", [Text("See [the lines](#quote-and-cite)."), Table(["a"], [["b"]], "Before")]),
    Section(
        "Quote and cite",
        [Code(LINE, "`results.txt`"), Folded("More of **it**", [TABLE, Code("x")])],
    ),
    Section("Last", [Table(["a"], [["b"]], "After")]),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = Page("Title", True, ["Verdict."], [], SECTIONS)
    return write_page(page, tmp_path_factory.mktemp("page") / "page.html")


def test_code_is_shown_as_it_is(file: Path) -> None:
    escaped = "VanillaUNet: AP 0.621 &lt;b&gt;&amp; 50 %&lt;/b&gt; of `code`"
    assert f'<pre tabindex="0"><code>{escaped}</code></pre>' in file.read_text()


def test_a_folded_table_has_its_number_among_the_others(file: Path) -> None:
    text = file.read_text()
    for number, caption in enumerate(("Before", "Inside", "After"), 1):
        assert f"<b>Table {number}.</b> {caption}" in text


def test_links_lead_to_sections(file: Path, browser: Browser) -> None:
    opened = browser.new_page()
    opened.goto(file.as_uri())
    targets = "() => [...document.querySelectorAll('a[href^=\"#\"]')].map(a => !!document.querySelector(a.hash))"
    found = opened.evaluate(targets)
    assert len(found) == 3 + 2  # contents, text and table
    assert all(found)
    opened.close()


def test_a_folded_part_opens_on_demand_and_is_whole_in_print(file: Path, browser: Browser) -> None:
    opened = browser.new_page()
    opened.goto(file.as_uri())
    inside = opened.locator(".folded table")
    assert not inside.is_visible()
    opened.locator(".folded > summary").click()
    assert inside.is_visible()
    opened.locator(".folded > summary").click()
    opened.emulate_media(media="print")
    assert inside.bounding_box() is not None
    assert inside.is_visible()
    opened.close()


def test_anchors_are_unique() -> None:
    titles = ["Search", "search!", "Search", "Kosten – µ", "…"]  # noqa: RUF001
    assert list_anchors(titles) == ["search", "search--2", "search--3", "kosten", "section"]


def test_a_link_to_elsewhere_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"an http address, to \.\./NAME/report\.html or to #section"
    ):
        Link("x", "javascript:alert(1)")


def test_an_empty_folded_part_is_refused() -> None:
    with pytest.raises(ValueError, match="A folded part needs a block, but 'More' has none"):
        Folded("More", [])
