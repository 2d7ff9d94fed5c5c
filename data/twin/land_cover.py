"""Land cover of the synthetic twin's tiles, made again from its seed; real tiles have none.

The files hold no land cover, as the real ones do not: it is made by the same code from the same seed as the tiles, so
it is theirs as long as the twin was written by this version of the code (the folder's name has a hash of it).
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from data.tiles import TILE_PX
from data.twin.noise import Noise, NoiseWindow
from data.twin.terrain import crop_halo, make_cover, make_terrain, read_sites
from data.twin.write_twin import check_request

COVER = ("conifers", "broadleaves", "field", "river", "sea", "house")
_MIXED = 0.5  # share of deciduous trees from which a forest counts as broadleaved


def read_cover(seed: int, tile_ids: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Make the land cover of some tiles of the twin again.

    Args:
        seed: The twin's, as in its ``twin.json``.
        tile_ids: Tiles, N of them, in any order.

    Returns:
        Class per pixel, shape ``(N, H, W)``, uint8, and the classes' names. Of what lies on one pixel
        the last name counts: a house stands in a field.

    Raises:
        ValueError: If the seed is none of the twin's, a tile is unknown, or there is none.
    """
    check_request(seed, "harmonized", tile_ids)
    read = partial(_read_tile, noise=Noise(seed))
    cover = np.empty((len(tile_ids), TILE_PX, TILE_PX), np.uint8)
    for place, tile_id in enumerate(tile_ids):
        cover[place] = read(tile_id)
    return cover, COVER


def _read_tile(tile_id: str, noise: Noise) -> np.ndarray:
    site = read_sites()[tile_id]
    window = NoiseWindow.around(site.column, site.row)
    cover = crop_halo(make_cover(window, make_terrain(window, noise), noise))
    broadleaves = cover.forest & (cover.deciduous >= _MIXED)
    layers = (cover.forest, broadleaves, cover.field, cover.river, cover.sea, cover.bright)
    classes = np.zeros(cover.sea.shape, np.uint8)
    for number, layer in enumerate(layers):
        classes[layer] = number
    return classes
