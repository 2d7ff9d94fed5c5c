"""The page of a map is one file that says what the summary says, shows a map to move in, prints, and asks nobody for anything."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from tests.support.browsing import OVERFLOW, READ_TEXTS, visit
from tests.support.map_pages import make_scene, write_folder, write_relief, write_whole
from tuning.predict.page.write_page import write_page

SIZE = {"width": 1280, "height": 900}
PIXEL = 1e-5  # of a degree, about a metre
EVIL = "</script><img src=x onerror=\"document.title='broken'\">{{ 7*7 }}&amp;'"


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.predict.picture.quicklook.DPI", 60)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a map with all layers and columns, and all that a reader must know first."""
    facts = {
        "warning": "Not trusted: it failed its gate.",
        "differs_from_training": ["The scene is 730 km from the nearest train tiles, of noto."],
        "missing_tiles": {"hokkaido_7": "damaged"},
        "made_from": "synthetic",
        "placebo": {
            "false_alarms": 7,
            "alarms_per_km2": 0.123,
            "area_share": 0.0002,
            "mapped_km2": 57.0,
        },
    }
    folder = tmp_path_factory.mktemp("page") / "map"
    return write_whole(folder, make_scene(), **facts)


@pytest.fixture
def tab(browser: Browser, file: Path) -> Iterator[Tab]:
    """The page in a window of its own."""
    opened = browser.new_page(viewport=SIZE, reduced_motion="reduce")  # type: ignore[arg-type]
    opened.goto(file.as_uri())
    yield opened
    opened.close()


