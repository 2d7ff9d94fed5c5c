"""Simulate Sentinel-1 time series of the twin: weather, seasons, disturbances, landslides, speckle.

Reference:
    Speckle: Goodman (1976), doi 10.1364/JOSA.66.001145.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
from scipy import ndimage
from scipy.special import gammaincinv, ndtr

from data.tiles import ORBITS
from data.tiles.paths import tile_number
from data.twin.noise import Noise
from data.twin.orbits import EVENT_DATE, Orbit, Season, describe_season, list_dates
from data.twin.surface import PHYSICS, Surface, band_pair, draw_clear_cuts, make_base
from data.twin.terrain import Cover

_REACH = 5.2  # standard deviations covered by the speckle table
_ENTRIES = 1 << 16  # the table's steps are far below the storage step


@dataclass(frozen=True)
class _Static:
    """What one orbit sees on all dates: dB and changes of shape ``(2, H, W)``, maps of shape ``(H, W)``."""

    base: np.ndarray
    facing: np.ndarray
    lasting: np.ndarray
    windthrow: np.ndarray
    cut_day: np.ndarray  # ordinal; inf where no forest is cut


@dataclass(frozen=True)
class _Scar:
    """The landslides as one orbit sees them."""

    footprint: np.ndarray  # share of the pixel, (H, W)
    change: np.ndarray  # dB, (2, H, W)
    visible: np.ndarray  # remaining contrast, (H, W)
    silt: np.ndarray  # river below landslides, boolean (H, W)


def observe(surface: Surface, orbit: Orbit, noise: Noise) -> np.ndarray:
    """Simulate one tile as one orbit observes it on all dates.

    Returns:
        Linear power of VV and VH, shape ``(T, 2, H, W)``, in [1e-6, 1].
    """
    number = tile_number(surface.site.tile_id)
    rng = np.random.default_rng([noise.seed, number, ORBITS.index(orbit.name)])
    static = _make_static(surface, orbit, noise)
    scar = _make_scar(surface, orbit, static.facing, noise, rng)
    dates = list_dates(orbit)
    power = np.stack([_simulate_date(day, surface, orbit, static, scar, noise) for day in dates])
    speckle = _draw_speckle(power.shape, rng)
    seen = (power + PHYSICS.floor) * speckle - PHYSICS.floor
    return np.asarray(np.clip(seen, 1e-6, 1), np.float32)


def _make_static(surface: Surface, orbit: Orbit, noise: Noise) -> _Static:
    window, cover = surface.window, surface.cover
    base, facing = make_base(window, surface.terrain, cover, orbit, noise)
    gusts = noise.smooth("gusts", 9, window) + 0.7 * noise.smooth("storm", 45, window)
    change = noise.smooth("lasting", 7, window)
    change = change * (0.6 + 0.4 * np.tanh(noise.smooth("lasting extent", 40, window)))
    other = noise.smooth("lasting VH", 7, window)
    return _Static(
        base=base,
        facing=facing,
        lasting=PHYSICS.lasting * np.stack([change, 0.6 * change + 0.8 * other]),
        windthrow=(gusts + 0.25 * surface.terrain.prominence > 2.1) & cover.forest,
        cut_day=draw_clear_cuts(surface, noise),
    )


def _make_scar(
    surface: Surface,
    orbit: Orbit,
    facing: np.ndarray,
    noise: Noise,
    rng: np.random.Generator,
) -> _Scar | None:
    slid = surface.slides.changed >= 0
    if not slid.any():
        return None
    nodes = surface.slides.cells[np.maximum(surface.slides.changed, 0)]
    nodes = nodes[..., 0], nodes[..., 1]
    visible = np.where(
        noise.uniform("hidden", *nodes) < PHYSICS.hidden, PHYSICS.hidden_contrast, 1.0
    )
    own, own_vh = noise.normal("slide", *nodes), noise.normal("slide VH", *nodes)
    inside, inside_vh = (noise.smooth(name, 3, surface.window) for name in ("scar", "scar VH"))
    change = band_pair(*PHYSICS.slide) + band_pair(*PHYSICS.slide_facing) * facing
    change += np.stack([own + inside, 0.4 * own + 0.5 * own_vh + 0.4 * inside + 0.7 * inside_vh])
    # Extend the values beyond the landslides, since the outline is shifted and blurred below.
    rim = ndimage.distance_transform_edt(~slid, return_distances=False, return_indices=True)
    change, visible = change[:, *rim], visible[*rim]
    look = np.radians(orbit.look_deg)
    towards_sensor = PHYSICS.range_shift * np.array([np.cos(look), -np.sin(look)])  # rows, columns
    shift = rng.normal(0, 0.35, 2) + towards_sensor
    footprint = ndimage.shift(slid.astype(np.float32), shift, order=1, mode="nearest")
    footprint = ndimage.gaussian_filter(footprint, PHYSICS.blur, mode="nearest")
    silt = surface.cover.river & (ndimage.gaussian_filter(footprint, 15) > 0.04)
    return _Scar(footprint, visible * change, visible, silt)


def _simulate_date(
    day: date, surface: Surface, orbit: Orbit, static: _Static, scar: _Scar | None, noise: Noise
) -> np.ndarray:
    """Return the linear power of one date without speckle, shape ``(2, H, W)``."""
    season, n = describe_season(day), day.toordinal()
    weather = noise.normal(f"weather {orbit.name}", np.full(6, n), np.arange(6))
    patch = noise.smooth(f"front {orbit.name} {n}", 300, surface.window)
    patch = 0.35 * (patch + noise.smooth(f"shower {orbit.name} {n}", 25, surface.window))
    level = (
        static.base
        + band_pair(1, 0.9) * patch
        + _vary_cover(surface.cover, season, weather, n, noise)
    )
    thaw = 1 - 0.3 * season.frost
    level += np.where(static.cut_day < n, thaw * band_pair(*PHYSICS.clear_cut), 0)
    if day < EVENT_DATE:
        return np.asarray(10 ** (level / 10))
    level += static.lasting
    calm = 1 - 0.5 * season.frost
    level += np.where(static.windthrow, calm * band_pair(*PHYSICS.windthrow), 0)
    return _add_landslides(level, scar, season, weather[5])


def _vary_cover(
    cover: Cover, season: Season, weather: np.ndarray, n: int, noise: Noise
) -> np.ndarray:
    """Return the effect of weather and season on forest, fields and water in dB, shape ``(2, H, W)``."""
    leaf, frost, wet = season
    cold = -frost * (1 + 0.4 * weather[3]) * (0.6 + 0.8 * cover.deciduous) - 0.6 * wet
    moist = 0.35 * band_pair(weather[0], 0.8 * weather[0] + 0.6 * weather[1])
    forest = moist + band_pair(1, 1.25) * cold + leaf * band_pair(-0.7, 0.35) * cover.deciduous
    change = np.where(cover.forest, forest, 0)
    if cover.field.any():
        vigour = noise.normal("vigour", cover.parcel_u, cover.parcel_v)
        tillage = noise.normal(f"tillage {n}", cover.parcel_u, cover.parcel_v)
        day_of_year = date.fromordinal(n).timetuple().tm_yday
        grow = np.exp(-(((day_of_year - 205) / 38) ** 2))
        field = (
            grow * (band_pair(1, 2.6) + band_pair(1.6, 1.5) * vigour) + band_pair(1, 0.8) * tillage
        )
        field += 0.5 * weather[2] - band_pair(2.2, 2.5) * wet - band_pair(1.5, 2) * frost
        change = np.where(cover.field, field, change)
    return np.where(cover.river | cover.sea, 1.5 * band_pair(weather[4], 0), change)


def _add_landslides(
    level: np.ndarray, scar: _Scar | None, season: Season, moist: float
) -> np.ndarray:
    power = np.asarray(10 ** (level / 10))
    if scar is None:
        return power
    contrast = 1 - (1 - PHYSICS.frozen_contrast) * season.frost
    bare = level + contrast * scar.change + scar.visible * (0.4 * moist - 0.8 * season.wet)
    power = power * (1 - scar.footprint) + scar.footprint * 10 ** (bare / 10)
    return np.asarray(np.where(scar.silt, power * band_pair(2.2, 2.0), power))


@cache
def _tabulate_speckle(looks: float) -> np.ndarray:
    normal = np.linspace(-_REACH, _REACH, _ENTRIES)
    return np.asarray(gammaincinv(looks, ndtr(normal)) / looks, np.float32)


def _draw_speckle(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw gamma-distributed speckle of mean 1 that is correlated between neighbouring pixels."""
    tap = PHYSICS.tap
    size = (*shape[:-2], shape[-2] + 2, shape[-1] + 2)
    normal: np.ndarray = rng.standard_normal(size, dtype=np.float32)
    normal = normal[..., 1:-1] + tap * (normal[..., :-2] + normal[..., 2:])
    normal = normal[..., 1:-1, :] + tap * (normal[..., :-2, :] + normal[..., 2:, :])
    normal = normal / (1 + 2 * tap * tap)
    entry = ((normal + _REACH) * ((_ENTRIES - 1) / (2 * _REACH))).astype(np.int32)
    return np.take(_tabulate_speckle(PHYSICS.looks), entry, mode="clip")
