from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsing import OVERFLOW, READ_TEXTS, visit
from tests.support.leaderboards import make_real, use_other_split, write_campaign
from tuning.leaderboard.__main__ import main
from tuning.leaderboard.write_page import write_leaderboard


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return [
        write_campaign(folder, "a"),
        write_campaign(folder, "b"),
        write_campaign(folder, "real", make_real, use_other_split, reads_dates="8 event"),
    ]


@pytest.fixture(scope="module")
def page_file(bundles: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "leaderboard.html"
    content, refused = write_leaderboard(bundles, file, "All of them")
    assert content is not None
    assert refused == []
    return file


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.goto(page_file.as_uri())
    yield opened
    opened.close()


def test_page_asks_for_nothing_and_reports_no_error(browser: Browser, page_file: Path) -> None:
    _, messages, requests = visit(browser, page_file)
    assert messages == []
    assert requests == {page_file.as_uri()}


def test_filters_hide_rows_without_a_script(browser: Browser, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    rows = page.locator("#rows tbody tr")
    assert rows.count() == 9
    assert all(rows.nth(number).is_visible() for number in range(9))
    page.select_option("#filter-data", label="real")
    assert sum(rows.nth(number).is_visible() for number in range(9)) == 3
    page.select_option("#filter-origin", label="baseline")
    assert sum(rows.nth(number).is_visible() for number in range(9)) == 1
    page.select_option("#filter-data", label="all")
    assert sum(rows.nth(number).is_visible() for number in range(9)) == 3
    assert not page.locator(".choose").first.is_visible()
    context.close()


def test_columns_sort_up_and_down(page: Page) -> None:
    def scores() -> list[float]:
        cells = page.locator("#rows tbody tr td:nth-child(2)").all_inner_texts()
        return [float(text.split()[0]) for text in cells]

    page.get_by_role("button", name="AP", exact=True).click()
    assert scores() == sorted(scores(), reverse=True)
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("AP")
    page.get_by_role("button", name="AP", exact=True).click()
    assert scores() == sorted(scores())
    page.get_by_role("button", name="model").click()
    names = page.locator("#rows tbody th label").all_inner_texts()
    assert names == sorted(names, key=str.lower)


def test_two_chosen_rows_get_a_verdict_or_the_reason_why_not(page: Page) -> None:
    files = page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('#rows tbody tr')].map("
        "row => [`${row.querySelector('summary').textContent} ${row.querySelector('label').innerText.trim()}`, row.id]))"
    )
    said = page.locator("#compared")
    assert not said.is_visible()
    page.check(f".choose[value={files['a.zip VanillaUNet']}]")
    assert said.inner_text() == "Choose a second row to compare with."
    page.check(f".choose[value={files['b.zip LogRatioVV']}]")
    text = said.inner_text()
    assert "VanillaUNet of a.zip" in text
    assert "95 % interval" in text
    page.check(f".choose[value={files['real.zip VanillaUNet']}]")
    assert said.inner_text() == "Not compared: real against synthetic tiles."
    assert page.locator(".choose:checked").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_legible_at_400_px_and_the_page_does_not_scroll_sideways(
    browser: Browser, page_file: Path, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(page_file.as_uri())
    assert page.evaluate(OVERFLOW) == 0
    texts = [text for text in page.evaluate(READ_TEXTS) if text["shown"]]
    assert [text for text in texts if text["contrast"] < 4.5] == []
    page.close()


def test_texts_of_a_bundle_cannot_become_part_of_the_page(
    browser: Browser, tmp_path: Path, bundles: list[Path]
) -> None:
    evil = "</script><script>document.title='evil'</script><img src=x onerror=alert(1)>"
    file = write_campaign(tmp_path, "c", reads_dates=evil)
    target = tmp_path / "page.html"
    write_leaderboard([file, *bundles], target, evil)
    _, messages, requests = visit(browser, target)
    assert messages == []
    assert requests == {target.as_uri()}


def test_refused_bundle_ends_with_1_and_its_name_unless_it_is_skipped(
    tmp_path: Path, bundles: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bad, target = tmp_path / "bad.zip", tmp_path / "page.html"
    bad.write_bytes(b"no zip")
    words = [str(bundles[0]), str(bad), "--to", str(target)]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "Refused: bad.zip: " in said
    assert "1 of 2 were refused, and no page was written" in said
    assert not target.exists()
    assert main([*words, "--skip-refused"]) == 0
    text = target.read_text()
    assert "Refused bundles" in text
    assert "bad.zip" in text
    assert main([str(bad), "--to", str(target), "--skip-refused"]) == 1
    assert target.read_text() == text


def test_another_file_is_not_replaced(
    tmp_path: Path, bundles: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "report.html"
    other.write_text("mine")
    assert main([str(bundles[0]), "--to", str(other)]) == 2
    assert "must be a new file or an earlier leaderboard" in capsys.readouterr().err
    assert other.read_text() == "mine"
    assert main([str(bundles[0]), "--to", str(tmp_path / "nowhere" / "page.html")]) == 2
    assert "must be in an existing folder" in capsys.readouterr().err
