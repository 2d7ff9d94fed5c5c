import pytest

from data.splits import PARTS, list_folds, make_split, survey_catalogue
from data.splits.grid import find_touching
from data.tiles import TileSurvey
from data.tiles.paths import region_of
from tests.support.surveys import make_survey
from tuning.settings.presets import pick_tiles

Tiles = dict[str, TileSurvey]


@pytest.fixture(scope="module")
def tiles() -> Tiles:
    regions = [make_survey("china", 54), make_survey("indonesia", 266), dict(survey_catalogue())]
    return {tile: survey for region in regions for tile, survey in region.items()}


def pick(split: str, per_part: int, tiles: Tiles) -> Tiles:
    return {tile: tiles[tile] for tile in pick_tiles(split, per_part, tiles) or ()}


@pytest.mark.parametrize(
    "name", ["blocks", "blocks:2/1", "events:hokkaido", "events:china/5", "events:indonesia/20"]
)
def test_picked_tiles_can_be_split_again(name: str, tiles: Tiles) -> None:
    picked = pick(name, 8, tiles)
    split = make_split(name, picked)
    assert find_touching(split.test, split.train, picked) == []
    for part in PARTS:
        assert any(tiles[tile].annotated_px for tile in split.part(part))


def test_picked_tiles_of_all_folds_can_be_split_again(tiles: Tiles) -> None:
    folds = list_folds("events/5", map(region_of, tiles))
    picked = {tile: survey for fold in folds for tile, survey in pick(fold, 8, tiles).items()}
    assert len(picked) < len(tiles) / 3
    tested = [make_split(fold, picked).test for fold in folds]
    assert len(tested) == 3
    assert all(tested)


def test_picked_tiles_are_of_every_region_and_part(tiles: Tiles) -> None:
    picked, split = pick("blocks", 4, tiles), make_split("blocks", tiles)
    for part in PARTS:
        for region in ("china", "hokkaido", "indonesia"):
            inside = {tile for tile in split.part(part) if region_of(tile) == region}
            assert len(inside & set(picked)) == min(4, len(inside))
