"""The surface of one tile of the twin: its maps and the backscatter that does not change over time.

All values are gamma nought; arrays of a band pair are in the order VV, VH. Constants without a source are tuned so that
a tile's statistics and the skill of simple change detectors are close to published ones.

Reference:
    Looks and resolution of IW GRDH: ESA, Sentinel-1 Product Definition (S1-RS-MDA-52-7440).
"""

from dataclasses import dataclass

import numpy as np

from data.twin.landslides import Landslides, make_landslides
from data.twin.noise import INNER, Noise, NoiseWindow
from data.twin.orbits import EVENT_DATE, Orbit
from data.twin.terrain import Cover, Site, Terrain, crop_halo, make_cover, make_terrain

Pair = tuple[float, float]  # VV, VH


@dataclass(frozen=True)
class Physics:
    """Constants of the simulation, in dB unless noted otherwise."""

    looks: float = 4.4  # equivalent number of looks (IW GRDH)
    tap: float = 0.42  # point spread on 10 m pixels: lag-1 intensity correlation 0.38 (20 x 22 m)
    floor: float = 10**-2.45  # noise-equivalent power, linear: -24.5 dB
    forest: Pair = (-7.45, -13.7)
    field: Pair = (-10.3, -17.6)
    river: Pair = (-15.5, -22.0)
    sea: Pair = (-18.5, -28.0)
    house: Pair = (2.0, -7.0)
    texture: float = 0.97  # standard deviation of the forest's constant texture
    facing: Pair = (0.065, 0.05)  # dB per degree of slope towards the sensor
    layover: Pair = (0.22, 0.15)  # dB per degree facing beyond 18
    clear_cut: Pair = (-0.5, -2.4)
    windthrow: Pair = (0.9, -0.9)  # typhoon Jebi, 2018-09-05
    lasting: float = 0.6  # standard deviation of lasting pre/post differences without landslides
    slide: Pair = (3.2, 0.3)  # mean change; in the real tiles' statistics VV rises, VH hardly
    slide_facing: Pair = (0.11, 0.05)  # dB per degree facing
    hidden: float = 0.25  # share of landslides that are hardly visible
    hidden_contrast: float = 0.12  # remaining contrast of hidden landslides
    frozen_contrast: float = 0.5  # remaining contrast under frost
    range_shift: float = 0.6  # px, displacement of landslides towards the sensor
    blur: float = 0.7  # px, point spread on a landslide's outline


PHYSICS = Physics()


@dataclass(frozen=True)
class Surface:
    """One tile without its halo."""

    site: Site
    window: NoiseWindow
    terrain: Terrain
    cover: Cover
    slides: Landslides


def make_surface(site: Site, noise: Noise) -> Surface:
    """Make what both orbits share: terrain, land cover and landslides of one tile."""
    window = NoiseWindow.around(site.column, site.row)
    terrain = make_terrain(window, noise)
    slides = make_landslides(site, window, terrain, noise)
    cover = crop_halo(make_cover(window, terrain, noise))
    inner = NoiseWindow(window.columns[INNER], window.rows[INNER])
    return Surface(site, inner, crop_halo(terrain), cover, slides)


def band_pair(vv: float, vh: float) -> np.ndarray:
    """Return two constants in the shape ``(2, 1, 1)``, for arrays of a band pair."""
    return np.array([vv, vh], np.float32)[:, None, None]


def make_base(
    window: NoiseWindow, terrain: Terrain, cover: Cover, orbit: Orbit, noise: Noise
) -> tuple[np.ndarray, np.ndarray]:
    """Return the constant backscatter in dB, shape ``(2, H, W)``, and the slope towards the sensor in degrees."""
    look = np.radians(orbit.look_deg)
    facing = np.degrees(np.arctan(terrain.east * np.sin(look) + terrain.north * np.cos(look)))
    layover = np.clip(facing - 18, 0, 20)
    facing = np.clip(facing, -30, 30)
    texture = 0.75 * noise.smooth("crowns", 2.5, window) + 0.75 * noise.smooth("groves", 11, window)
    texture = PHYSICS.texture * (texture + 0.5 * noise.smooth("stands", 60, window))
    own = [noise.smooth(f"texture {orbit.name} {band}", 2, window) for band in ("VV", "VH")]
    altitude = 0.27 * np.clip((terrain.height - 150) / 100, -1.5, 2)
    parcel = noise.normal("parcel", cover.parcel_u, cover.parcel_v)
    forest = band_pair(*PHYSICS.forest) + orbit.offset_db + band_pair(1, 0.9) * texture + altitude
    forest += (
        PHYSICS.texture * band_pair(0.55, 0.5) * np.stack(own)
        + band_pair(-0.2, 0.5) * cover.deciduous
    )
    forest += band_pair(*PHYSICS.facing) * facing + band_pair(*PHYSICS.layover) * layover
    base = np.where(cover.field, band_pair(*PHYSICS.field) + 1.2 * parcel + 0.5 * texture, forest)
    base = np.where(cover.river, band_pair(*PHYSICS.river), base)
    base = np.where(cover.sea, band_pair(*PHYSICS.sea), base)
    return np.where(cover.bright, band_pair(*PHYSICS.house), base), np.asarray(facing)


def draw_clear_cuts(surface: Surface, noise: Noise) -> np.ndarray:
    """Return the ordinal day of each pixel's clear-cut, inf without one: at most one block per 64 px cell."""
    x, y = surface.window.mesh
    ix, iy = x // 64, y // 64

    def draw(name: str) -> np.ndarray:
        return noise.uniform(f"clear-cut {name}", ix, iy)

    angle = np.pi * draw("angle")
    u, v = x - (ix + 0.3 + 0.4 * draw("east")) * 64, y - (iy + 0.3 + 0.4 * draw("south")) * 64
    along = np.abs(u * np.cos(angle) + v * np.sin(angle)) < 6 + 8 * draw("length")
    across = np.abs(v * np.cos(angle) - u * np.sin(angle)) < 4 + 5 * draw("width")
    cut = (
        along
        & across
        & (draw("chance") < 0.35)
        & surface.cover.forest
        & (surface.terrain.slope < 30)
    )
    return np.where(cut, EVENT_DATE.toordinal() - 900 + 1080 * draw("day"), np.inf)
