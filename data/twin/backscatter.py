"""Simulate Sentinel-1 time series of the twin: weather, seasons, disturbances, speckle.

Reference:
    Speckle: Goodman (1976), doi 10.1364/JOSA.66.001145.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache
from zlib import crc32

import numpy as np
from scipy.special import gammaincinv, ndtr

from data.tiles import ORBITS
from data.twin.noise import Noise
from data.twin.orbits import Acquisition, Orbit, Season, Track, describe_season, list_acquisitions
from data.twin.physics import Physics, band_pair
from data.twin.regions import REGIONS, Site
from data.twin.scars import Scar, add_landslides, make_scar
from data.twin.surface import Surface, draw_clear_cuts, make_base
from data.twin.terrain import Cover

_REACH = 5.2  # standard deviations covered by the speckle table
_ENTRIES = 1 << 16  # the table's steps are far below the storage step
_DATES = 0  # kind of random numbers: those of the dates do not depend on the seed


@dataclass(frozen=True)
class _Static:
    """What one track sees on all dates: dB and changes of shape ``(2, H, W)``, maps of shape ``(H, W)``."""

    base: np.ndarray
    facing: np.ndarray
    lasting: np.ndarray
    windthrow: np.ndarray
    cut_day: np.ndarray  # ordinal; inf where no forest is cut


def draw_acquisitions(site: Site, orbit: Orbit) -> list[Acquisition]:
    """Return the 15 acquisitions of one tile in one orbit direction, sorted by date."""
    rng = np.random.default_rng([_DATES, *_tile_key(site, orbit)])
    return list_acquisitions(orbit, REGIONS[site.region].calendar, rng)


def _tile_key(site: Site, orbit: Orbit) -> tuple[int, int]:
    return crc32(site.tile_id.encode()), ORBITS.index(orbit.name)


def observe(surface: Surface, orbit: Orbit, noise: Noise) -> np.ndarray:
    """Simulate one tile as one orbit observes it on all dates.

    Returns:
        Linear power of VV and VH, shape ``(T, 2, H, W)``, in [1e-6, 1]. A repeated acquisition is the same image.
    """
    rng = np.random.default_rng([1 + noise.seed, *_tile_key(surface.site, orbit)])
    acquisitions = draw_acquisitions(surface.site, orbit)
    distinct = list(dict.fromkeys(acquisitions))
    tracks = {each.track for each in distinct}
    shift = rng.normal(0, 0.35, 2)  # of the whole image: one geometry per orbit direction
    static = {track: _make_static(surface, track, noise) for track in sorted(tracks)}
    scars = {
        track: make_scar(surface, track, seen.facing, shift, noise)
        for track, seen in static.items()
    }
    power = np.stack(
        [
            _simulate(each, surface, orbit, static[each.track], scars[each.track], noise)
            for each in distinct
        ]
    )
    physics = surface.region.physics
    seen = (power + physics.floor) * _draw_speckle(power.shape, physics, rng) - physics.floor
    images = np.asarray(np.clip(seen, 1e-6, 1), np.float32)
    return images[[distinct.index(each) for each in acquisitions]]


def _make_static(surface: Surface, track: Track, noise: Noise) -> _Static:
    window, cover, physics = surface.window, surface.cover, surface.region.physics
    base, facing = make_base(window, surface.terrain, cover, track, physics, noise)
    gusts = noise.smooth("gusts", 9, window) + 0.7 * noise.smooth("storm", 45, window)
    change = noise.smooth("lasting", 7, window)
    change = change * (0.6 + 0.4 * np.tanh(noise.smooth("lasting extent", 40, window)))
    other = noise.smooth("lasting VH", 7, window)
    return _Static(
        base=base,
        facing=facing,
        lasting=physics.lasting * np.stack([change, 0.6 * change + 0.8 * other]),
        windthrow=(gusts + 0.25 * surface.terrain.prominence > 2.1) & cover.forest,
        cut_day=draw_clear_cuts(surface, noise),
    )


def _simulate(
    acquisition: Acquisition,
    surface: Surface,
    orbit: Orbit,
    static: _Static,
    scar: Scar | None,
    noise: Noise,
) -> np.ndarray:
    """Return the linear power of one date without speckle, shape ``(2, H, W)``."""
    day, physics, weather = acquisition.day, surface.region.physics, surface.weather
    season, n = describe_season(day, surface.region.calendar), day.toordinal()
    moisture = weather.moisture(n)
    level = static.base + band_pair(*physics.moisture) * moisture
    level += band_pair(*physics.rain) * weather.rain(n, orbit.name)
    level += _vary_cover(surface.cover, season, weather.draw(n, orbit.name, 5), n, noise)
    thaw = 1 - 0.3 * season.frost
    level += np.where(static.cut_day < n, thaw * band_pair(*physics.clear_cut), 0)
    days = (day - surface.region.calendar.event).days
    if days < 0:
        return np.asarray(10 ** (level / 10))
    level += static.lasting
    calm = 1 - 0.5 * season.frost
    level += np.where(static.windthrow, calm * band_pair(*physics.windthrow), 0)
    return add_landslides(level, scar, days, season, moisture, physics)


def _vary_cover(
    cover: Cover, season: Season, draws: np.ndarray, n: int, noise: Noise
) -> np.ndarray:
    """Return the effect of the season on forest, fields and water in dB, shape ``(2, H, W)``.

    Args:
        cover: Maps of the tile.
        season: The date's season.
        draws: Five standard normal numbers of the date.
        n: The date's ordinal day.
        noise: The random fields.
    """
    leaf, frost, wet = season
    cold = -frost * (1 + 0.4 * draws[3]) * (0.6 + 0.8 * cover.deciduous) - 0.6 * wet
    scene = 0.2 * band_pair(draws[0], 0.8 * draws[0] + 0.6 * draws[1])
    forest = scene + band_pair(1, 1.25) * cold + leaf * band_pair(-0.7, 0.35) * cover.deciduous
    change = np.where(cover.forest, forest, 0)
    if cover.field.any():
        change = np.where(cover.field, _vary_fields(cover, season, draws[2], n, noise), change)
    return np.where(cover.river | cover.sea, 1.5 * band_pair(draws[4], 0), change)


def _vary_fields(cover: Cover, season: Season, draw: float, n: int, noise: Noise) -> np.ndarray:
    vigour = noise.normal("vigour", cover.parcel_u, cover.parcel_v)
    tillage = noise.normal(f"tillage {n}", cover.parcel_u, cover.parcel_v)
    day_of_year = date.fromordinal(n).timetuple().tm_yday
    grow = np.exp(-(((day_of_year - 205) / 38) ** 2))
    change = grow * (band_pair(1, 2.6) + band_pair(1.6, 1.5) * vigour)
    change = change + band_pair(1, 0.8) * tillage + 0.5 * draw
    return np.asarray(change - band_pair(2.2, 2.5) * season.wet - band_pair(1.5, 2) * season.frost)


@cache
def _tabulate_speckle(looks: float) -> np.ndarray:
    normal = np.linspace(-_REACH, _REACH, _ENTRIES)
    return np.asarray(gammaincinv(looks, ndtr(normal)) / looks, np.float32)


def _draw_speckle(shape: tuple[int, ...], physics: Physics, rng: np.random.Generator) -> np.ndarray:
    """Draw gamma-distributed speckle of mean 1 that is correlated between neighbouring pixels."""
    reach = len(physics.range_taps)
    size = (*shape[:-2], shape[-2] + 2 * reach, shape[-1] + 2 * reach)
    normal: np.ndarray = rng.standard_normal(size, dtype=np.float32)
    normal = _spread(normal, physics.range_taps)
    normal = _spread(normal.swapaxes(-1, -2), physics.azimuth_taps).swapaxes(-1, -2)
    entry = ((normal + _REACH) * ((_ENTRIES - 1) / (2 * _REACH))).astype(np.int32)
    return np.take(_tabulate_speckle(physics.looks), entry, mode="clip")


def _spread(normal: np.ndarray, taps: tuple[float, ...]) -> np.ndarray:
    """Filter the last axis by 1 and *taps* on each side, and keep the variance."""
    reach, width = len(taps), normal.shape[-1]
    total = normal[..., reach : width - reach].copy()
    for k, tap in enumerate(taps, 1):
        total += np.float32(tap) * normal[..., reach - k : width - reach - k]
        total += np.float32(tap) * normal[..., reach + k : width - reach + k]
    return np.asarray(total / np.float32(np.sqrt(1 + 2 * sum(tap * tap for tap in taps))))
