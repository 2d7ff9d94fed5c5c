import random
from dataclasses import replace

import pytest

from data.splits import SHOTS, Split, event_split_name, list_folds, make_split, survey_catalogue
from data.splits.events import AREA_TILES
from data.splits.grid import find_touching
from data.tiles import TileSurvey
from data.tiles.catalogue import GRID_M
from data.tiles.paths import region_of
from tests.support.surveys import make_survey, place_tiles

Tiles = dict[str, TileSurvey]
REGIONS = {"china": 54, "hiroshima": 322, "usa_puertorico": 28}


@pytest.fixture(scope="module")
def tiles() -> Tiles:
    regions = [make_survey(region, count) for region, count in REGIONS.items()]
    return {**survey_catalogue(), **{tile: s for group in regions for tile, s in group.items()}}


@pytest.fixture(scope="module")
def hiroshima(tiles: Tiles) -> dict[int, Split]:
    """The split that tests on Hiroshima, by number of shots."""
    return {shots: make_split(event_split_name("hiroshima", shots), tiles) for shots in SHOTS}


def keep(tiles: Tiles, region: str) -> set[str]:
    return {tile for tile in tiles if region_of(tile) == region}


def test_fold_tests_on_one_region_alone(tiles: Tiles) -> None:
    for name in list_folds("events", [*REGIONS, "hokkaido"]):
        split, held_out = make_split(name, tiles), keep(tiles, name.removeprefix("events:"))
        assert set(split.test) < held_out
        assert held_out.isdisjoint([*split.train, *split.val])


def test_every_tile_is_in_one_part_or_the_buffer(tiles: Tiles, hiroshima: dict[int, Split]) -> None:
    for split in hiroshima.values():
        used = [*split.train, *split.val, *split.test, *split.buffer]
        assert sorted(used) == sorted(tiles)
        assert split.unused == split.missing == ()


def test_shots_join_train_and_change_nothing_else(
    tiles: Tiles, hiroshima: dict[int, Split]
) -> None:
    none = hiroshima[0]
    before: set[str] = set()
    for shots, split in hiroshima.items():
        added = set(split.train) - set(none.train)
        assert len(added) == shots
        assert before <= added <= keep(tiles, "hiroshima")
        assert set(split.train) == set(none.train) | added
        assert (split.val, split.test) == (none.val, none.test)
        before = added


def test_test_tiles_touch_no_labelled_tile(tiles: Tiles, hiroshima: dict[int, Split]) -> None:
    split = hiroshima[20]
    assert find_touching(split.test, [*split.train, *split.val], tiles) == []


def test_labelled_area_is_compact_and_like_its_region(
    tiles: Tiles, hiroshima: dict[int, Split]
) -> None:
    area = [tiles[t] for t in set(hiroshima[20].train) - set(hiroshima[0].train)]
    assert len(area) == AREA_TILES
    for side in ("west_m", "north_m"):
        values = [getattr(tile, side) for tile in area]
        assert max(values) - min(values) <= 7 * GRID_M
    region = [tiles[tile].annotated_px for tile in keep(tiles, "hiroshima")]
    ratio = sum(tile.annotated_px for tile in area) / 20 / (sum(region) / len(region))
    assert 1 / 1.5 < ratio < 1.5


def test_one_shot_has_landslides(tiles: Tiles, hiroshima: dict[int, Split]) -> None:
    (tile,) = set(hiroshima[1].train) - set(hiroshima[0].train)
    some = sorted(tiles[t].annotated_px for t in keep(tiles, "hiroshima") if tiles[t].annotated_px)
    assert tiles[tile].annotated_px >= some[len(some) // 2 - 1]


def test_labelled_area_is_a_quarter_of_a_small_region(tiles: Tiles) -> None:
    split = make_split("events:usa_puertorico/5", tiles)
    assert 28 // 2 <= len(split.test) + len(keep(tiles, "usa_puertorico") & set(split.buffer)) == 23


def test_val_is_a_block_of_each_training_region(tiles: Tiles, hiroshima: dict[int, Split]) -> None:
    for region in ("china", "hokkaido", "usa_puertorico"):
        group = keep(tiles, region)
        val = group & set(hiroshima[0].val)
        assert 0.1 < len(val) / len(group) < 0.25
        whole, part = ([tiles[t].annotated_px for t in ids] for ids in (group, val))
        assert 1 / 1.5 < sum(part) / len(part) / (sum(whole) / len(whole)) < 1.5


def test_events_do_not_depend_on_the_order_of_tiles(
    tiles: Tiles, hiroshima: dict[int, Split]
) -> None:
    ids = list(tiles)
    random.Random(0).shuffle(ids)  # noqa: S311 - any order
    assert make_split("events:hiroshima/5", {t: tiles[t] for t in ids}) == hiroshima[5]


def test_training_tile_beside_the_tested_region_is_buffer(tiles: Tiles) -> None:
    test = tiles[make_split("events:china", tiles).test[0]]
    moved = replace(tiles["hokkaido_579"], west_m=test.west_m, north_m=test.north_m, crs=test.crs)
    split = make_split("events:china", tiles | {"hokkaido_579": moved})
    assert "hokkaido_579" in split.buffer


def test_small_region_trains_alone(tiles: Tiles) -> None:
    few = place_tiles(*(f"noto_{number}" for number in range(5)))
    split = make_split("events:china", tiles | few)
    assert set(few) <= set(split.train)


def test_events_refuse_one_region() -> None:
    with pytest.raises(
        ValueError, match=r"'events:china' trains on some .* but got china alone\. Add"
    ):
        make_split("events:china", make_survey("china", 54))


def test_events_refuse_an_unknown_region(tiles: Tiles) -> None:
    rule = (
        r"Unknown region 'hokaido'\. Did you mean 'hokkaido'\? Available: china, hiroshima, hokkaido, usa_puertorico\. "
        r"Split 'events:hokaido' tests on a region of the data; add it with --region\."
    )
    with pytest.raises(ValueError, match=rule):
        make_split("events:hokaido", tiles)


def test_events_refuse_more_shots_than_the_labelled_area_has(tiles: Tiles) -> None:
    rule = (
        "'events:usa_puertorico/20' needs 20 labelled tiles, but the labelled area of its region has 7, at most a "
        r"quarter of its 28 tiles .* Take fewer shots or add tiles\."
    )
    with pytest.raises(ValueError, match=rule):
        make_split("events:usa_puertorico/20", tiles)


def test_events_refuse_a_tested_region_without_landslides(tiles: Tiles) -> None:
    bare = {t: replace(tiles[t], annotated_px=0) for t in keep(tiles, "china")}
    with pytest.raises(ValueError, match="needs landslides, but 0 of its 54 tiles have some"):
        make_split("events:china", tiles | bare)


def test_events_refuse_training_regions_without_val() -> None:
    few = place_tiles(*(f"noto_{number}" for number in range(5)))
    with pytest.raises(ValueError, match="no region besides china has 7 tiles, two of them with"):
        make_split("events:china", make_survey("china", 54) | few)
