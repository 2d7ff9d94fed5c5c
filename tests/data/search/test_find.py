"""The search around an event: which track and acquisitions are taken, and what is said of those that are missing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pystac
import pytest
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from data.search.acquisitions import Found
from data.search.connection import SourceError
from data.search.find import NoAcquisitionsError, find_acquisitions
from data.search.items import normalise_heights, normalise_image
from tests.support.stac_items import make_heights_item, make_rtc_item

AREA = box(141.5, 42.5, 142.5, 43.5)
WHOLE, HALF = (141, 42, 143, 44), (141, 42, 142, 44)
EVENT = datetime(2018, 9, 5, 18, 7)
NOW = np.datetime64("2019-06-01")


class ListedSource:
    """A catalogue of given items, which writes down what it was asked for."""

    word, address = "listed", "https://example.org"

    def __init__(self, *items: dict[str, Any], heights: Any = ()) -> None:
        self.items = [pystac.Item.from_dict(item) for item in items]
        self.heights = heights
        self.windows: list[tuple[datetime, datetime]] = []

    def search(self, area: BaseGeometry, start: datetime, end: datetime) -> Iterator[pystac.Item]:
        self.windows.append((start, end))
        for item in self.items:
            found = normalise_image(item, area)
            if found is not None and item.datetime is not None and start <= item.datetime <= end:
                yield found

    def search_heights(self, area: BaseGeometry) -> Iterator[pystac.Item]:
        if isinstance(self.heights, Exception):
            raise self.heights
        for one in self.heights:
            found = normalise_heights(pystac.Item.from_dict(one), area)
            if found is not None:
                yield found

    def sign(self, href: str) -> str:
        return href

    def environment(self, href: str = "") -> dict[str, str]:
        return {}


def _passes(*days: int, footprint: Any = WHOLE, **options: Any) -> list[dict[str, Any]]:
    """Return passes some days after the event's, ascending at 8:35 UTC, descending at 20:42."""
    hour = {"descending": (20, 42)}.get(options.get("direction", ""), (8, 35))
    first = EVENT.replace(hour=hour[0], minute=hour[1])
    times = [(first + timedelta(days=day)).isoformat() for day in days]
    return [make_rtc_item(time, footprint, **options) for time in times]


def _find(source: ListedSource, before: int = 2, after: int = 2, now: Any = NOW) -> Found:
    return find_acquisitions(
        source, AREA, np.datetime64(EVENT), before=before, after=after, now=now
    )


def _days(found: Found, orbit: str = "s1asc") -> list[int]:
    event = np.datetime64(EVENT, "D")
    return [
        int((one.time.astype("M8[D]") - event) / np.timedelta64(1, "D"))
        for one in found.acquisitions[orbit]
    ]


def test_acquisitions_nearest_to_the_event_are_taken_on_each_side() -> None:
    source = ListedSource(*_passes(-24, -12, 0, 12, 24, 36), heights=[make_heights_item(42, 141)])
    found = _find(source)
    assert _days(found) == [-12, 0, 12, 24]
    assert [sorted(item.assets) for item in found.heights] == [["DEM"]]
    assert (found.source, found.address) == ("listed", "https://example.org")
    assert found.notes == (
        "Ascending: track 68 with 2 acquisitions before and 2 after the event, which cover 100 % of the area.",
        "Descending: there are no acquisitions of this orbit direction.",
    )


def test_acquisition_at_the_time_of_the_event_is_before_it() -> None:
    times = [(EVENT + timedelta(days=day)).isoformat() for day in (-12, 0, 12)]
    source = ListedSource(*(make_rtc_item(time, WHOLE) for time in times))
    assert _days(_find(source, 2, 1)) == [-12, 0, 12]


def test_each_orbit_direction_has_its_own_track() -> None:
    source = ListedSource(
        *_passes(-12, 0, 12, 24),
        *_passes(-13, -1, 11, 23, track=46, direction="descending"),
    )
    found = _find(source)
    assert list(found.acquisitions) == ["s1asc", "s1dsc"]
    assert {one.track for one in found.acquisitions["s1dsc"]} == {46}
    assert _days(found, "s1dsc") == [-13, -1, 11, 23]


def test_track_with_the_best_coverage_on_both_sides_is_taken() -> None:
    source = ListedSource(
        *_passes(-12, 0, 12, 24, footprint=HALF),
        *_passes(-17, -5, 7, 19, track=141),
    )
    found = _find(source)
    assert {one.track for one in found.acquisitions["s1asc"]} == {141}
    assert "Ascending: track 141 " in found.notes[0]
    assert "100 % of the area (track 68 50 %)" in found.notes[0]


def test_track_without_one_side_is_not_taken_however_much_it_covers() -> None:
    source = ListedSource(*_passes(-17, -5, track=141), *_passes(-12, 0, 12, 24, footprint=HALF))
    found = _find(source)
    assert {one.track for one in found.acquisitions["s1asc"]} == {68}
    assert any("only a part of the area is seen on 2018-08-24 50 %" in note for note in found.notes)


def test_pass_that_sees_a_sliver_gives_way_to_whole_ones() -> None:
    sliver = (141, 42, 141.6, 44)
    source = ListedSource(*_passes(-24, -12), *_passes(0, footprint=sliver), *_passes(12, 24))
    assert _days(_find(source)) == [-24, -12, 12, 24]


def test_window_is_widened_once_where_passes_are_missing() -> None:
    source = ListedSource(*_passes(-48, 0, 12, 24))
    assert _days(_find(source)) == [-48, 0, 12, 24]
    starts = [(start.replace(tzinfo=None) - EVENT).days for start, _ in source.windows]
    assert starts[:2] == [-30, -90]  # 24 days and 6 of slack, then three times as much
    assert len(source.windows) == 3  # the second time only what was not searched


