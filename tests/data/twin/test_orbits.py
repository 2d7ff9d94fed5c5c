"""Dates include the passes around the event, never tell the label, and mix tracks or repeat images where a region does."""

from collections import Counter
from datetime import date

import numpy as np
import pytest

from data.tiles import ORBITS
from data.twin.orbits import Acquisition, describe_season, list_acquisitions
from data.twin.regions import HOKKAIDO, NOTO, REGIONS, TwinRegion


def draw(region: TwinRegion, orbit: str, tile: int) -> list[Acquisition]:
    rng = np.random.default_rng([tile, ORBITS.index(orbit)])
    return list_acquisitions(region.orbits[orbit], region.calendar, rng)


@pytest.mark.parametrize("orbit", ORBITS)
@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS.keys())
def test_dates_include_the_passes_around_the_event(region: TwinRegion, orbit: str) -> None:
    event = region.calendar.event
    for tile in range(40):
        found = draw(region, orbit, tile)
        days = [each.day for each in found]
        assert (len(days), days) == (15, sorted(days))
        assert event not in days
        for track in {each.track for each in found}:
            assert {
                (each.day - track.pass_date).days % 12 for each in found if each.track == track
            } == {0}
        # At most twelve days, the repeat of one satellite, on either side.
        assert event.toordinal() - max(d for d in days if d < event).toordinal() <= 12
        assert min(d for d in days if d > event).toordinal() - event.toordinal() <= 12


@pytest.mark.parametrize("orbit", ORBITS)
def test_all_tiles_of_hokkaido_have_the_same_dates(orbit: str) -> None:
    assert len({tuple(draw(HOKKAIDO, orbit, tile)) for tile in range(20)}) == 1


def test_dates_of_noto_vary_between_tiles() -> None:
    for orbit in ORBITS:
        assert len({tuple(draw(NOTO, orbit, tile)) for tile in range(40)}) >= 3


def test_stated_share_of_noto_s_descending_lists_mixes_two_tracks() -> None:
    counts = Counter(len({each.track for each in draw(NOTO, "s1dsc", n)}) for n in range(400))
    assert set(counts) == {1, 2}
    assert counts[2] / 400 == pytest.approx(NOTO.orbits["s1dsc"].mixed, abs=0.07)
    assert {len({each.track for each in draw(NOTO, "s1asc", n)}) for n in range(40)} == {1}


def test_stated_share_of_noto_s_lists_repeats_the_last_image() -> None:
    repeats = [15 - len(set(draw(NOTO, "s1asc", n))) for n in range(400)]
    assert set(repeats) == {0, 1, 2}
    assert np.mean(np.array(repeats) > 0) == pytest.approx(NOTO.calendar.repeated, abs=0.06)
    tile = repeats.index(2)
    found = draw(NOTO, "s1asc", tile)
    assert found[-3] == found[-2] == found[-1] != found[-4]


def test_seasons_are_the_region_s() -> None:
    winter, spring, summer = date(2019, 1, 15), date(2018, 4, 2), date(2018, 7, 20)
    hokkaido = [describe_season(day, HOKKAIDO.calendar) for day in (winter, spring, summer)]
    assert [round(season.frost) for season in hokkaido] == [1, 0, 0]
    assert [round(season.wet) for season in hokkaido] == [0, 1, 0]
    assert [round(season.leaf) for season in hokkaido] == [0, 0, 1]
    assert describe_season(winter, NOTO.calendar).frost <= NOTO.calendar.frozen < 1
    assert describe_season(date(2024, 2, 3), NOTO.calendar).wet == pytest.approx(1)
