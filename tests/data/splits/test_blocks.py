import random
from dataclasses import replace

import pytest

from data.splits import PARTS, Split, make_split, survey_catalogue
from data.splits.grid import find_touching
from data.tiles import TileSurvey
from data.tiles.catalogue import GRID_M
from tests.support.surveys import INVENTORIES, list_ratios, make_survey, place_tiles

Tiles = dict[str, TileSurvey]
SHAPES = [*((region, count, 1, 1) for region, count in INVENTORIES.items()), ("italy", 700, 3, 2)]


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"{shape[0]}-{shape[1]}")
def tiles(request: pytest.FixtureRequest) -> Tiles:
    region, count, clusters, zones = request.param
    return make_survey(region, count, clusters=clusters, zones=zones)


@pytest.fixture(scope="module")
def split(tiles: Tiles) -> Split:
    return make_split("blocks", tiles)


def test_blocks_use_every_tile_once(tiles: Tiles, split: Split) -> None:
    assert sorted([*split.train, *split.val, *split.test]) == sorted(tiles)
    assert split.buffer == split.unused == split.missing == ()


def test_blocks_keep_test_from_train(tiles: Tiles, split: Split) -> None:
    assert find_touching(split.test, split.train, tiles) == []


def test_blocks_have_their_sizes(tiles: Tiles, split: Split) -> None:
    assert 0.23 < len(split.test) / len(tiles) < 0.31
    assert 0.08 <= len(split.val) / len(tiles) < 0.31
    assert len(split.train) / len(tiles) > 0.43


def test_blocks_balance_the_landslides(tiles: Tiles, split: Split) -> None:
    for ratio in list_ratios(split, tiles):
        assert 1 / 1.5 < ratio < 1.5


def test_blocks_do_not_depend_on_the_order_of_tiles(tiles: Tiles, split: Split) -> None:
    if len(tiles) > 400:
        return  # the same code, and quicker
    ids = list(tiles)
    random.Random(0).shuffle(ids)  # noqa: S311 - any order
    assert make_split("blocks", {tile: tiles[tile] for tile in ids}) == split


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["blocks", "blocks:3/2"])
def test_blocks_of_any_shape_keep_test_from_train(seed: int, name: str) -> None:
    tiles = make_survey("kyrgyzstan2", 90, seed=seed, clusters=1 + seed % 4, zones=1 + seed % 2)
    split = make_split(name, tiles)
    assert find_touching(split.test, split.train, tiles) == []
    assert sorted([*split.train, *split.val, *split.test]) == sorted(tiles)


def test_folds_of_a_region_test_every_tile_once() -> None:
    tiles = make_survey("indonesia", 120)
    splits = [make_split(f"blocks:4/{fold}", tiles) for fold in range(1, 5)]
    assert sorted(tile for split in splits for tile in split.test) == sorted(tiles)


def test_blocks_of_several_regions_are_those_of_each() -> None:
    groups = [make_survey("china", 54), make_survey("itogon", 82), dict(survey_catalogue())]
    joint = make_split("blocks", {k: v for group in groups for k, v in group.items()})
    alone = [make_split("blocks", group) for group in groups]
    for part in PARTS:
        assert joint.part(part) == tuple(sorted(t for split in alone for t in split.part(part)))


def test_train_tile_beside_another_region_s_test_tile_is_buffer() -> None:
    china = make_survey("china", 54)
    test = china[make_split("blocks", china).test[0]]
    other = make_survey("itogon", 82)
    train = make_split("blocks", other).train[0]
    other[train] = replace(other[train], west_m=test.west_m + GRID_M, north_m=test.north_m)
    split = make_split("blocks", china | other)
    assert train in split.buffer
    assert find_touching(split.test, split.train, china | other) == []


def test_hokkaido_tiles_outside_the_list_are_used_and_never_test() -> None:
    tiles = dict(survey_catalogue())
    listed = make_split("blocks", tiles)
    free = {(t.west_m, t.north_m) for t in tiles.values()}
    beside = tiles[find_touching(listed.test, listed.val, tiles)[0]]
    steps = [
        (beside.west_m + x * GRID_M, beside.north_m + y * GRID_M)
        for x in (-1, 0, 1)
        for y in (-1, 1)
    ]
    west, north = next(at for at in steps if at not in free)
    tiles["hokkaido_7"] = replace(beside, tile_id="hokkaido_7", west_m=west, north_m=north)
    tiles["hokkaido_14"] = replace(beside, tile_id="hokkaido_14", west_m=west + 99 * GRID_M)
    split = make_split("blocks", tiles)
    assert split.val == tuple(sorted([*listed.val, "hokkaido_7"]))
    assert split.train == tuple(sorted([*listed.train, "hokkaido_14"]))
    assert split.test == listed.test


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (1, r"none in train and val and test for region china \(tiles: 1, with landslides: 1\)"),
        (2, r"got none in (train|val) for region china \(tiles: 2, with landslides: 2\)"),
    ],
)
def test_blocks_refuse_too_few_tiles(count: int, message: str) -> None:
    tiles = place_tiles(*(f"china_{number}" for number in range(count)))
    with pytest.raises(ValueError, match=message):
        make_split("blocks", tiles)


@pytest.mark.parametrize("name", ["blocks", "blocks:2/1"])
def test_blocks_refuse_too_few_landslides(name: str) -> None:
    tiles = make_survey("china", 30)
    some = set(list(tiles)[:2])
    tiles = {t: tile if t in some else replace(tile, annotated_px=0) for t, tile in tiles.items()}
    slides = sum(tile.annotated_px > 0 for tile in tiles.values())
    rule = rf"\(tiles: 30, with landslides: {slides}\)\. Add tiles .* leave it out \(--region\)"
    with pytest.raises(ValueError, match=rule):
        make_split(name, tiles)


def test_blocks_work_from_six_tiles() -> None:
    tiles = place_tiles(*(f"china_{number}" for number in range(6)))
    split = make_split("blocks", tiles)
    assert [len(split.part(part)) for part in PARTS] == [3, 1, 2]
