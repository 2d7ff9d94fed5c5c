"""Heights and land cover of the synthetic twin: a region's smooth heights plus synthetic hills."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from scipy import ndimage

from data.tiles import PIXEL_M
from data.twin.noise import INNER, Noise, NoiseWindow

_BILLOWS = ((34.0, 1.0), (17.0, 0.42), (8.5, 0.16))  # wavelength in px, amplitude
_PARCEL_PX = (20, 11)  # size of a field's parcel, length by width
_PARCEL_ANGLE = 0.4  # rad, orientation of the parcels
_DEM_SMOOTH_PX = 0.5  # a height model's cell holds a mean height

Maps = TypeVar("Maps", "Terrain", "Cover")
Heights = Callable[[NoiseWindow], tuple[np.ndarray, np.ndarray]]
"""Smooth mean height in m, and log of the height's standard deviation in m, both of shape ``(H, W)``."""


@dataclass(frozen=True)
class Terrain:
    """Maps of shape ``(H, W)``.

    Attributes:
        height: Height in m.
        base: Smooth mean height in m.
        relief: Smooth standard deviation of the height in m.
        east: Rise per metre towards east.
        north: Rise per metre towards north.
        slope: Slope in degrees.
    """

    height: np.ndarray
    base: np.ndarray
    relief: np.ndarray
    east: np.ndarray
    north: np.ndarray
    slope: np.ndarray

    @property
    def prominence(self) -> np.ndarray:
        """Height above the smooth mean in units of relief; negative in valleys."""
        return np.asarray((self.height - self.base) / np.maximum(self.relief, 1))


@dataclass(frozen=True)
class Cover:
    """Maps of shape ``(H, W)``: boolean classes, deciduous share in [0, 1], parcel numbers."""

    sea: np.ndarray
    river: np.ndarray
    field: np.ndarray
    bright: np.ndarray
    deciduous: np.ndarray
    parcel_u: np.ndarray
    parcel_v: np.ndarray

    @property
    def forest(self) -> np.ndarray:
        """All pixels that are neither field nor water."""
        return np.asarray(~(self.field | self.river | self.sea))


def make_terrain(window: NoiseWindow, heights: Heights, noise: Noise) -> Terrain:
    """Add billow noise (rounded hills, narrow valleys) to a region's smooth heights."""
    base, log_relief = heights(window)
    relief = np.exp(log_relief)
    x, y = window.mesh
    x = x + 9 * noise.smooth("warp east", 55, window)
    y = y + 9 * noise.smooth("warp south", 55, window)
    hills = 0.35 * noise.smooth("ranges", 75, window) + 0.04 * noise.smooth("rubble", 4, window)
    for wavelength_px, amplitude in _BILLOWS:
        swell = noise.warped(f"hills {wavelength_px:g} px", wavelength_px, x, y)
        hills = hills + amplitude * (np.sqrt(swell * swell + 0.03) - 0.82) / 0.58
    height = np.maximum(base + 0.95 * relief * hills, 0).astype(np.float32)
    east, north = measure_gradient(ndimage.gaussian_filter(height, 1.5))
    slope = np.degrees(np.arctan(np.hypot(east, north)))
    return Terrain(height, base.astype(np.float32), relief.astype(np.float32), east, north, slope)


def measure_gradient(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rise per metre towards east and towards north."""
    south, east = np.gradient(height, PIXEL_M)
    return east, -south


def sample_heights(
    window: NoiseWindow, height: np.ndarray, cell_px: tuple[float, float]
) -> np.ndarray:
    """Return heights as a coarser model has them, resampled to the pixels by the nearest cell.

    Args:
        window: The pixels.
        height: Their heights in m, shape ``(H, W)``.
        cell_px: Size of a cell of the height model, columns by rows.

    Returns:
        Heights in m, shape ``(H, W)``: stairs, as in the real tiles.
    """
    mean = ndimage.gaussian_filter(height, _DEM_SMOOTH_PX)
    columns, rows = (
        np.clip(_find_centres(pixels, cell), 0, len(pixels) - 1)
        for pixels, cell in zip((window.columns, window.rows), cell_px, strict=True)
    )
    return np.asarray(mean[np.ix_(rows, columns)])


def _find_centres(pixels: np.ndarray, cell_px: float) -> np.ndarray:
    """Return the index in *pixels* of the centre of each pixel's cell."""
    cells = np.floor((pixels + 0.5) / cell_px)
    return np.asarray(np.floor((cells + 0.5) * cell_px).astype(np.int64) - pixels[0])


def make_cover(window: NoiseWindow, terrain: Terrain, noise: Noise) -> Cover:
    """Make forest, fields in parcels on flat terrain, rivers, sea and a few bright scatterers."""
    sea = terrain.height <= 0.5
    flat = ndimage.gaussian_filter(terrain.slope, 4)
    valley = ((flat < 7) & (terrain.prominence < -0.3)) | ((flat < 4) & (terrain.base < 70))
    valley &= ~sea
    course = noise.smooth("river", 150, window) + 0.15 * noise.smooth("meander", 30, window)
    river = (np.abs(course) < 0.035) & valley
    stand = noise.smooth("stand", 55, window) + 0.6 * noise.smooth("stand detail", 12, window)
    x, y = window.mesh
    u = x * np.cos(_PARCEL_ANGLE) + y * np.sin(_PARCEL_ANGLE)
    v = -x * np.sin(_PARCEL_ANGLE) + y * np.cos(_PARCEL_ANGLE)
    return Cover(
        sea=sea,
        river=river,
        field=valley & (noise.smooth("fields", 60, window) > -0.6) & ~river,
        bright=valley & (noise.uniform("houses", x, y) < 0.002),
        deciduous=(1 / (1 + np.exp(-2.2 * (stand + 0.3)))).astype(np.float32),
        parcel_u=np.floor(u / _PARCEL_PX[0]).astype(np.int64),
        parcel_v=np.floor(v / _PARCEL_PX[1]).astype(np.int64),
    )


def crop_halo(maps: Maps) -> Maps:
    """Crop all maps to the tile inside the halo."""
    inner = {part.name: getattr(maps, part.name)[INNER, INNER] for part in fields(maps)}
    return replace(maps, **inner)
