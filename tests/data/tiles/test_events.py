"""Every tile has the time of its own event."""

from pathlib import Path

import numpy as np
import pytest

from data.tiles import open_tile
from data.tiles.events import check_given_events, fill_events, parse_events, read_event_date
from tests.support.tile_files import EVENT, make_dataset, write

NAT = np.datetime64("NaT", "s")


def times(*days: str) -> np.ndarray:
    return np.array(days, "datetime64[s]")


def test_a_file_s_own_event_date_is_used() -> None:
    assert read_event_date("2023-05-16", "noto") == np.datetime64("2023-05-16T23:59:59")
    assert read_event_date("2023-05-02, 2023-05-16", "noto") == np.datetime64("2023-05-16T23:59:59")
    assert read_event_date("", "hokkaido") is None
    assert read_event_date("2018-13-45", "hokkaido") is None


def test_the_catalogue_adds_the_time_of_its_own_day_only() -> None:
    assert read_event_date("2018-09-05", "hokkaido") == EVENT
    assert read_event_date("2018-09-06", "hokkaido") == np.datetime64("2018-09-06T23:59:59")


def test_tiles_without_landslides_have_their_region_s_event() -> None:
    own = times("NaT", "2024-01-01", "2024-01-01", "2024-02-02", "NaT")
    found = fill_events(own, ["hokkaido", "noto", "noto", "noto", "noto"])
    assert (
        found.tolist()
        == times(str(EVENT), "2024-01-01", "2024-01-01", "2024-02-02", "2024-01-01").tolist()
    )


def test_given_times_replace_the_files() -> None:
    own, regions = times("2024-01-01", "2018-09-05"), ["noto", "hokkaido"]
    given = parse_events(["noto=2024-01-02T00:00"], ["hokkaido", "noto"])
    assert fill_events(own, regions, given).tolist() == times("2024-01-02", "2018-09-05").tolist()
    everywhere = parse_events(["2020-01-01T06:00"], ["hokkaido", "noto"])
    assert (
        fill_events(own, regions, everywhere).tolist() == times(*["2020-01-01T06:00"] * 2).tolist()
    )


@pytest.mark.parametrize("text", ["2017-12-31", "2018-03-01"])
def test_a_given_time_without_acquisitions_on_both_sides_is_refused(text: str) -> None:
    dates = np.array([["2018-01-01", "2018-02-01", "2018-03-01"]] * 2, "datetime64[s]")
    event = np.datetime64(text, "s")
    rule = r"acquisitions of noto \(2018-01-01 to 2018-03-01\), but got .* --event noto=TIME"
    for given in ({"": event}, {"noto": event}):
        with pytest.raises(ValueError, match=rule):
            check_given_events(given, dates, ["noto", "noto"])
    check_given_events({"chile": event, "noto": dates[0, 0]}, dates, ["noto", "noto"])


def test_a_region_without_any_event_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"no event_date in the 2 tiles of 'chile'.*--event chile="
    ):
        fill_events(times("NaT", "NaT"), ["chile", "chile"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chile=2020-01-01"], r"must name a region that is used \(hokkaido\), but got 'chile'"),
        (["2020-01-01", "2020-01-02"], r"once per region, but got '2020-01-02' again\. Keep"),
        (["hokkaido=soon"], "must look like 2018-09-05 or .* but got 'soon'"),
    ],
)
def test_wrong_events_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_events(words, ["hokkaido"])


def test_a_tile_of_any_region_has_its_own_event_and_crs(tmp_path: Path) -> None:
    dataset = make_dataset().assign_attrs(crs="EPSG:32719", event_date="2018-08-01")
    tile = open_tile(write(dataset, tmp_path, number=7, region="chile"))
    assert (tile.tile_id, tile.crs, tile.synthetic) == ("chile_7", "EPSG:32719", False)
    assert tile.event == np.datetime64("2018-08-01T23:59:59")
    assert [w.name for w in tile.warnings] == []
