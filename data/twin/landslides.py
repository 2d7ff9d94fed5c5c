"""Landslides of the synthetic twin: heads on steep slopes, bodies that run downslope.

Candidate heads are on a 5 px lattice and are ranked by slope, height and clustering. A tile's mask is its N
lowest-ranked pixels, N being the real tile's annotated pixels. The true landslides differ from the mask: drawn outlines
are inaccurate, and some landslides are not drawn.

Reference:
    Sizes: Kasai and Yamada (2019), Earth, Planets and Space 71 (mean 7,160 m2 for the 2018 Iburi event).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data.tiles import TILE_PX
from data.twin.noise import HALO_PX, Noise, NoiseWindow
from data.twin.regions import Site
from data.twin.terrain import Terrain, measure_gradient

_CELL_PX = 5  # one candidate head per cell
_SLOPE_DEG = (24.0, 8.0)  # mode and width of the heads' slope
_PROMINENCE = (0.5, 0.9)  # mode and width of the height above the local mean, in units of relief
_CLUSTER = 0.9  # log hazard per standard deviation of a 40 px field
_LOG_AREA = (3.95, 0.75)  # log px, mean and standard deviation; mean area about 70 px
_AREA_PX = (8, 600)
_LOG_ASPECT = (np.log(2.6), 0.3)  # length over width
_STEPS = 60  # maximum length of a body in px
_UNDRAWN = 0.22  # landslides missing from the mask, as a share of those drawn
_SHIFT_PX = 1.5  # offset between drawn and true outline, standard deviation
_LOG_WIDTH = 0.3  # log ratio of true and drawn width, standard deviation


@dataclass(frozen=True)
class Landslides:
    """The landslides of one tile: maps of shape ``(H, W)`` with the landslide's row in *cells*, -1 = none.

    Attributes:
        drawn: Landslide of each annotated pixel.
        changed: Landslide that truly changed each pixel.
        cells: Lattice cell of each landslide's head, shape ``(K, 2)``; it identifies the landslide across tiles.
    """

    drawn: np.ndarray
    changed: np.ndarray
    cells: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """True for annotated pixels."""
        return self.drawn >= 0


@dataclass(frozen=True)
class _Heads:
    cells: np.ndarray
    x: np.ndarray
    y: np.ndarray
    width_px: np.ndarray
    length_px: np.ndarray

    def first(self, count: int) -> "_Heads":
        """Return the *count* heads of lowest rank."""
        n = slice(count)
        return _Heads(self.cells[n], self.x[n], self.y[n], self.width_px[n], self.length_px[n])


@dataclass(frozen=True)
class _Discs:
    """The discs that form the bodies: centre, radius, row of the head, position along the body from 0 to 1."""

    x: np.ndarray
    y: np.ndarray
    radius_px: np.ndarray
    head: np.ndarray
    run: np.ndarray


def make_landslides(site: Site, window: NoiseWindow, terrain: Terrain, noise: Noise) -> Landslides:
    """Make landslides until the mask has exactly the real tile's number of annotated pixels.

    Args:
        site: The real tile.
        window: The tile's pixels with their halo.
        terrain: Maps over *window*.
        noise: The random fields.

    Returns:
        The landslides inside the tile, without the halo.
    """
    none = np.full((TILE_PX, TILE_PX), -1)
    if site.annotated_px == 0:
        return Landslides(none, none, np.zeros((0, 2), np.int64))
    heads = _rank_heads(window, terrain, noise)
    count = site.annotated_px // 14 + 60
    while True:
        candidates = heads.first(count)
        discs = _trace_bodies(candidates, window, terrain)
        order = _stamp(discs, window)
        if np.isfinite(order).sum() >= site.annotated_px or count >= len(heads.x):
            break
        count *= 2
    drawn = _draw_mask(order, site.annotated_px, len(candidates.x) - 1)
    changed = _draw_changes(discs, candidates, drawn.max(), window, noise)
    return Landslides(drawn, changed, candidates.cells)


def _sample(values: np.ndarray, x: np.ndarray, y: np.ndarray, window: NoiseWindow) -> np.ndarray:
    at = [y - window.rows[0], x - window.columns[0]]
    return np.asarray(ndimage.map_coordinates(values, at, order=1, mode="nearest"))


def _rank_heads(window: NoiseWindow, terrain: Terrain, noise: Noise) -> _Heads:
    first, last = (window.columns[0], window.rows[0]), (window.columns[-1], window.rows[-1])
    cells = [np.arange(a // _CELL_PX + 1, b // _CELL_PX) for a, b in zip(first, last, strict=True)]
    ix, iy = (part.ravel() for part in np.meshgrid(*cells))
    x = (ix + noise.uniform("head east", ix, iy)) * _CELL_PX
    y = (iy + noise.uniform("head south", ix, iy)) * _CELL_PX
    hazard = _measure_hazard(x, y, window, terrain, noise)
    rank = np.argsort(-np.log(1 - noise.uniform("trigger", ix, iy)) / hazard)
    area = np.exp(_LOG_AREA[0] + _LOG_AREA[1] * noise.normal("area", ix, iy)).clip(*_AREA_PX)
    aspect = np.exp(_LOG_ASPECT[0] + _LOG_ASPECT[1] * noise.normal("aspect", ix, iy))
    width = 1.05 * np.sqrt(area / aspect)
    cells_xy = np.stack([ix, iy], axis=1)
    return _Heads(cells_xy[rank], x[rank], y[rank], width[rank], (width * aspect)[rank])


def _measure_hazard(
    x: np.ndarray, y: np.ndarray, window: NoiseWindow, terrain: Terrain, noise: Noise
) -> np.ndarray:
    east, north = _smooth_gradient(terrain)
    slope = _sample(np.degrees(np.arctan(np.hypot(east, north))), x, y, window)
    prominence = _sample(terrain.prominence, x, y, window)
    cluster = _sample(noise.smooth("cluster", 40, window), x, y, window)
    steep = np.exp(-(((slope - _SLOPE_DEG[0]) / _SLOPE_DEG[1]) ** 2))
    high = np.exp(-(((prominence - _PROMINENCE[0]) / _PROMINENCE[1]) ** 2))
    return np.asarray(steep * high * np.exp(_CLUSTER * cluster) + 1e-4)


def _smooth_gradient(terrain: Terrain) -> tuple[np.ndarray, np.ndarray]:
    height = ndimage.gaussian_filter(ndimage.gaussian_filter(terrain.height, 2), 1.5)
    return measure_gradient(height)


def _trace_bodies(heads: _Heads, window: NoiseWindow, terrain: Terrain) -> _Discs:
    east, north = (ndimage.gaussian_filter(part, 2) for part in _smooth_gradient(terrain))
    x, y = heads.x, heads.y
    dx = dy = np.zeros(len(x))
    discs = []
    for step in range(_STEPS):
        active = np.flatnonzero(heads.length_px > step)
        if not active.size:
            break
        run = step / heads.length_px[active]
        radius = heads.width_px[active] / 2
        radius = radius * (0.75 + 0.55 * np.sin(np.pi * np.clip(0.9 * run + 0.12, 0, 1)))
        discs.append((x[active], y[active], radius, active, run))
        e, n = _sample(east, x, y, window), _sample(north, x, y, window)
        steep = np.hypot(e, n) + 1e-6
        # Keep part of the direction, so that bodies bend smoothly.
        dx, dy = 0.6 * dx - 0.4 * e / steep, 0.6 * dy + 0.4 * n / steep
        pace = np.hypot(dx, dy) + 1e-6
        x, y = x + dx / pace, y + dy / pace
    return _Discs(*(np.concatenate(part) for part in zip(*discs, strict=True)))


def _stamp(discs: _Discs, window: NoiseWindow) -> np.ndarray:
    """Return the order in which the tile's pixels slide: the head's rank plus the position in the body."""
    x0, y0 = window.columns[HALO_PX], window.rows[HALO_PX]
    by_radius = np.argsort(-discs.radius_px, kind="stable")
    x, y, radius, head, run = (
        part[by_radius] for part in (discs.x, discs.y, discs.radius_px, discs.head, discs.run)
    )
    reach = int(np.ceil(radius[0])) + 1
    ix, iy = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    order = np.full(TILE_PX * TILE_PX, np.inf)
    for south in range(-reach, reach + 1):
        for east in range(-reach, reach + 1):
            # Only the largest discs reach far: a pixel's centre is less than a pixel from where it is counted.
            n = int(np.searchsorted(-radius, 1 - np.hypot(east, south), side="right"))
            if n == 0:
                continue
            jx, jy = ix[:n] + east, iy[:n] + south
            off = np.hypot(jx + 0.5 - x[:n], jy + 0.5 - y[:n]) / radius[:n]
            jx, jy = jx - x0, jy - y0
            hit = (off <= 1) & (jx >= 0) & (jx < TILE_PX) & (jy >= 0) & (jy < TILE_PX)
            place = np.clip(0.6 * run[:n][hit] + 0.4 * off[hit], 0, 1)
            np.minimum.at(order, (jy * TILE_PX + jx)[hit], head[:n][hit] + 0.99 * place)
    return order.reshape(TILE_PX, TILE_PX)


def _draw_mask(order: np.ndarray, count: int, last: int) -> np.ndarray:
    hit = np.isfinite(order)
    if hit.sum() < count:  # a flat tile with many annotated pixels: grow the bodies
        distance = ndimage.distance_transform_edt(~hit)
        order = np.where(hit, order, last + 0.99 * distance / (distance.max() + 1))
    first = np.argsort(order, axis=None, kind="stable")[:count]
    drawn = np.full(order.size, -1)
    drawn[first] = np.floor(order.ravel()[first]).astype(np.int64)
    return drawn.reshape(order.shape)


def _draw_changes(
    discs: _Discs, heads: _Heads, last: int, window: NoiseWindow, noise: Noise
) -> np.ndarray:
    """Stamp the true bodies: shifted, wider or narrower than the drawn ones, and more of them."""
    kept = discs.head <= last * (1 + _UNDRAWN)
    head = discs.head[kept]
    east, south, width = (
        noise.normal(name, *heads.cells.T)[head]
        for name in ("outline east", "outline south", "outline width")
    )
    true = _Discs(
        x=discs.x[kept] + _SHIFT_PX * east,
        y=discs.y[kept] + _SHIFT_PX * south,
        radius_px=discs.radius_px[kept] * np.exp(_LOG_WIDTH * width),
        head=head,
        run=discs.run[kept],
    )
    order = _stamp(true, window)
    hit = np.isfinite(order)
    return np.where(hit, np.minimum(np.where(hit, order, 0), len(heads.x) - 1), -1).astype(np.int64)