def read_summary(file: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((file.parent / "summary.json").read_text())
    return summary


def read_table(file: Path) -> gpd.GeoDataFrame:
    return gpd.read_file(file.parent / "landslides.gpkg", layer="landslides")


def open_plain(browser: Browser, file: Path) -> Tab:
    opened = browser.new_page(viewport=SIZE, java_script_enabled=False)  # type: ignore[arg-type]
    opened.goto(file.as_uri())
    return opened


def test_browser_requests_the_page_alone_and_complains_of_nothing(
    browser: Browser, file: Path
) -> None:
    _, complaints, requests = visit(browser, file)
    assert complaints == []
    assert requests == {file.as_uri()}


def test_the_page_s_policy_allows_its_own_scripts_alone(file: Path) -> None:
    text = file.read_text()
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" in text  # fmt: skip
    assert not re.findall(r"<(?:script|img|link)[^>]+(?:src|href)=\"(?!data:)", text)
    assert not re.findall(r"url\((?!#|data:)|@import", text)


def test_the_page_reads_whole_without_a_script(browser: Browser, file: Path) -> None:
    plain = open_plain(browser, file)
    text = plain.locator("body").inner_text()
    shown = {name: plain.locator(name).is_visible() for name in (".static img", "#map", ".legend")}
    alt = plain.locator(".static img").get_attribute("alt")
    plain.close()
    assert shown == {".static img": True, "#map": False, ".legend": False}
    assert alt
    assert alt.startswith("Map of the landslide probability. ")
    for part in (
        "Synthetic data. The scene is synthetic",
        "Not trusted: it failed its gate.",
        "Unlike the train tiles: The scene is 730 km",
        "1 tile is missing in the map: hokkaido_7.",
        "31 August 2018 (\N{MINUS SIGN}5.4 days); 6 September 2018 (+0.6 days)",
        "after the event of 5 September 2018, 18:08 UTC on a synthetic scene.",
        "7 objects on 57.00 km²",
    ):
        assert part in text
    assert text.index("Not trusted") < text.index("landslides with")


def test_numbers_are_those_of_the_summary(browser: Browser, file: Path) -> None:
    summary = read_summary(file)
    plain = open_plain(browser, file)
    facts = dict(
        zip(
            plain.locator(".facts dt").all_inner_texts(),
            plain.locator(".facts dd").all_inner_texts(),
            strict=True,
        )
    )
    lead = plain.locator(".lead").inner_text()
    plain.close()
    hectares, classes = summary["area_m2"] / 1e4, summary["by_confidence"]
    orbits = summary["terrain"]["orbits"]
    assert lead.startswith(f"{summary['landslides']} landslides with {hectares:,.2f} ha in total")
    assert facts == {
        "Landslide area": f"{hectares:,.2f} ha",
        "Landslides": f"{summary['landslides']}",
        "Their confidence": ", ".join(f"{classes[name]['landslides']} {name}" for name in classes),
        "Area mapped": f"{summary['mapped_km2']:.2f} km²",
        "Share of it that is landslide": f"{summary['area_share']:.1%}",
        "Scene without any data": f"{summary['coverage']['no data at all']:.1%}",
        "Scene with too few acquisitions": f"{summary['coverage']['too few acquisitions']:.1%}",
        **{
            f"Layover and shadow, {name}": f"{one['layover']:.1%} and {one['shadow']:.1%}"
            for name, one in zip(("ascending", "descending"), orbits.values(), strict=True)
        },
        "Seen by no orbit": f"{summary['terrain']['seen_by_neither']:.1%}",
        "False alarms to expect": "0.123 per km²",
        "Precision to expect": "0.61 (0.55 to 0.66)",
        "Recall to expect": "0.50",
        "Threshold": "probability 0.42",
    }


def test_the_table_lists_the_largest_landslides_with_places_to_copy(tab: Tab, file: Path) -> None:
    table = read_table(file)
    heads = tab.locator("#landslides thead th").all_inner_texts()
    assert heads == [
        *("number", "hectares", "mean probability", "slope, degrees", "confidence"),
        *("change seen by", "latitude, longitude"),
    ]
    rows = tab.locator("#landslides tbody tr").all()
    assert len(rows) == 20 < len(table)
    cells = [rows[1].locator("th, td").nth(at).inner_text() for at in range(7)]
    second = table.iloc[1]
    place = f"{second['lat']:.5f}, {second['lon']:.5f}"
    area, mean = f"{second['area_m2'] / 1e4:.2f}", f"{second['mean_probability']:.2f}"
    found = f"{second['slope_deg']:.0f}", second["confidence"], "both orbits"
    assert second["orbits_agree"] == "both"
    assert cells == ["2", area, mean, *found, place]


def test_a_number_in_the_table_shows_its_landslide_on_the_map(tab: Tab, file: Path) -> None:
    third = read_table(file).iloc[2]
    tab.locator("#landslides tbody th button").nth(2).click()
    popup = tab.locator(".leaflet-popup-content")
    names, values = (popup.locator(tag).all_inner_texts() for tag in ("dt", "dd"))
    assert popup.locator("strong").inner_text() == "Landslide 3"
    facts = dict(zip(names, values, strict=True))
    assert facts == {
        "hectares": f"{third['area_m2'] / 1e4:.2f}",
        "mean probability": f"{third['mean_probability']:.2f}",
        "highest probability": f"{third['max_probability']:.2f}",
        "slope, degrees": f"{third['slope_deg']:.0f}",
        "confidence": third["confidence"],
        "change seen by": "both orbits",
        "change ascending, dB": f"{third['change_s1asc_db']:+.1f}",
        "change descending, dB": f"{third['change_s1dsc_db']:+.1f}",
        "latitude, longitude": f"{third['lat']:.5f}, {third['lon']:.5f}",
    }
    assert tab.locator("#map").is_visible()
    tab.keyboard.press("Escape")
    assert popup.count() == 0


def test_a_click_on_a_landslide_opens_what_is_known_of_it(tab: Tab) -> None:
    popup = tab.locator(".leaflet-popup-content strong")
    tab.get_by_role("button", name="Whole map").click()
    tab.locator("#landslides tbody th button").first.click()
    tab.keyboard.press("Escape")
    box = tab.locator("#map").bounding_box()
    assert box
    tab.mouse.click(
        box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    )  # it is in the middle
    assert popup.inner_text() == "Landslide 1"


def test_a_finger_opens_a_landslide_and_reads_its_place(browser: Browser, file: Path) -> None:
    context = browser.new_context(
        viewport={"width": 400, "height": 800}, has_touch=True, reduced_motion="reduce"
    )
    opened = context.new_page()
    opened.goto(file.as_uri())
    opened.locator("#landslides tbody th button").first.tap()
    opened.keyboard.press("Escape")
    box = opened.locator("#map").bounding_box()
    assert box
    opened.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    head = opened.locator(".leaflet-popup-content strong").inner_text()
    text = opened.locator(".readout").inner_text()
    context.close()
    first = read_table(file).iloc[0]
    assert head == "Landslide 1"
    found = [float(number) for number in re.findall(r"-?\d+\.\d+", text)]
    assert found == pytest.approx([first["lat"], first["lon"]], abs=50 * PIXEL)


def test_without_its_data_the_page_keeps_the_picture(
    browser: Browser, file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "map.html"
    broken.write_text(file.read_text().replace('"levels":', '"lost":'))
    opened = browser.new_page()
    opened.goto(broken.as_uri())
    shown = opened.locator(".static img").is_visible()
    opened.close()
    assert shown


def test_the_pointer_s_coordinates_are_those_of_the_projection(tab: Tab, file: Path) -> None:
    with rasterio.open(file.parent / "mask.tif") as raster:
        (west, south, east, north), crs = raster.bounds, raster.crs
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    longitude, latitude = to_degrees.transform((west + east) / 2, (south + north) / 2)
    text = tab.locator(".readout").inner_text()
    assert text.startswith("centre ")
    found = [float(number) for number in re.findall(r"-?\d+\.\d+", text)]
    assert found == pytest.approx([latitude, longitude], abs=3 * PIXEL)  # the middle, to a pixel
    tab.locator("#map").hover()
    assert re.match(r"pointer 42\.\d{5}, 141\.\d{5}", tab.locator(".readout").inner_text())


def test_layers_are_switched_and_keys_move_the_map(tab: Tab) -> None:
    count = "() => document.querySelectorAll('.leaflet-layer').length"
    assert tab.evaluate(count) == 3  # relief, probability, not mapped
    names = tab.locator(".leaflet-control-layers-overlays label").all_inner_texts()
    assert [name.strip() for name in names] == [
        *("Landslide probability", "Not mapped"),
        *("Change, ascending orbit", "Change, descending orbit", "Landslides"),
    ]
    tab.get_by_role("checkbox", name="Change, ascending orbit").check()
    assert tab.evaluate(count) == 4
    tab.get_by_role("checkbox", name="Landslide probability").uncheck()
    assert tab.evaluate(count) == 3
    before = tab.locator(".readout").inner_text()
    tab.locator("#map").focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("text => document.querySelector('.readout').textContent !== text", arg=before)  # fmt: skip
    wide = tab.locator(".leaflet-control-scale-line").inner_text()
    tab.keyboard.press("+")
    tab.wait_for_function("text => document.querySelector('.leaflet-control-scale-line').textContent !== text", arg=wide)  # fmt: skip


def test_tiles_show_the_pixels_at_their_place(tab: Tab, file: Path) -> None:
    """A landslide's pixels are coloured, the scene's corner without data is hatched, whatever the zoom."""
    read = """async () => {
      const data = JSON.parse(document.getElementById("map-data").textContent);
      const found = {};
      for (const layer of data.layers.filter(one => ["probability", "nodata"].includes(one.key))) {
        for (const [place, number] of Object.entries(layer.tiles)) {
          const image = new Image();
          image.src = `data:image/webp;base64,${data.images[number]}`;
          await image.decode();
          const canvas = Object.assign(document.createElement("canvas"), {width: 256, height: 256});
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const rgba = context.getImageData(0, 0, 256, 256).data;
          found[`${layer.key} ${place}`] = Array.from({length: 65536}, (_, k) => +(rgba[4 * k + 3] > 0)).join("");
        }
      }
      return found;
    }"""
    found = tab.evaluate(read)
    with rasterio.open(file.parent / "probability.tif") as raster:
        probability = raster.read(1)
    finest = {"probability": probability >= 0.21, "nodata": np.isnan(probability)}
    assert {name.split()[1][0] for name in found} == {"0", "1"}
    for name, text in found.items():
        key, place = name.split()
        level, column, row = map(int, place.split("/"))
        seen = np.array(list(text), int).reshape(256, 256).astype(bool)
        wanted = finest[key]
        if level:  # a landslide of one pixel stays visible, a cell is no data if all of it is
            quads = wanted[:300, :400].reshape(150, 2, 200, 2)
            wanted = quads.any(axis=(1, 3)) if key == "probability" else quads.all(axis=(1, 3))
        part = wanted[256 * row : 256 * (row + 1), 256 * column : 256 * (column + 1)]
        np.testing.assert_array_equal(seen[: part.shape[0], : part.shape[1]], part)
        assert not seen[part.shape[0] :].any()
        assert not seen[:, part.shape[1] :].any()


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("script", [True, False])
def test_page_never_scrolls_sideways(
    browser: Browser, file: Path, width: int, script: bool
) -> None:
    opened = browser.new_page(java_script_enabled=script)
    opened.set_viewport_size({"width": width, "height": 800})
    opened.goto(file.as_uri())
    overflow = opened.evaluate(OVERFLOW) if script else 0
    if not script:  # the body is as wide as the window, and nothing in it is cut
        box = opened.locator("body").bounding_box()
        assert box
        assert box["width"] <= width
    opened.close()
    assert overflow <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_in_contrast_and_large_enough(tab: Tab, scheme: Any) -> None:
    tab.emulate_media(color_scheme=scheme)
    texts = [text for text in tab.evaluate(READ_TEXTS) if text["shown"]]
    assert len(texts) > 150
    assert [text for text in texts if text["contrast"] < 4.5] == []  # WCAG 2.2, AA
    assert [text for text in texts if text["size"] < 11] == []


@pytest.mark.parametrize("script", [True, False])
def test_the_page_prints_on_at_most_three_sheets_with_the_picture_and_no_controls(
    browser: Browser, file: Path, script: bool, tmp_path: Path
) -> None:
    opened = browser.new_page(java_script_enabled=script)
    opened.goto(file.as_uri())
    printed = opened.pdf(path=tmp_path / "map.pdf", prefer_css_page_size=True)
    opened.emulate_media(media="print")
    shown = {
        name: opened.locator(name).is_visible()
        for name in (".static img", "#map", ".legend", ".lead", ".cautions", "#landslides table")
    }
    text = opened.locator("body").inner_text()
    opened.close()
    assert 1 <= len(re.findall(rb"/Type /Page\b", printed)) <= 3
    boxes = set(re.findall(rb"/MediaBox \[([^\]]+)\]", printed))
    assert [round(float(side)) for box in boxes for side in box.split()] == [0, 0, 595, 842]  # A4
    assert re.search(rb"/Subtype /Image", printed)
    assert shown == dict.fromkeys(shown, True) | {"#map": False, ".legend": False}
    assert "Files beside this page" not in text


def test_a_hostile_name_stays_text(browser: Browser, tmp_path: Path) -> None:
    facts = {"model": EVIL, "input": EVIL, "notes": [EVIL], "warning": EVIL, "event": EVIL}
    facts |= {"missing_tiles": {EVIL: EVIL}, "networks": [EVIL, EVIL]}
    page = write_whole(tmp_path / "map", make_scene(40, 50, 3), columns={"confidence": EVIL}, **facts)  # fmt: skip
    opened = browser.new_page()
    opened.goto(page.as_uri())
    opened.locator("#landslides tbody th button").first.click()
    assert EVIL in opened.locator(".leaflet-popup-content").inner_text()
    assert opened.title() == f"Landslide map by {EVIL} (version 3)"
    assert opened.locator("img[src=x]").count() == 0
    assert opened.locator("h1").inner_text() == opened.title()
    opened.close()
    _, complaints, requests = visit(browser, page)
    assert complaints == []
    assert requests == {page.as_uri()}


def test_a_map_without_landslide_says_what_that_does_not_mean(
    browser: Browser, tmp_path: Path
) -> None:
    remark = "No pixel reaches the threshold 0.42."
    summary, _ = write_folder(tmp_path / "map", np.full((40, 50), 0.1, np.float32))
    page = write_page(tmp_path / "map", summary, remarks=[remark])
    _, complaints, _ = visit(browser, page)
    assert complaints == []
    text = page.read_text()
    assert "No landslide was mapped in Eastern Iburi in Hokkaido in Japan after the event" in text
    assert "This does not say that there is none." in text
    assert f"<li>{remark}</li>" in text
    assert "<p>The map has no landslide.</p>" in text


def test_a_scene_without_heights_is_drawn_over_its_backscatter(
    browser: Browser, tmp_path: Path
) -> None:
    summary, _ = write_folder(tmp_path / "map", make_scene(40, 50, 3))
    decibels = np.random.default_rng(1).normal(-12, 3, (40, 50)).astype(np.float32)
    relief = write_relief(tmp_path / "relief", decibels)
    page = write_page(tmp_path / "map", summary, relief, heights=False)
    widths, complaints, _ = visit(browser, page)
    assert complaints == []
    assert widths.count(256) == 3  # backscatter, probability, no data
    assert '"key":"relief"' in page.read_text()


def test_a_folder_of_an_earlier_version_has_a_page_without_what_it_lacks(tmp_path: Path) -> None:
    probability = make_scene(40, 50, 3)
    summary, _ = write_folder(tmp_path / "map", probability)
    del summary["acquisitions_read"]
    (tmp_path / "map" / "coverage.tif").unlink()
    text = write_page(tmp_path / "map", summary).read_text()
    assert '"key":"nodata"' in text
    assert '"key":"relief"' not in text
    assert '"key":"change' not in text
    assert "acquisitions read" not in text
    assert "slope, degrees" not in text
    assert ">coverage.tif<" not in text
    assert ">probability.tif<" in text


def test_a_page_is_never_overwritten(tmp_path: Path) -> None:
    summary, _ = write_folder(tmp_path / "map", make_scene(40, 50, 3))
    page = write_page(tmp_path / "map", summary)
    before = page.read_bytes()
    with pytest.raises(FileExistsError, match=r"map\.html"):
        write_page(tmp_path / "map", summary)
    assert page.read_bytes() == before
