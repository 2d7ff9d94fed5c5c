"""Landslides as a radar sees them, and how they change: debris dries, vegetation grows back, bare ground follows the weather."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data.twin.noise import Noise
from data.twin.orbits import Season, Track
from data.twin.physics import Physics, band_pair
from data.twin.surface import Surface


@dataclass(frozen=True)
class Scar:
    """The landslides of one tile as one track sees them.

    Attributes:
        footprint: Share of the pixel, shape ``(H, W)``.
        change: Change just after the event in dB, shape ``(2, H, W)``.
        visible: Remaining contrast, shape ``(H, W)``.
        regrowth_days: Time constant of the vegetation, shape ``(H, W)``.
        silt: River below landslides, boolean, shape ``(H, W)``.
    """

    footprint: np.ndarray
    change: np.ndarray
    visible: np.ndarray
    regrowth_days: np.ndarray
    silt: np.ndarray


def make_scar(
    surface: Surface, track: Track, facing: np.ndarray, shift: np.ndarray, noise: Noise
) -> Scar | None:
    """Make the landslides of a tile; None if it has none.

    Args:
        surface: The tile.
        track: Determines the displacement along the range.
        facing: Slope towards the sensor in degrees, shape ``(H, W)``.
        shift: Displacement of the image in px, rows and columns.
        noise: The random fields.
    """
    physics = surface.region.physics
    slid = surface.slides.changed >= 0
    if not slid.any():
        return None
    nodes = surface.slides.cells[np.maximum(surface.slides.changed, 0)]
    nodes = nodes[..., 0], nodes[..., 1]
    hidden = noise.uniform("hidden", *nodes) < physics.hidden
    visible = np.where(hidden, physics.hidden_contrast, 1.0)
    change = _draw_change(surface, nodes, facing, noise)
    median, spread = physics.regrowth_days
    regrowth = median * np.exp(spread * noise.normal("regrowth", *nodes))
    # Extend the values beyond the landslides, since the outline is shifted and blurred below.
    rim = ndimage.distance_transform_edt(~slid, return_distances=False, return_indices=True)
    change, visible, regrowth = change[:, *rim], visible[*rim], regrowth[*rim]
    look = np.radians(track.look_deg)
    towards_sensor = physics.range_shift * np.array([np.cos(look), -np.sin(look)])  # rows, columns
    footprint = slid.astype(np.float32)
    footprint = ndimage.shift(footprint, shift + towards_sensor, order=1, mode="nearest")
    footprint = ndimage.gaussian_filter(footprint, physics.blur, mode="nearest")
    silt = surface.cover.river & (ndimage.gaussian_filter(footprint, 15) > 0.04)
    return Scar(footprint, visible * change, visible, regrowth, silt)


def _draw_change(
    surface: Surface, nodes: tuple[np.ndarray, np.ndarray], facing: np.ndarray, noise: Noise
) -> np.ndarray:
    """Return the change just after the event, dB: that of the landslide, and variation inside it."""
    physics = surface.region.physics
    own, own_vh = noise.normal("slide", *nodes), noise.normal("slide VH", *nodes)
    inside, inside_vh = (noise.smooth(name, 3, surface.window) for name in ("scar", "scar VH"))
    darker = noise.uniform("darker", *nodes) < physics.darker_share
    change = np.where(darker, band_pair(*physics.darker), band_pair(*physics.slide))
    change = change + band_pair(*physics.slide_facing) * facing
    vv, vh = own + inside, 0.4 * own + 0.5 * own_vh + 0.4 * inside + 0.7 * inside_vh
    return np.asarray(change + np.stack([vv, vh]))


def add_landslides(
    level: np.ndarray,
    scar: Scar | None,
    days: int,
    season: Season,
    moisture: np.ndarray,
    physics: Physics,
) -> np.ndarray:
    """Return the linear power of a date after the event, shape ``(2, H, W)``.

    Args:
        level: Backscatter without landslides in dB, shape ``(2, H, W)``.
        scar: The landslides.
        days: Since the event.
        season: The date's season.
        moisture: Soil moisture of the date, shape ``(H, W)``.
        physics: The region's constants.
    """
    power = np.asarray(10 ** (level / 10))
    if scar is None:
        return power
    contrast = 1 - (1 - physics.frozen_contrast) * season.frost
    left = 1 - physics.regrowth_share * (1 - np.exp(-days / scar.regrowth_days))
    fresh = np.exp(-days / physics.drying_days) * band_pair(*physics.debris)
    wet = band_pair(*physics.slide_moisture) * contrast * moisture - 0.8 * season.wet
    bare = level + contrast * left * scar.change + scar.visible * (fresh + left * wet)
    power = power * (1 - scar.footprint) + scar.footprint * 10 ** (bare / 10)
    return np.asarray(np.where(scar.silt, power * band_pair(2.2, 2.0), power))
