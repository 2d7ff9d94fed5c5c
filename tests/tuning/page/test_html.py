import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from tests.support.browsing import OVERFLOW, READ_TEXTS, find_chromium, visit
from tuning.page import html
from tuning.page.html import (
    Gallery,
    Image,
    Page,
    Section,
    Table,
    Text,
    column_kind,
    format_cell,
    render_prose,
    write_page,
)
from tuning.plots.trial_figures import save

WIDTHS = (360, 1280)
COLUMNS = ["model", *(f"a_long_column_name_{number}" for number in range(19))]


def draw_png(path: Path, width_in: float = 6.4) -> Path:
    figure = Figure(figsize=(width_in, 2.0))
    figure.add_subplot().plot([0, 1], [0, 1])
    return save(figure, path)


def make_page(folder: Path, **changes: Any) -> Page:
    """Return a page with all blocks: two tables, one of them very wide, and images."""
    one, wide = draw_png(folder / "one.png"), draw_png(folder / "wide.png", 11.0)
    numbers: list[Sequence[Any]] = [
        ["TemporalUNet_ConvLSTM", *range(0, 1_200_000, 100_000), *np.linspace(0, 1, 7)],
        ["LogRatioVV", *[float("nan")] * 19],
    ]
    tiles = [
        [f"hokkaido_{n}", n * 1000, n % 2 == 0, "A reason in many words. " * n] for n in range(40)
    ]
    sections = [
        Section(
            "First & foremost",
            [Text("Some **bold** words and `code_of_a_name`."), Image(one, "One.")],
        ),
        Section("Tiles", [Table(["tile", "pixels", "used", "why"], tiles, "Tiles", "A note.")]),
        Section("Tiles", [Gallery([Image(wide, "Wide `x`.", f"{n}") for n in range(6)], "Six.")]),
        Section("All", [Table(COLUMNS, numbers, "All"), Text("averylongword" * 30)]),
    ]
    values: dict[str, Any] = {
        "title": "A <title> & more",
        "synthetic": True,
        "verdict": ["The answer in a sentence.", "A second one, with **0.614**."],
        "facts": [("Data", "290 tiles"), ("Split", "blocks"), ("Hash", "0123456789abcdef" * 4)],
        "sections": sections,
    }
    return Page(**(values | changes))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return write_page(make_page(folder), folder / "report" / "page.html")