def test_window_is_not_widened_where_enough_was_found() -> None:
    source = ListedSource(
        *_passes(-12, 0, 12, 24), *_passes(-13, -1, 11, 23, track=46, direction="descending")
    )
    _find(source)
    assert len(source.windows) == 1


def test_window_never_reaches_into_the_future() -> None:
    source = ListedSource(*_passes(-12, 0, 12))
    now = np.datetime64(EVENT) + np.timedelta64(13, "D")
    _find(source, now=now)
    assert max(end for _, end in source.windows).replace(tzinfo=None) == EVENT + timedelta(days=13)


def test_too_few_after_the_event_are_found_with_the_next_pass() -> None:
    now = np.datetime64(EVENT) + np.timedelta64(13, "D")
    found = _find(ListedSource(*_passes(-24, -12, 0, 12)), before=2, after=4, now=now)
    assert _days(found) == [-12, 0, 12]
    assert (
        "Ascending: there is 1 acquisition after the event, where 4 were asked for. The next pass is due about 2018-09-29. "
        "It can be mapped now with a network that learnt from as few: by default from 1 or more."
    ) in found.notes


def test_next_pass_comes_after_six_days_where_two_satellites_were_found() -> None:
    items = [*_passes(-24, -12, 0), *_passes(-18, -6, 6, satellite="B")]
    now = np.datetime64(EVENT) + np.timedelta64(7, "D")
    found = _find(ListedSource(*items), before=2, after=2, now=now)
    assert any("The next pass is due about 2018-09-17" in note for note in found.notes)


def test_overdue_pass_is_called_so() -> None:
    now = np.datetime64(EVENT) + np.timedelta64(40, "D")
    found = _find(ListedSource(*_passes(-12, 0, 12)), now=now)
    assert any("The next pass was due about 2018-09-29;" in note for note in found.notes)


def test_too_few_before_the_event_are_found_with_a_note() -> None:
    found = _find(ListedSource(*_passes(0, 12, 24)), before=3)
    assert _days(found) == [0, 12, 24]
    assert any(
        "there is 1 acquisition before the event, where 3 were asked for" in note
        for note in found.notes
    )


def test_direction_without_acquisitions_after_the_event_is_left_out_with_a_note() -> None:
    now = np.datetime64(EVENT) + np.timedelta64(13, "D")
    source = ListedSource(*_passes(-12, 0, 12), *_passes(-13, -1, track=46, direction="descending"))
    found = _find(source, after=1, now=now)
    assert list(found.acquisitions) == ["s1asc"]
    (note,) = [note for note in found.notes if note.startswith("Descending")]
    assert "cannot be mapped, since there are no acquisitions after the event" in note
    assert (
        "2 acquisitions of track 46 on the other side (2018-08-23 100 %, 2018-09-04 100 %)" in note
    )


def test_event_without_an_acquisition_after_it_is_an_error_with_the_next_pass() -> None:
    now = np.datetime64(EVENT) + np.timedelta64(2, "D")
    with pytest.raises(NoAcquisitionsError) as caught:
        _find(ListedSource(*_passes(-24, -12, 0)), now=now)
    text = str(caught.value)
    assert "cannot be mapped yet: there must be acquisitions before and after the event" in text
    assert "no acquisitions after the event; there are 2 acquisitions of track 68" in text
    assert "The next pass is due about 2018-09-17. " in text
    assert text.endswith(
        "Run the command again after the next pass, or take another --source: some have images sooner."
    )


def test_event_without_an_acquisition_before_it_is_an_error() -> None:
    with pytest.raises(
        NoAcquisitionsError, match=r"no acquisitions before the event.*Take another --source"
    ):
        _find(ListedSource(*_passes(12, 24)))


def test_place_without_acquisitions_is_an_error_with_a_remedy() -> None:
    source = ListedSource(*_passes(0, 12, polarisations=["vv"]))
    with pytest.raises(
        NoAcquisitionsError,
        match=r"none from 2018-06-07 to 2018-12-04 that can be used\. 2 images are left out, lacking VH: .*Check the order",
    ):
        _find(source)


def test_event_in_the_future_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"The event must lie in the past, but got 2018-09-05 18:07 UTC, when it is 2018-09-01 00:00 UTC now in --event",
    ):
        _find(ListedSource(), now=np.datetime64("2018-09-01"))


def test_event_before_sentinel_1_is_refused() -> None:
    with pytest.raises(
        ValueError, match="after Sentinel-1's first image of 2014-10-03, but got 2008-05-12"
    ):
        find_acquisitions(
            ListedSource(), AREA, np.datetime64("2008-05-12"), before=1, after=1, now=NOW
        )


@pytest.mark.parametrize(("before", "after", "name"), [(0, 1, "--before"), (1, 0, "--after")])
def test_both_sides_are_wanted(before: int, after: int, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be 1 or more, but got 0 in {name}"):
        _find(ListedSource(), before, after)


@pytest.mark.parametrize(
    ("heights", "note"),
    [
        ((), "There are no heights in https://example.org: "),
        (SourceError("The catalogue is away."), "There are no heights: The catalogue is away."),
    ],
)
def test_search_goes_on_without_heights(heights: Any, note: str) -> None:
    found = _find(ListedSource(*_passes(-12, 0, 12, 24), heights=heights))
    assert found.heights == ()
    assert found.notes[-1].startswith(note)


@pytest.mark.parametrize("synthetic", [True, False])
def test_simulated_images_are_called_so(synthetic: bool) -> None:
    items = _passes(-12, 0, 12, 24, synthetic=synthetic or None)
    assert _find(ListedSource(*items)).synthetic is synthetic
