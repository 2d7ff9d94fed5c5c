import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from data.splits import survey_catalogue
from data.splits.grid import find_touching, group_by_region, make_grid
from data.tiles import TileSurvey
from data.tiles.catalogue import GRID_M, read_catalogue
from tests.support.surveys import make_survey


def put(
    tile_id: str, column: float, row: float, crs: str = "EPSG:32654", px: int = 0
) -> dict[str, TileSurvey]:
    at = {"west_m": column * GRID_M, "north_m": row * GRID_M}
    return {tile_id: TileSurvey(tile_id=tile_id, annotated_px=px, crs=crs, **at)}


def test_catalogue_survey_has_every_published_tile() -> None:
    tiles = survey_catalogue()
    assert sorted(tiles) == sorted(read_catalogue())
    assert len({(tile.west_m, tile.north_m) for tile in tiles.values()}) == 290
    assert {tile.crs for tile in tiles.values()} == {"EPSG:32654"}


@pytest.mark.parametrize(
    ("step", "by_corner", "by_edge"),
    [
        ((0, 1), True, True),
        ((1, 1), True, False),
        ((1, 0.5), True, True),  # a grid of another origin: half an edge
        ((0.5, 0.5), True, True),  # they overlap
        ((0, 0), True, True),
        ((2, 0), False, False),
        ((1, 1.1), False, False),
    ],
)
def test_tiles_touch_by_edge_corner_or_overlap(
    step: tuple[float, float], by_corner: bool, by_edge: bool
) -> None:
    tiles = put("china_1", 400, 3600) | put("china_2", 400 + step[0], 3600 - step[1])
    for pair in (["china_1", "china_2"], ["china_2", "china_1"]):
        assert bool(find_touching(pair[:1], pair[1:], tiles)) is by_corner
        assert bool(find_touching(pair[:1], pair[1:], tiles, corner=False)) is by_edge


def test_tile_does_not_touch_itself() -> None:
    tiles = put("china_1", 400, 3600) | put("china_2", 405, 3600)
    assert find_touching(tiles, tiles, tiles) == []


def test_same_numbers_in_two_zones_are_two_places() -> None:
    tiles = put("italy_1", 400, 3600) | put("italy_2", 400, 3600, "EPSG:32633")
    assert find_touching(["italy_1"], ["italy_2"], tiles) == []


def test_neighbours_in_two_zones_touch() -> None:
    """Around 12 degrees east, where UTM zones 32 and 33 meet, each tile has neighbours in the other zone."""
    tiles = make_survey("italy", 300, zones=2)
    zones = {crs: [t for t in tiles if tiles[t].crs == crs] for crs in ("EPSG:32632", "EPSG:32633")}
    assert all(zones.values())
    west, east = zones.values()
    assert find_touching(west, east, tiles)
    grid = make_grid(tiles.values())
    names = [tuple(grid.ids[i] for i in pair) for pair in grid.pairs]
    assert {a for a, b in names if a in west and b in east} == set(find_touching(west, east, tiles))


def test_regions_that_overlap_touch() -> None:
    tiles = put("kyrgyzstan1_1", 400, 3600) | put("kyrgyzstan2_1", 401, 3600)
    assert find_touching(["kyrgyzstan1_1"], ["kyrgyzstan2_1"], tiles) == ["kyrgyzstan1_1"]


def is_near(a: TileSurvey, b: TileSurvey) -> bool:
    return max(abs(a.west_m - b.west_m), abs(a.north_m - b.north_m)) <= GRID_M


def list_pairs(tiles: Iterable[TileSurvey]) -> set[tuple[str, str]]:
    pairs = itertools.permutations(tiles, 2)
    return {(a.tile_id, b.tile_id) for a, b in pairs if is_near(a, b)}


def test_grid_lists_every_pair_that_touches() -> None:
    tiles = make_survey("china", 54)
    grid = make_grid(tiles.values())
    assert {(grid.ids[i], grid.ids[j]) for i, j in grid.pairs} == list_pairs(tiles.values())
    mask = np.zeros(54, bool)
    mask[:10] = True
    belt = set(find_touching(grid.name(~mask), grid.name(mask), tiles))
    assert set(grid.name(grid.find_belt(mask))) == belt


def test_tiles_are_grouped_by_region() -> None:
    tiles = put("usa_puertorico_10", 400, 3600) | put("usa_puertorico_9", 401, 3600)
    groups = group_by_region(tiles | put("china_1", 400, 3600))
    assert {region: list(group) for region, group in groups.items()} == {
        "china": ["china_1"],
        "usa_puertorico": ["usa_puertorico_10", "usa_puertorico_9"],
    }