class Outline(HTMLParser):
    """Collects elements as (name, attributes), and fails if they do not nest."""

    VOID = frozenset({"meta", "link", "img", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name in names]


def write_blocks(tmp_path: Path, *blocks: Any) -> str:
    page = make_page(tmp_path, sections=[Section("Only", blocks)])
    return write_page(page, tmp_path / "page.html").read_text()


def test_page_is_well_formed_with_landmarks_and_headings_in_order(file: Path) -> None:
    outline = Outline(file.read_text())
    names = [name for name, _ in outline.found]
    assert [name for name in names if name in ("header", "nav", "main", "footer")] == [
        "header",
        "nav",
        "main",
        "footer",
    ]
    assert [name for name in names if re.fullmatch("h[1-6]", name)] == ["h1", *["h2"] * 4]
    assert outline.all("html")[0]["lang"] == "en"
    assert not outline.all("script")


def test_contents_link_to_every_section_even_of_equal_titles(file: Path) -> None:
    outline = Outline(file.read_text())
    targets = [attrs["href"] for attrs in outline.all("a")]
    sections = [f"#{attrs['id']}" for attrs in outline.all("section")]
    assert targets == sections == ["#first-foremost", "#tiles", "#tiles--2", "#all"]
    ids = [attrs["id"] for _, attrs in outline.found if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_everything_is_escaped(tmp_path: Path) -> None:
    evil = "<b id='x'>&\"</b>"
    image = Image(draw_png(tmp_path / "a.png"), evil, evil)
    blocks = [Text(f"{evil} **{evil}** `{evil}`"), Table([evil], [[evil]], evil, evil)]
    sections = [Section(evil, [*blocks, image, Gallery([image], evil)])]
    page = Page(evil, False, [evil], [(evil, evil)], sections)
    text = write_page(page, tmp_path / "page.html").read_text()
    assert "<b id" not in text
    assert text.count("&lt;b id=&#39;x&#39;&gt;&amp;&#34;&lt;/b&gt;") == 19
    Outline(text)


def test_only_synthetic_data_is_called_so(tmp_path: Path, file: Path) -> None:
    text = file.read_text()
    assert "These numbers come from synthetic tiles" in text
    assert "(synthetic data)</title>" in text
    assert text.count('<span class="tag">synthetic</span>') == 2  # once per table
    real = write_page(make_page(tmp_path, synthetic=False), tmp_path / "page.html").read_text()
    assert "synthetic" not in real


def test_page_allows_no_request(file: Path) -> None:
    text = file.read_text()
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert not re.findall(r"https?://|@import|url\(|src=\"(?!data:)", text)


def test_names_in_the_headline_are_kept_on_one_line_and_addresses_are_not_touched() -> None:
    sentence = render_prose("The U-Net [a-b](https://a-b.org/c-d) & **U-TAE**")
    name = '<span class="whole">{}</span>'
    assert html._keep_names_whole(sentence) == (
        f'The {name.format("U-Net")} <a href="https://a-b.org/c-d">{name.format("a-b")}</a> &amp; '
        f"<strong>{name.format('U-TAE')}</strong>"
    )


def test_prose_renders_its_marks() -> None:
    assert render_prose("a **b** c") == "a <strong>b</strong> c"
    assert render_prose("`a**b**`") == "<code>a**b**</code>"
    assert render_prose("2 ** 3 and `") == "2 ** 3 and `"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.123"),
        (-0.0001, "0.000"),
        (-1234.5678, "-1,234.568"),
        (np.float32(0.5), "0.500"),
        (float("nan"), "\N{EN DASH}"),
        (float("-inf"), "-∞"),
        (None, "\N{EN DASH}"),
        (1234567, "1,234,567"),
        (np.int64(-4096), "-4,096"),
        (True, "yes"),
        (np.bool_(False), "no"),
        ("0.6 ± 0.1", "0.6 ± 0.1"),
        (Path("a/b"), "a/b"),
    ],
)
def test_cells_are_formatted_by_their_type(value: Any, shown: str) -> None:
    assert format_cell(value) == shown


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["0.614 ± 0.007", "\N{EN DASH}", "12 %"], "num"),
        (["[0.58, 0.64]", "\N{MINUS SIGN}0.1"], "num"),
        (["1,234", "unknown"], "short"),
        (["yes", "no"], "short"),
        (["\N{EN DASH}", ""], "short"),
        (["a", "a reason that takes many words to tell"], "long"),
    ],
)
def test_column_kind_follows_from_its_cells(cells: list[str], kind: str) -> None:
    assert column_kind(cells) == kind


def test_figures_and_tables_are_numbered_in_order(file: Path) -> None:
    assert re.findall(r"<b>((?:Figure|Table) \d+)\.</b>", file.read_text()) == [
        "Figure 1",
        "Table 1",
        "Figure 2",
        "Table 2",
    ]


def test_image_without_alt_uses_its_caption(tmp_path: Path) -> None:
    path = draw_png(tmp_path / "a.png")
    text = write_blocks(tmp_path, Image(path, "A **bold** `x`."), Image(path, "B.", "Other"))
    assert [attrs["alt"] for attrs in Outline(text).all("img")] == ["A bold x.", "Other"]


def test_image_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must exist, but .*gone\.png does not\. Draw it"):
        write_blocks(tmp_path, Image(tmp_path / "gone.png", "Gone."))


def test_image_that_is_no_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"GIF89a and more than twenty-four bytes")
    with pytest.raises(ValueError, match=r"must be PNG, but got b'GIF89a a' first in .*a\.png"):
        write_blocks(tmp_path, Image(tmp_path / "a.png", "A."))


def test_image_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MAX_IMAGE_BYTES", 1000)
    with pytest.raises(
        ValueError, match=r"not exceed 1,000 bytes, but got [\d,]+ in .*a\.png\. Dr"
    ):
        write_blocks(tmp_path, Image(draw_png(tmp_path / "a.png"), "A."))


@pytest.mark.parametrize(
    ("block", "arguments", "message"),
    [
        (
            Table,
            (["a", "b"], [[1, 2], [3]], "T"),
            r"column, 2, but got 1 in row 2 of table 'T'\. Fill",
        ),
        (Table, ([], [], "T"), r"table needs a column, but 'T' has none\. Add one"),
        (Gallery, ([], "G"), r"gallery needs an image, but 'G' has none\. Add one"),
        (Image, (Path("a.png"), " "), r"must have a caption, but a\.png has ' '\. Describe"),
    ],
)
def test_incomplete_block_is_refused(block: Any, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        block(*arguments)


def test_block_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TypeError,
        match=r"Text, Table, Image, Gallery, Tracker, Code or Folded, but got 'plain'\. Wrap",
    ):
        write_blocks(tmp_path, "plain")


