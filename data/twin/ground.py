"""True landslides of the synthetic twin's tiles, recomputed from its seed.

The twin's files hold the drawn mask alone, as the real ones do. The mask is not the ground: some landslides are not drawn, and
drawn outlines are shifted, wider or narrower (:mod:`data.twin.landslides`). Every field is a function of the pixel's place and the
seed, so the same code gives the ground that the tiles were made with, as for :mod:`data.twin.land_cover`.
"""

from collections.abc import Sequence

import numpy as np

from data.twin.landslides import make_landslides
from data.twin.noise import Noise, NoiseWindow
from data.twin.regions import REGIONS, read_sites
from data.twin.terrain import make_terrain
from data.twin.write_twin import select_sites


def read_ground(seed: int, tile_ids: Sequence[str]) -> np.ndarray:
    """Compute where the ground of tiles of the twin truly slid, whether it was drawn or not.

    Args:
        seed: The twin's seed, as in its ``twin.json``.
        tile_ids: N tiles in any order.

    Returns:
        1 = slid, shape ``(N, H, W)``, uint8. It is the ground before any radar looked at it: what a radar shows of it is
        blurred and displaced along its range, and a part of the landslides hardly shows.

    Raises:
        ValueError: If the seed is out of range, a tile is unknown or *tile_ids* is empty.
    """
    select_sites(seed, "harmonized", tile_ids)
    noise = Noise(seed)
    return np.stack([_find_slid(tile_id, noise) for tile_id in tile_ids])


def _find_slid(tile_id: str, noise: Noise) -> np.ndarray:
    site = read_sites()[tile_id]
    window = NoiseWindow.around(site.column, site.row)
    terrain = make_terrain(window, REGIONS[site.region].heights, noise)
    return (make_landslides(site, window, terrain, noise).changed >= 0).astype(np.uint8)
