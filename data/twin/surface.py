"""The surface of one tile of the twin: its maps and the backscatter that does not change over time.

All values are gamma nought; arrays of a band pair are in the order VV, VH.
"""

from dataclasses import dataclass

import numpy as np

from data.twin.landslides import Landslides, make_landslides
from data.twin.noise import INNER, Noise, NoiseWindow
from data.twin.orbits import Track
from data.twin.physics import Physics, band_pair
from data.twin.regions import REGIONS, Site, TwinRegion
from data.twin.terrain import Cover, Terrain, crop_halo, make_cover, make_terrain, sample_heights
from data.twin.weather import Weather
from data.values.viewing import measure_facing


@dataclass(frozen=True)
class Surface:
    """One tile without its halo.

    Attributes:
        region: The tile's region.
        site: Its position.
        window: Its pixels.
        terrain: Its heights.
        dem: The heights as stored, in m, shape ``(H, W)``.
        cover: Its land cover.
        slides: Its landslides.
        weather: Soil moisture and rain.
    """

    region: TwinRegion
    site: Site
    window: NoiseWindow
    terrain: Terrain
    dem: np.ndarray
    cover: Cover
    slides: Landslides
    weather: Weather


def make_surface(site: Site, noise: Noise) -> Surface:
    """Make what both orbits share: terrain, land cover and landslides of one tile."""
    region = REGIONS[site.region]
    window = NoiseWindow.around(site.column, site.row)
    terrain = make_terrain(window, region.heights, noise)
    inner = NoiseWindow(window.columns[INNER], window.rows[INNER])
    return Surface(
        region=region,
        site=site,
        window=inner,
        terrain=crop_halo(terrain),
        dem=sample_heights(window, terrain.height, region.dem_cell_px)[INNER, INNER],
        cover=crop_halo(make_cover(window, terrain, noise)),
        slides=make_landslides(site, window, terrain, noise),
        weather=Weather(inner, noise),
    )


def make_base(
    window: NoiseWindow,
    terrain: Terrain,
    cover: Cover,
    track: Track,
    physics: Physics,
    noise: Noise,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the constant backscatter in dB, shape ``(2, H, W)``, and the slope towards the sensor in degrees."""
    facing = measure_facing(terrain.east, terrain.north, track.look_deg)
    layover = np.clip(facing - 18, 0, 20)
    facing = np.clip(facing, -30, 30)
    texture = 0.75 * noise.smooth("crowns", 2.5, window) + 0.75 * noise.smooth("groves", 11, window)
    texture = physics.texture * (texture + 0.5 * noise.smooth("stands", 60, window))
    altitude = 0.27 * np.clip((terrain.height - 150) / 100, -1.5, 2)
    parcel = noise.normal("parcel", cover.parcel_u, cover.parcel_v)
    forest = band_pair(*physics.forest) + band_pair(1, 0.9) * texture + altitude
    forest += _draw_track_texture(window, terrain, track, physics, noise)
    forest += band_pair(-0.2, 0.5) * cover.deciduous
    forest += band_pair(*physics.facing) * facing + band_pair(*physics.layover) * layover
    base = np.where(cover.field, band_pair(*physics.field) + 1.2 * parcel + 0.5 * texture, forest)
    base = np.where(cover.river, band_pair(*physics.river), base)
    base = np.where(cover.sea, band_pair(*physics.sea), base)
    base = np.where(cover.bright, band_pair(*physics.house), base)
    return base + track.offset_db, np.asarray(facing)


def _draw_track_texture(
    window: NoiseWindow, terrain: Terrain, track: Track, physics: Physics, noise: Noise
) -> np.ndarray:
    """Draw what one look direction alone sees of the forest: crowns, and errors of the terrain correction."""
    name = f"texture {track.look_deg:g}"
    both = noise.smooth(name, 2, window)
    own = np.stack([noise.smooth(f"{name} {band}", 2, window) for band in ("VV", "VH")])
    geometry = physics.relief_texture * terrain.slope * both
    return np.asarray(physics.texture * band_pair(0.55, 0.5) * own + band_pair(1, 0.8) * geometry)


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
    return np.where(
        cut, surface.region.calendar.event.toordinal() - 900 + 1080 * draw("day"), np.inf
    )
