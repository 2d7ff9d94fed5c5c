"""Normalised items: what a catalogue says, what its names say, and what is missing."""

from typing import Any

import pystac
import pytest
from shapely.geometry import box

from data.search.items import (
    find_problem,
    is_heights,
    normalise_heights,
    normalise_image,
    start_of,
)
from tests.support.stac_items import make_heights_item, make_rtc_item

AREA = box(141.5, 42.5, 142.5, 43.5)
FRAME = (141, 42, 143, 43)


def _read(item: dict[str, Any]) -> pystac.Item:
    found = normalise_image(pystac.Item.from_dict(item), AREA)
    assert found is not None
    return found


def _make(**options: Any) -> dict[str, Any]:
    return make_rtc_item("2018-09-06T08:35:10", FRAME, **options)


def test_item_of_planetary_computer_has_all_that_a_pass_needs() -> None:
    item = _read(_make(proj__epsg=32654))
    assert find_problem(item) is None
    assert sorted(item.assets) == ["VH", "VV"]
    assert f"{start_of(item):%Y-%m-%d %H:%M:%S}" == "2018-09-06 08:35:10"
    assert item.properties["proj:code"] == "EPSG:32654"  # and what else it says
    assert item.assets["VV"].extra_fields["raster:bands"][0]["nodata"] == -32768


@pytest.mark.parametrize("keys", [("VV", "VH"), ("Vv", "vH")])
def test_assets_are_found_in_any_case(keys: tuple[str, str]) -> None:
    assert sorted(_read(_make(polarisations=keys)).assets) == ["VH", "VV"]


def test_what_the_catalogue_does_not_say_is_taken_from_the_name_and_the_local_time() -> None:
    missing = ("platform", "sat__orbit_state", "sat__relative_orbit", "sat__absolute_orbit")
    item = _read(_make(**dict.fromkeys(missing)))
    assert find_problem(item) is None
    assert item.properties["platform"] == "sentinel-1a"
    assert item.properties["sat:relative_orbit"] == 68
    assert item.properties["sat:orbit_state"] == "ascending"


def test_name_is_also_found_in_the_addresses_of_the_assets() -> None:
    item = _read({**_make(platform=None, sat__relative_orbit=None), "id": "a-uuid"})
    assert (item.properties["platform"], item.properties["sat:relative_orbit"]) == (
        "sentinel-1a",
        68,
    )


def test_track_follows_from_the_absolute_orbit_where_no_name_says_it() -> None:
    hrefs = {word: f"https://example.org/{word}.tif" for word in ("vv", "vh")}
    item = _read({**_make(sat__relative_orbit=None, hrefs=hrefs), "id": "a-uuid"})
    assert item.properties["sat:relative_orbit"] == 68


@pytest.mark.parametrize("track", [0, 176, "68", 6.8, None])
def test_impossible_track_is_none(track: object) -> None:
    hrefs = {word: f"https://example.org/{word}.tif" for word in ("vv", "vh")}
    item = _make(hrefs=hrefs, sat__absolute_orbit=None)
    item["id"], item["properties"]["sat:relative_orbit"] = "a-uuid", track
    assert find_problem(_read(item)) == "of an unknown track"


def test_item_without_a_footprint_takes_its_bounds() -> None:
    item = _make()
    item["geometry"] = None
    assert _read(item).bbox == [141, 42, 143, 43]


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Polygon", "coordinates": []},
        {"type": "Circle", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": [[["a", "b"], [1, 2], [3, 4], ["a", "b"]]]},
    ],
)
def test_footprint_that_cannot_be_read_is_none(geometry: dict[str, Any]) -> None:
    item = _make()
    item["geometry"] = geometry
    found = normalise_image(pystac.Item.from_dict(item), AREA)
    assert found is None or find_problem(found) == "without a footprint"


def test_image_beside_the_area_is_none() -> None:
    item = pystac.Item.from_dict(make_rtc_item("2018-09-06T08:35:10", (145, 42, 147, 43)))
    assert normalise_image(item, AREA) is None


def test_relative_address_is_one_beside_the_item() -> None:
    item = pystac.Item.from_dict(_make(hrefs={"vv": "./vv.tif", "vh": "../vh.tif"}))
    item.set_self_href("https://example.org/items/one/item.json")
    found = normalise_image(item, AREA)
    assert found is not None
    assert found.assets["VV"].href == "https://example.org/items/one/vv.tif"
    assert found.assets["VH"].href == "https://example.org/items/vh.tif"


@pytest.mark.parametrize("kind", ["GRD", "SLC"])
def test_image_that_is_not_terrain_corrected_is_a_problem(kind: str) -> None:
    item = {**_make(sar__product_type=kind), "id": "image", "collection": "sentinel-1"}
    assert find_problem(_read(item)) == "not terrain-corrected (GRD or SLC)"


def test_given_item_is_unchanged() -> None:
    item = pystac.Item.from_dict(_make())
    before = item.to_dict()
    normalise_image(item, AREA)
    assert item.to_dict() == before


def test_heights_have_one_asset() -> None:
    item = pystac.Item.from_dict(make_heights_item(42, 141))
    found = normalise_heights(item, AREA)
    assert found is not None
    assert list(found.assets) == ["DEM"]
    assert is_heights(item)
    assert not is_heights(pystac.Item.from_dict(_make()))


def test_heights_beside_the_area_or_without_an_asset_are_none() -> None:
    item = make_heights_item(50, 141)
    assert normalise_heights(pystac.Item.from_dict(item), AREA) is None
    item = {**make_heights_item(42, 141), "assets": {}}
    assert normalise_heights(pystac.Item.from_dict(item), AREA) is None
