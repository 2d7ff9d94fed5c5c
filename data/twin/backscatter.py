"""Sentinel-1 time series of the synthetic twin: weather, seasons, disturbances, landslides, speckle.

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
from data.twin.noise import Noise
from data.twin.orbits import EVENT_DATE, Orbit, Season, describe_season, list_dates
from data.twin.surface import PHYSICS, Physics, Surface, cut_forest, pair, see_base
from data.twin.terrain import Cover

_REACH = 5.2  # deviations that the table of speckle covers
_ENTRIES = 1 << 16  # its steps are far below the storage step


@dataclass(frozen=True)
class _Static:
    """What one orbit sees on every date: dB and changes of shape ``(2, H, W)``, maps ``(H, W)``."""

    base: np.ndarray
    facing: np.ndarray
    lasting: np.ndarray
    windthrow: np.ndarray
    cut_day: np.ndarray  # ordinal, inf where nothing is cut


@dataclass(frozen=True)
class _Scar:
    """The landslides as one orbit sees them."""

    footprint: np.ndarray  # share of the pixel, (H, W)
    change: np.ndarray  # dB, (2, H, W)
    visible: np.ndarray  # contrast that is left, (H, W)
    silt: np.ndarray  # river below slides, boolean (H, W)


def observe(scene: Surface, orbit: Orbit, noise: Noise, physics: Physics = PHYSICS) -> np.ndarray:
    """Let one orbit look at a tile on all its dates.

    Returns:
        Linear power of VV and VH, shape ``(T, 2, H, W)``, in [1e-6, 1].
    """
    number = int(scene.site.tile_id.removeprefix("hokkaido_"))
    rng = np.random.default_rng([noise.seed, number, ORBITS.index(orbit.name)])
    static = _see_static(scene, orbit, noise, physics)
    scar = _see_scar(scene, orbit, static.facing, noise, physics, rng)
    dates = list_dates(orbit)
    power = np.stack([_see(day, scene, orbit, static, scar, noise, physics) for day in dates])
    speckle = _draw_speckle(power.shape, physics, rng)
    seen = (power + physics.floor) * speckle - physics.floor
    return np.asarray(np.clip(seen, 1e-6, 1), np.float32)


def _see_static(scene: Surface, orbit: Orbit, noise: Noise, physics: Physics) -> _Static:
    window, cover = scene.window, scene.cover
    base, facing = see_base(window, scene.terrain, cover, orbit, noise, physics)
    gusts = noise.smooth("gusts", 9, window) + 0.7 * noise.smooth("storm", 45, window)
    change = noise.smooth("lasting", 7, window)
    change = change * (0.6 + 0.4 * np.tanh(noise.smooth("lasting extent", 40, window)))
    other = noise.smooth("lasting VH", 7, window)
    return _Static(
        base=base,
        facing=facing,
        lasting=physics.lasting * np.stack([change, 0.6 * change + 0.8 * other]),
        windthrow=(gusts + 0.25 * scene.terrain.prominence > 2.1) & cover.forest,
        cut_day=cut_forest(scene, noise),
    )


def _see_scar(
    scene: Surface,
    orbit: Orbit,
    facing: np.ndarray,
    noise: Noise,
    physics: Physics,
    rng: np.random.Generator,
) -> _Scar | None:
    hit = scene.slides.changed >= 0
    if not hit.any():
        return None
    nodes = scene.slides.cells[np.maximum(scene.slides.changed, 0)]
    nodes = nodes[..., 0], nodes[..., 1]
    visible = np.where(noise.uniform("hidden", *nodes) < physics.hidden, physics.hidden_left, 1.0)
    own, own_vh = noise.normal("slide", *nodes), noise.normal("slide VH", *nodes)
    inside, inside_vh = (noise.smooth(name, 3, scene.window) for name in ("scar", "scar VH"))
    change = pair(*physics.slide) + pair(*physics.slide_facing) * facing
    change += np.stack([own + inside, 0.4 * own + 0.5 * own_vh + 0.4 * inside + 0.7 * inside_vh])
    # Outside the slides the nearest one's values count: the outline is shifted and blurred below.
    rim = ndimage.distance_transform_edt(~hit, return_distances=False, return_indices=True)
    change, visible = change[:, *rim], visible[*rim]
    look = np.radians(orbit.look_deg)
    towards_sensor = physics.range_shift * np.array([np.cos(look), -np.sin(look)])  # rows, columns
    shift = rng.normal(0, 0.35, 2) + towards_sensor
    footprint = ndimage.shift(hit.astype(np.float32), shift, order=1, mode="nearest")
    footprint = ndimage.gaussian_filter(footprint, physics.blur, mode="nearest")
    silt = scene.cover.river & (ndimage.gaussian_filter(footprint, 15) > 0.04)
    return _Scar(footprint, visible * change, visible, silt)


def _see(
    day: date,
    scene: Surface,
    orbit: Orbit,
    static: _Static,
    scar: _Scar | None,
    noise: Noise,
    physics: Physics,
) -> np.ndarray:
    """Return the linear power of one date without speckle, shape ``(2, H, W)``."""
    season, n = describe_season(day), day.toordinal()
    weather = noise.normal(f"weather {orbit.name}", np.full(6, n), np.arange(6))
    patch = noise.smooth(f"front {orbit.name} {n}", 300, scene.window)
    patch = 0.35 * (patch + noise.smooth(f"shower {orbit.name} {n}", 25, scene.window))
    level = static.base + pair(1, 0.9) * patch + _vary_cover(scene.cover, season, weather, n, noise)
    thaw = 1 - 0.3 * season.frost
    level += np.where(static.cut_day < n, thaw * pair(*physics.clear_cut), 0)
    if day < EVENT_DATE:
        return np.asarray(10 ** (level / 10))
    level += static.lasting
    calm = 1 - 0.5 * season.frost
    level += np.where(static.windthrow, calm * pair(*physics.windthrow), 0)
    return _slide(level, scar, season, weather[5], physics)


def _vary_cover(
    cover: Cover, season: Season, weather: np.ndarray, n: int, noise: Noise
) -> np.ndarray:
    """Return what weather and season do to forest, fields and water, in dB, shape ``(2, H, W)``."""
    leaf, frost, wet = season
    cold = -frost * (1 + 0.4 * weather[3]) * (0.6 + 0.8 * cover.deciduous) - 0.6 * wet
    moist = 0.35 * pair(weather[0], 0.8 * weather[0] + 0.6 * weather[1])
    forest = moist + pair(1, 1.25) * cold + leaf * pair(-0.7, 0.35) * cover.deciduous
    change = np.where(cover.forest, forest, 0)
    if cover.field.any():
        vigour = noise.normal("vigour", cover.parcel_u, cover.parcel_v)
        tillage = noise.normal(f"tillage {n}", cover.parcel_u, cover.parcel_v)
        day_of_year = date.fromordinal(n).timetuple().tm_yday
        grow = np.exp(-(((day_of_year - 205) / 38) ** 2))
        field = grow * (pair(1, 2.6) + pair(1.6, 1.5) * vigour) + pair(1, 0.8) * tillage
        field += 0.5 * weather[2] - pair(2.2, 2.5) * wet - pair(1.5, 2) * frost
        change = np.where(cover.field, field, change)
    return np.where(cover.river | cover.sea, 1.5 * pair(weather[4], 0), change)


def _slide(
    level: np.ndarray, scar: _Scar | None, season: Season, moist: float, physics: Physics
) -> np.ndarray:
    power = np.asarray(10 ** (level / 10))
    if scar is None:
        return power
    left = 1 - (1 - physics.frozen_left) * season.frost
    bare = level + left * scar.change + scar.visible * (0.4 * moist - 0.8 * season.wet)
    power = power * (1 - scar.footprint) + scar.footprint * 10 ** (bare / 10)
    return np.asarray(np.where(scar.silt, power * pair(2.2, 2.0), power))


@cache
def _tabulate_speckle(looks: float) -> np.ndarray:
    normal = np.linspace(-_REACH, _REACH, _ENTRIES)
    return np.asarray(gammaincinv(looks, ndtr(normal)) / looks, np.float32)


def _draw_speckle(shape: tuple[int, ...], physics: Physics, rng: np.random.Generator) -> np.ndarray:
    """Draw gamma speckle of mean 1, correlated between neighbours."""
    tap = physics.tap
    size = (*shape[:-2], shape[-2] + 2, shape[-1] + 2)
    normal: np.ndarray = rng.standard_normal(size, dtype=np.float32)
    normal = normal[..., 1:-1] + tap * (normal[..., :-2] + normal[..., 2:])
    normal = normal[..., 1:-1, :] + tap * (normal[..., :-2, :] + normal[..., 2:, :])
    normal = normal / (1 + 2 * tap * tap)
    entry = ((normal + _REACH) * ((_ENTRIES - 1) / (2 * _REACH))).astype(np.int32)
    return np.take(_tabulate_speckle(physics.looks), entry, mode="clip")
