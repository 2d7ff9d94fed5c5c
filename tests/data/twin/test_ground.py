"""The recomputed ground is the one the twin's tiles were made with."""

import numpy as np
import pytest

from data.tiles import TILE_PX
from data.twin.ground import read_ground
from data.twin.noise import Noise
from data.twin.regions import read_sites
from data.twin.surface import make_surface

SLID = ("hokkaido_507", "noto_2")  # one tile of either region, with landslides
EMPTY = "hokkaido_94"


@pytest.mark.parametrize("tile_id", SLID)
def test_ground_is_that_of_the_tile_s_surface(tile_id: str) -> None:
    slides = make_surface(read_sites()[tile_id], Noise(7)).slides
    ground = read_ground(7, [tile_id])
    assert (ground.shape, ground.dtype) == ((1, TILE_PX, TILE_PX), np.uint8)
    assert np.array_equal(ground[0] == 1, slides.changed >= 0)


@pytest.mark.parametrize("tile_id", SLID)
def test_labels_overlap_the_ground_and_differ_from_it(tile_id: str) -> None:
    label = make_surface(read_sites()[tile_id], Noise(7)).slides.mask
    ground = read_ground(7, [tile_id])[0] == 1
    both = (label & ground).sum()
    assert 0.5 < 2 * both / (label.sum() + ground.sum()) < 0.95
    assert (ground & ~label).sum() > (label & ~ground).sum()  # undrawn landslides


def test_a_tile_without_labels_has_no_landslides() -> None:
    assert read_sites()[EMPTY].annotated_px == 0
    assert not read_ground(7, [EMPTY]).any()


def test_order_of_the_tiles_is_kept_and_the_seed_counts() -> None:
    forth = read_ground(7, SLID)
    assert np.array_equal(forth, read_ground(7, SLID[::-1])[::-1])
    assert not np.array_equal(forth[0], forth[1])
    assert not np.array_equal(forth, read_ground(8, SLID))


def test_unknown_tile_wrong_seed_and_empty_list_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got 'hokkaido_0'\. Did you mean 'hokkaido_"):
        read_ground(7, ["hokkaido_0"])
    with pytest.raises(ValueError, match="from 0 to 4294967295, but got -1"):
        read_ground(-1, SLID)
    with pytest.raises(ValueError, match="must have at least one tile, but got an empty list"):
        read_ground(7, [])
