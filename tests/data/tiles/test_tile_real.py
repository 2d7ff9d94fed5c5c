"""What the real tile of the fixture holds, with values measured on it."""

import numpy as np
import pytest

from data.tiles import Tile, compare_tiles, hash_file, open_tile, tile_path
from tests.support.real_tiles import REAL_ID, REAL_TILES, read_hashes


def open_real(modality: str) -> Tile:
    return open_tile(tile_path(REAL_TILES, REAL_ID, modality))


def test_real_files_are_those_of_their_attribution() -> None:
    files = {path.relative_to(REAL_TILES).as_posix(): path for path in REAL_TILES.glob("*/*.nc")}
    assert {name: hash_file(path) for name, path in files.items()} == read_hashes()
    assert len(files) == 3


def test_the_real_tile_is_usable_and_its_one_finding_is_its_tracks() -> None:
    tiles = [open_real(modality) for modality in ("s1asc", "s1dsc", "s2")]
    assert compare_tiles(tiles) == ()
    assert [[w.name for w in tile.warnings] for tile in tiles] == [[], ["several-tracks"], []]
    for tile in tiles:
        assert (tile.crs, tile.synthetic, int(tile.mask.sum())) == ("EPSG:32632", False, 631)
        assert tile.event == np.datetime64("2023-05-16T23:59:59")


@pytest.mark.parametrize(
    ("orbit", "lowest", "highest"), [("s1asc", -49.69, 0.0), ("s1dsc", -50.0, 0.0)]
)
def test_real_backscatter_has_the_published_bounds(
    orbit: str, lowest: float, highest: float
) -> None:
    bands = open_real(orbit).bands
    assert (bands.min(), bands.max()) == pytest.approx((lowest, highest), abs=0.01)
    assert not np.isnan(bands).any()
