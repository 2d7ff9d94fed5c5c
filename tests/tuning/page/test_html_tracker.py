"""Links to runs lead to the tracker's address, which the reader can set once; without scripts they keep their own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from tests.support.browsing import OVERFLOW, visit
from tuning.page.html import Link, Page, Section, Table, Text, Tracker, write_page

OWN, OTHER = "http://127.0.0.1:5000", "https://mlflow.example.org/team"
RUN = "/#/experiments/1/runs/abc"
ELSEWHERE = "https://doi.org/10.1"
HREFS = "() => [...document.querySelectorAll('main a')].map(link => link.getAttribute('href'))"


def make_page(*trackers: Tracker) -> Page:
    rows = [[Link("unet", OWN + RUN)], [Link("paper", ELSEWHERE)], [Link("near", f"{OWN}0/#/x")]]
    blocks = [*trackers, Text(f"See [a run]({OWN}{RUN})."), Table(["run"], rows)]
    many = [Section(f"Section of a long title {n}", [Text("x")]) for n in range(12)]
    return Page("t", False, ["v"], [], [*many, Section("MLflow", blocks)])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = make_page(Tracker(OWN, "python -m mlflow ui --backend-store-uri sqlite:////a/mlflow.db"))
    return write_page(page, tmp_path_factory.mktemp("tracker") / "page.html")


@pytest.fixture
def tab(browser: Browser, file: Path) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 400, "height": 800})
    opened = context.new_page()
    opened.goto(file.as_uri())
    yield opened
    context.close()


def list_hrefs(tab: Tab) -> list[str]:
    hrefs: list[str] = tab.evaluate(HREFS)
    return hrefs


def test_all_links_to_runs_follow_the_address_and_no_other_link_does(tab: Tab) -> None:
    assert list_hrefs(tab) == [OWN, OWN + RUN, OWN + RUN, ELSEWHERE, f"{OWN}0/#/x"]
    tab.get_by_label("Its address").fill(f" {OTHER}/#/experiments ")
    tab.get_by_role("button").click()
    assert list_hrefs(tab) == [OTHER, OTHER + RUN, OTHER + RUN, ELSEWHERE, f"{OWN}0/#/x"]
    assert tab.locator("output").inner_text() == f"3 links lead to {OTHER} now."
    assert tab.evaluate(OVERFLOW) <= 0
    tab.reload()  # set once
    assert list_hrefs(tab)[1] == OTHER + RUN


@pytest.mark.parametrize("bad", ["", "javascript:alert(1)", "mlflow.example.org", "http://a b/"])
def test_what_is_no_address_changes_no_link(tab: Tab, bad: str) -> None:
    tab.get_by_label("Its address").fill(bad)
    tab.get_by_role("button").click()
    assert list_hrefs(tab)[1] == OWN + RUN
    assert "must begin with http://" in tab.locator("output").inner_text()


def test_without_scripts_the_links_keep_their_address_and_no_field_is_shown(
    browser: Browser, file: Path
) -> None:
    opened = browser.new_page(java_script_enabled=False)
    opened.goto(file.as_uri())
    assert opened.get_by_role("link", name="a run").get_attribute("href") == OWN + RUN
    assert not opened.locator("form").is_visible()
    assert opened.get_by_text("python -m mlflow ui").is_visible()
    opened.close()


def test_the_page_s_own_script_runs_and_another_is_refused(
    browser: Browser, file: Path, tmp_path: Path
) -> None:
    _, complaints, requests = visit(browser, file)
    assert (complaints, requests) == ([], {file.as_uri()})
    forged = tmp_path / "forged.html"
    forged.write_text(
        file.read_text().replace("</body>", "<script>document.title=1</script></body>")
    )
    _, complaints, _ = visit(browser, forged)
    assert len(complaints) == 1
    assert "Content Security Policy" in complaints[0]


def test_a_page_without_links_to_runs_has_no_script(tmp_path: Path) -> None:
    text = write_page(make_page(), tmp_path / "page.html").read_text()
    assert not re.search("<script|script-src|<form", text)
    assert "runs no script" in text


def test_a_page_has_one_tracker_at_most() -> None:
    with pytest.raises(ValueError, match=r"at most one tracker, but 't' has 2\. Keep the first"):
        make_page(Tracker(OWN), Tracker(OTHER))


@pytest.mark.parametrize("width", [400, 1280])
def test_numbers_of_the_contents_are_whole(tab: Tab, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    cut = tab.evaluate(
        """() => [...document.querySelectorAll("nav li")].filter(li => {
          const nav = document.querySelector("nav").getBoundingClientRect();
          const number = parseFloat(getComputedStyle(li, "::before").width);
          const text = document.createElement("canvas").getContext("2d");
          text.font = getComputedStyle(li, "::before").font;
          const needed = text.measureText(`${[...li.parentNode.children].indexOf(li) + 1}.`).width;
          return li.getBoundingClientRect().left < nav.left || !(needed <= number + 0.5);
        }).map(li => li.innerText)"""
    )
    assert cut == []
