"""Passes: images grouped by satellite, track and time."""

from typing import Any

import numpy as np
import pystac
import pytest
from shapely.geometry import box

from data.search.acquisitions import Acquisition
from data.search.items import normalise_image
from data.search.passes import group_passes
from tests.support.stac_items import make_rtc_item

AREA = box(141.5, 42.5, 142.5, 43.5)
FRAME = (141, 42, 143, 43)
NEXT_FRAME = (141, 43, 143, 44)


def _group(*items: dict[str, Any]) -> tuple[list[Acquisition], list[str]]:
    read = (normalise_image(pystac.Item.from_dict(item), AREA) for item in items)
    return group_passes([item for item in read if item is not None], AREA)


def test_frames_of_a_pass_are_one_acquisition() -> None:
    passes, notes = _group(
        make_rtc_item("2018-09-06T08:35:35", NEXT_FRAME),
        make_rtc_item("2018-09-06T08:35:10", FRAME),
    )
    (one,) = passes
    assert one.time == np.datetime64("2018-09-06T08:35:10")
    assert (one.orbit, one.track, one.platform) == ("s1asc", 68, "sentinel-1a")
    assert [item.bbox for item in one.items] == [list(FRAME), list(NEXT_FRAME)]
    assert one.coverage == 1
    assert notes == []


def test_coverage_is_the_share_of_the_area_that_footprints_cover_together() -> None:
    (one,), _ = _group(
        make_rtc_item("2018-09-06T08:35:10", FRAME),
        make_rtc_item("2018-09-06T08:35:35", (141, 42.9, 142, 44)),
    )
    assert one.coverage == pytest.approx(0.75)


def test_tracks_satellites_directions_and_days_are_passes_of_their_own() -> None:
    passes, _ = _group(
        make_rtc_item("2018-09-06T08:35:10", FRAME),
        make_rtc_item("2018-09-06T08:38:10", FRAME, satellite="B"),
        make_rtc_item("2018-09-06T08:36:10", FRAME, track=141),
        make_rtc_item("2018-09-06T20:42:10", FRAME, track=46, direction="descending"),
        make_rtc_item("2018-09-18T08:35:10", FRAME),
        make_rtc_item("2018-09-18T08:50:10", FRAME),  # too late for a frame of the same pass
    )
    assert [(one.track, one.platform[-1], one.orbit) for one in passes] == [
        (68, "a", "s1asc"),
        (141, "a", "s1asc"),
        (68, "b", "s1asc"),
        (46, "a", "s1dsc"),
        (68, "a", "s1asc"),
        (68, "a", "s1asc"),
    ]


def test_image_without_vh_is_left_out_and_named() -> None:
    whole = make_rtc_item("2018-09-06T08:35:10", FRAME)
    single = make_rtc_item("2018-09-06T08:35:35", NEXT_FRAME, polarisations=["vv"])
    passes, notes = _group(whole, single)
    assert [item.id for item in passes[0].items] == [whole["id"]]
    assert notes == [f"1 image is left out, lacking VH: {single['id']}."]


def test_frame_that_was_processed_twice_is_taken_once_the_newest() -> None:
    old = make_rtc_item("2018-09-06T08:35:10", FRAME, created="2018-09-07T00:00:00Z")
    new = make_rtc_item("2018-09-06T08:35:11", FRAME, created="2021-01-01T00:00:00Z")
    for items in ((old, new), (new, old)):
        (one,), notes = _group(*items)
        assert [item.id for item in one.items] == [new["id"]]
        assert notes == [f"1 image is left out, processed again later: {old['id']}."]


def test_bursts_of_the_same_second_are_not_taken_for_one_another() -> None:
    (one,), notes = _group(
        make_rtc_item("2018-09-06T08:35:10", (141, 42, 142, 44)),
        make_rtc_item("2018-09-06T08:35:11", (141.9, 42, 143, 44)),
    )
    assert len(one.items) == 2
    assert notes == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "image", "datetime": None, "start_datetime": None}, "unknown time"),
        ({"id": "image", "platform": None}, "unknown satellite"),
        (
            {"id": "image", "sat__relative_orbit": None, "sat__absolute_orbit": None},
            "unknown track",
        ),
        ({"id": "S1A_IW_GRDH_1SDV_20180906T083510", "collection": "sentinel-1-grd"}, "GRD or SLC"),
    ],
)
def test_image_that_lacks_what_a_pass_needs_is_left_out_with_the_reason(
    change: dict[str, Any], reason: str
) -> None:
    item = make_rtc_item(
        "2018-09-06T08:35:10",
        FRAME,
        **{key: value for key, value in change.items() if key not in ("id", "collection")},
    )
    item |= {key: change[key] for key in ("id", "collection") if key in change}
    for asset in item["assets"].values():
        asset["href"] = "https://example.org/image.tif"  # without a product's name
    if "datetime" in change:
        item["properties"] |= {"datetime": None, "start_datetime": "soon", "end_datetime": "later"}
    passes, notes = _group(item)
    assert passes == []
    assert len(notes) == 1
    assert notes[0].startswith("1 image is left out, ")
    assert reason in notes[0]


def test_pass_beside_the_area_is_no_acquisition() -> None:
    passes, _ = _group(make_rtc_item("2018-09-06T08:35:10", (141, 42, 142.5, 42.5001)))
    assert passes == []
