"""The twin's tiles as a pack in memory: the values that its files would hold, without writing and reading them.

Files cost more than half of the time: compression, hashes, the checks of a reader. A test compares this pack with that of
written files, value by value.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.pack import Pack
from data.pack.tile_row import measure_slope
from data.tiles import DEM_RANGE, ORBITS
from data.tiles.events import NO_EVENT, fill_events, read_event_date
from data.twin.backscatter import draw_acquisitions, observe
from data.twin.noise import Noise
from data.twin.regions import read_sites
from data.twin.surface import Surface, make_surface
from data.twin.write_tile import encode
from data.twin.write_twin import select_sites


def simulate_pack(seed: int, tile_ids: Sequence[str]) -> tuple[Pack, np.ndarray]:
    """Simulate tiles of the twin of *seed*, as :func:`data.twin.make_twin` and :func:`data.pack.make_pack` would.

    Args:
        seed: From 0 to 2**32 - 1.
        tile_ids: N tiles in any order.

    Returns:
        The pack, with the tiles sorted by id, and the true ground, shape ``(N, H, W)``, uint8, as
        :func:`data.twin.ground.read_ground`. The pack has no folder, no digests and no moments: it serves the baselines, not
        the training of networks.

    Raises:
        ValueError: If the seed is out of range, a tile is unknown or *tile_ids* is empty.
    """
    sites, noise = select_sites(seed, "harmonized", tile_ids), Noise(seed)
    surfaces = [make_surface(read_sites()[site.tile_id], noise) for site in sites]
    bands = {orbit: [_look(surface, orbit, noise) for surface in surfaces] for orbit in ORBITS}
    heights = np.stack([each.dem.clip(*DEM_RANGE).astype(np.int16) for each in surfaces])
    own = np.array([_date_event(surface) for surface in surfaces], "datetime64[s]")
    regions = [site.region for site in sites]
    pack = Pack(
        path=Path(),
        hash=f"seed-{seed}",
        synthetic=True,
        seed=seed,
        tile_ids=tuple(site.tile_id for site in sites),
        digests={},
        excluded={},
        suspicious={},
        bands={orbit: np.stack(images) for orbit, images in bands.items()},
        mask=np.stack([surface.slides.mask for surface in surfaces]).astype(np.uint8),
        dem=heights,
        slope=np.stack([measure_slope(h.astype(np.float32)) for h in heights]).astype(np.float16),
        times=np.stack([_list_times(surface) for surface in surfaces]),
        moments=np.zeros((len(sites), 0, 3)),
        events=fill_events(own, regions),
        own_events=own,
        corners=np.array([site.corner_m for site in sites], np.float64),
        crs=tuple(f"EPSG:{32600 + surface.region.utm_zone}" for surface in surfaces),
    )
    return pack, np.stack([surface.slides.changed >= 0 for surface in surfaces]).astype(np.uint8)


def _look(surface: Surface, orbit: str, noise: Noise) -> np.ndarray:
    """Return VV and VH in dB as one orbit sees them, shape ``(T, 2, H, W)``, float16."""
    return encode(observe(surface, surface.region.orbits[orbit], noise), "harmonized").astype(
        np.float16
    )


def _list_times(surface: Surface) -> np.ndarray:
    orbits = [surface.region.orbits[orbit] for orbit in ORBITS]
    days = [[each.day for each in draw_acquisitions(surface.site, orbit)] for orbit in orbits]
    return np.array(days, "datetime64[s]")


def _date_event(surface: Surface) -> np.datetime64:
    day = str(surface.region.calendar.event) if surface.site.annotated_px else ""
    return read_event_date(day, surface.region.name) or NO_EVENT
