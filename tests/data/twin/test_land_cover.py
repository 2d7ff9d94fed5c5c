"""The recomputed land cover is the one the twin's tiles were made with."""

import json
from pathlib import Path

import numpy as np
import pytest

from data.tiles import TILE_PX, list_tiles, open_tile, tile_path
from data.twin import MANIFEST, make_twin
from data.twin.land_cover import COVER, read_cover
from data.twin.noise import Noise
from data.twin.regions import read_sites
from data.twin.surface import make_surface

CONIFERS, BROADLEAVES, FIELD, RIVER, SEA, HOUSE = range(6)


@pytest.fixture(scope="module")
def maps(twin: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cover, heights and mean VV of the tiles of the tiny twin, each ``(N, H, W)``."""
    ids = list_tiles(twin)
    tiles = [open_tile(tile_path(twin, tile_id, "s1asc")) for tile_id in ids]
    cover, _ = read_cover(json.loads((twin / MANIFEST).read_text())["seed"], ids)
    vv = np.stack([tile.bands[:, 0].mean(axis=0) for tile in tiles])
    return cover, np.stack([tile.dem for tile in tiles]), vv


def test_every_pixel_has_a_named_class(twin: Path) -> None:
    ids = list_tiles(twin)[:2]
    cover, names = read_cover(2018, ids)
    assert names == COVER == ("conifers", "broadleaves", "field", "river", "sea", "house")
    assert (cover.shape, cover.dtype) == ((2, TILE_PX, TILE_PX), np.uint8)
    assert cover.max() < len(names)


def test_each_class_has_its_brightness(
    maps: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    cover, _, vv = maps
    mean = {number: vv[cover == number].mean() for number in np.unique(cover)}
    # set in data/twin/surface.py: forest -7.45, field -10.3, river -15.5 and house +2 dB, before blur and season
    assert mean[HOUSE] > mean[CONIFERS] + 4
    assert min(mean[CONIFERS], mean[BROADLEAVES]) > mean[FIELD] + 1
    assert mean[FIELD] > mean[RIVER] + 3


@pytest.mark.parametrize("tile_id", ["hokkaido_94", "hokkaido_117"])
def test_cover_is_that_of_the_tile_s_surface(tile_id: str) -> None:
    scene = make_surface(read_sites()[tile_id], Noise(2018)).cover
    cover = read_cover(2018, [tile_id])[0][0]
    assert np.array_equal(cover == HOUSE, scene.bright)
    assert np.array_equal(
        (cover == SEA) | (cover == RIVER), (scene.sea | scene.river) & ~scene.bright
    )
    assert np.array_equal(cover == FIELD, scene.field & ~scene.bright)
    assert (scene.deciduous[cover == BROADLEAVES] >= 0.5).all()
    assert (scene.deciduous[cover == CONIFERS] < 0.5).all()


def test_cover_of_another_seed_does_not_fit_the_tiles(
    twin: Path, maps: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    cover, _, vv = maps
    other, _ = read_cover(1, list_tiles(twin))
    assert (other != cover).any()
    assert vv[other == RIVER].mean() > vv[cover == RIVER].mean() + 3


def test_sea_is_at_height_zero(tmp_path: Path) -> None:
    coast = "hokkaido_94"
    root = make_twin(tmp_path, tile_ids=[coast], progress=False)
    dem = open_tile(tile_path(root, coast, "s1asc")).dem
    sea = read_cover(2018, [coast])[0][0] == SEA
    assert sea.sum() > 1000
    assert (dem[sea] == 0).mean() > 0.95  # a cell of the height model on the coast is land and sea
    assert (dem[~sea] > 0).any()


def test_order_of_the_tiles_is_kept(twin: Path) -> None:
    first, second = list_tiles(twin)[:2]
    forth, back = read_cover(2018, [first, second])[0], read_cover(2018, [second, first])[0]
    assert np.array_equal(forth, back[::-1])
    assert not np.array_equal(forth[0], forth[1])


def test_unknown_tile_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got 'hokkaido_0'\. Did you mean 'hokkaido_"):
        read_cover(2018, ["hokkaido_0"])


def test_empty_list_and_wrong_seed_are_refused() -> None:
    with pytest.raises(ValueError, match="must have at least one tile, but got an empty list"):
        read_cover(2018, [])
    with pytest.raises(ValueError, match="from 0 to 4294967295, but got -1"):
        read_cover(-1, ["hokkaido_1006"])