@pytest.mark.parametrize("part", ["verdict", "sections"])
def test_page_without_verdict_or_section_is_refused(tmp_path: Path, part: str) -> None:
    message = rf"page needs a {part.rstrip('s')}, but 'A <title> & more' has none\. Add one"
    with pytest.raises(ValueError, match=message):
        write_page(make_page(tmp_path, **{part: []}), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_missing_browser_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match=r"need Chromium\. Install it: apt-get install"):
        find_chromium()


@pytest.fixture(scope="module")
def tab(browser: Browser, file: Path) -> Iterator[Tab]:
    """The page opened once, with scripts off, as in a mail program."""
    opened = browser.new_page(java_script_enabled=False)
    opened.goto(file.as_uri())
    yield opened
    opened.close()


def test_browser_loads_everything_from_the_file_alone(browser: Browser, file: Path) -> None:
    widths, complaints, requests = visit(browser, file)
    assert widths == [704, *[1210] * 6]
    assert complaints == []
    assert requests == {file.as_uri()}


@pytest.mark.parametrize("width", WIDTHS)
def test_page_never_scrolls_sideways_but_its_wide_table_does(tab: Tab, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    assert tab.evaluate(OVERFLOW) <= 0
    moved = tab.evaluate(
        """() => {
          const box = [...document.querySelectorAll(".scroll")].at(-1);
          box.scrollLeft = 150;
          const first = box.querySelector("tbody th").getBoundingClientRect();
          return [box.scrollLeft, first.left - box.getBoundingClientRect().left];
        }"""
    )
    assert moved == [150, 1]  # the first column stays, inside a border of 1 px


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("media", "scheme"), [("screen", "light"), ("screen", "dark"), ("print", "light")]
)
def test_every_text_is_shown_and_in_contrast(tab: Tab, width: int, media: Any, scheme: Any) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    tab.emulate_media(media=media, color_scheme=scheme)
    texts = tab.evaluate(READ_TEXTS)
    tab.emulate_media(media="screen", color_scheme="light")
    assert len(texts) > 200
    assert [text["text"] for text in texts if not text["shown"]] == []
    assert [text for text in texts if text["contrast"] < 4.5] == []  # WCAG 2.2, AA
    if media == "screen":
        assert min(text["size"] for text in texts) >= 12


def test_dark_page_keeps_figures_on_white(tab: Tab) -> None:
    tab.emulate_media(color_scheme="dark")
    colours = tab.evaluate(
        "() => ['body', 'summary'].map(name =>"
        " getComputedStyle(document.querySelector(name)).backgroundColor)"
    )
    tab.emulate_media(color_scheme="light")
    assert colours == ["rgb(20, 25, 31)", "rgb(255, 255, 255)"]


def test_figure_opens_in_full_size_and_closes_without_a_script(tab: Tab) -> None:
    tab.set_viewport_size({"width": 360, "height": 800})
    width = "() => document.images[0].getBoundingClientRect().width"
    assert tab.evaluate(width) < 330
    tab.locator("summary").first.click()
    assert tab.evaluate(width) >= 704
    assert tab.evaluate(OVERFLOW) <= 0
    tab.locator("summary").first.press("Enter")
    assert tab.evaluate(width) < 330


def test_wide_table_fits_on_landscape_paper(tab: Tab) -> None:
    tab.set_viewport_size({"width": 1031, "height": 700})  # 273 mm at 96 px per inch
    tab.emulate_media(media="print")
    assert tab.evaluate(OVERFLOW) <= 0
    tab.emulate_media(media="screen")


def test_a_row_that_is_a_text_is_a_heading_over_the_rows_below(tmp_path: Path) -> None:
    table = Table(["model", "AP"], ["read <alike>", ["A", 0.5], ["B", 0.4]])
    assert table.kinds == ["short", "num"]
    page = Page("t", False, ["v"], [], [Section("s", [table])])
    text = write_page(page, tmp_path / "page.html").read_text()
    assert '<th scope="colgroup" colspan="2">read &lt;alike&gt;</th>' in text


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        ("../first-one.2/report.html", True),
        ("http://127.0.0.1:5000/#/runs", True),
        ("../../report.html", False),
        ("../.hidden/report.html", False),
        ("../a b/report.html", False),
        ("../first/other.html", False),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
    ],
)
def test_only_web_addresses_and_reports_beside_this_one_are_links(
    address: str, linked: bool
) -> None:
    assert ("<a href=" in str(render_prose(f"See [it]({address})."))) == linked
