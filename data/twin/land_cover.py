"""Land cover of the synthetic twin's tiles, recomputed from its seed.

Like the real files, the twin's files hold no land cover. The same code and seed give the cover that the tiles were made
with, provided that this version of the code wrote the twin (its folder's name contains a hash of the code).
"""

from collections.abc import Sequence

import numpy as np

from data.twin.noise import Noise, NoiseWindow
from data.twin.regions import REGIONS, read_sites
from data.twin.terrain import crop_halo, make_cover, make_terrain
from data.twin.write_twin import select_sites

COVER = ("conifers", "broadleaves", "field", "river", "sea", "house")
_MIN_DECIDUOUS = 0.5  # share of deciduous trees from which forest counts as broadleaved


def read_cover(seed: int, tile_ids: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Compute the land cover of tiles of the twin.

    Args:
        seed: The twin's seed, as in its ``twin.json``.
        tile_ids: N tiles in any order.

    Returns:
        Class per pixel, shape ``(N, H, W)``, uint8, and the names of the classes. If several classes apply to a pixel,
        the last one counts: a house stands in a field.

    Raises:
        ValueError: If the seed is out of range, a tile is unknown or *tile_ids* is empty.
    """
    select_sites(seed, "harmonized", tile_ids)
    noise = Noise(seed)
    return np.stack([_classify_tile(tile_id, noise) for tile_id in tile_ids]), COVER


def _classify_tile(tile_id: str, noise: Noise) -> np.ndarray:
    site = read_sites()[tile_id]
    window = NoiseWindow.around(site.column, site.row)
    terrain = make_terrain(window, REGIONS[site.region].heights, noise)
    cover = crop_halo(make_cover(window, terrain, noise))
    broadleaves = cover.forest & (cover.deciduous >= _MIN_DECIDUOUS)
    layers = (cover.forest, broadleaves, cover.field, cover.river, cover.sea, cover.bright)
    classes = np.zeros(cover.sea.shape, np.uint8)
    for number, layer in enumerate(layers):
        classes[layer] = number
    return classes
