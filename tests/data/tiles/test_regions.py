"""Regions are data: the catalogue, a user's choice, and times."""

import numpy as np
import pytest

from data.tiles.regions import choose_regions, format_regions, parse_time, read_regions
from tests.support.tile_files import EVENT


def test_hokkaido_s_event_is_the_earthquake() -> None:
    hokkaido = read_regions()["hokkaido"]
    assert (hokkaido.event, hokkaido.crs) == (EVENT, ("EPSG:32654",))


def test_every_inventory_has_a_name_a_place_and_a_source() -> None:
    for name, region in read_regions().items():
        assert name == region.name == name.lower()
        assert region.place
        assert region.source
        assert all(crs.startswith(("EPSG:326", "EPSG:327")) for crs in region.crs)


def test_a_day_means_its_end() -> None:
    assert parse_time("2023-05-16") == np.datetime64("2023-05-16T23:59:59")
    assert parse_time("2018-09-05T18:08Z") == EVENT


@pytest.mark.parametrize(
    "text", ["", "now", "2018", "2018-09", "2018-13-01", "05.09.2018", "2018-09-05T18:08+02:00"]
)
def test_a_time_that_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"must look like 2018-09-05 or 2018-09-05T18:08 \(UTC\), but"
    ):
        parse_time(text)


def test_regions_are_chosen_by_name_or_all() -> None:
    there = {"noto": 72, "hokkaido": 290, "italy": 1}
    assert choose_regions(["all"], there) == ("hokkaido", "italy", "noto")
    assert choose_regions(["noto", "italy", "noto"], there) == ("italy", "noto")


def test_an_unknown_region_is_refused_with_the_nearest_and_the_list() -> None:
    with pytest.raises(
        ValueError, match=r"Unknown region 'hokaido'\. Did you mean 'hokkaido'\?.*noto"
    ):
        choose_regions(["hokaido"], ["hokkaido", "noto"])


def test_a_known_region_is_shown_with_its_place() -> None:
    assert format_regions(["noto", "italy"]) == "italy (Emilia-Romagna in Italy), noto"
