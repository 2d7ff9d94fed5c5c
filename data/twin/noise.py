"""Random fields as pure functions of global pixel coordinates.

A field's value at a pixel depends on the seed, the field's name and the pixel's position in the UTM grid alone. So
adjacent windows join without a seam, and any number of processes can make tiles in any order. Fields are white noise on
a coarse lattice, smoothed by the uniform cubic B-spline.

Reference:
    Lattice noise: Perlin (1985), An Image Synthesizer, doi 10.1145/325165.325247. Hash: SplitMix64,
    Steele et al. (2014), doi 10.1145/2714064.2660195.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from zlib import crc32

import numpy as np
from scipy import ndimage

from data.tiles import TILE_PX

HALO_PX = 48  # covers all filters, and landslides that start outside the tile
INNER = slice(HALO_PX, -HALO_PX)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's constants
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_EDITION = b"b"  # changes all fields; with this edition seed 2018 is a typical seed
_UNIT_VARIANCE = 2.086  # 1 / standard deviation after the B-spline, averaged over a cell


@dataclass(frozen=True)
class NoiseWindow:
    """A rectangle of global pixels.

    Attributes:
        columns: Easting / 10 m, shape ``(W,)``.
        rows: -northing / 10 m, shape ``(H,)``; rows run south.
    """

    columns: np.ndarray
    rows: np.ndarray

    @classmethod
    def around(cls, column: int, row: int, halo: int = HALO_PX) -> Self:
        """Return the window of the tile at *column* and *row* of the 1280 m grid, with *halo* pixels around it."""
        reach = np.arange(-halo, TILE_PX + halo)
        return cls(column * TILE_PX + reach, -row * TILE_PX + reach)

    @property
    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Column and row of each pixel, both of shape ``(H, W)``."""
        columns, rows = np.meshgrid(self.columns, self.rows)
        return columns, rows


@dataclass(frozen=True)
class Noise:
    """The random fields of one seed; each field has a name.

    Attributes:
        seed: From 0 to 2**32 - 1.
    """

    seed: int

    def hash(self, name: str, ix: np.ndarray, iy: np.ndarray) -> np.ndarray:
        """Return 64 random bits per lattice node."""
        key = np.uint64((self.seed << 32) + crc32(name.encode() + _EDITION))
        with np.errstate(over="ignore"):
            bits = (np.asarray(ix, np.int64).view(np.uint64) * _GOLDEN) ^ (
                np.asarray(iy, np.int64).view(np.uint64) * _MIX_1 + key * _MIX_2
            )
            bits = (bits ^ (bits >> np.uint64(30))) * _MIX_1
            bits = (bits ^ (bits >> np.uint64(27))) * _MIX_2
        return np.asarray(bits ^ (bits >> np.uint64(31)))

    def uniform(self, name: str, ix: np.ndarray, iy: np.ndarray) -> np.ndarray:
        """Draw one number in [0, 1) per lattice node."""
        return np.asarray((self.hash(name, ix, iy) >> np.uint64(11)) * 2.0**-53)

    def normal(self, name: str, ix: np.ndarray, iy: np.ndarray) -> np.ndarray:
        """Draw one nearly normal number per lattice node: mean 0, standard deviation 1, within ±3.5."""
        bits = self.hash(name, ix, iy)
        parts = [(bits >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)]
        total = sum(part.astype(np.float64) for part in parts)
        return np.asarray((total / 65536 - 2) * np.sqrt(3))

    def smooth(self, name: str, wavelength_px: float, window: NoiseWindow) -> np.ndarray:
        """Draw a band-limited field of mean 0 and standard deviation 1 over *window*, shape ``(H, W)``."""
        x, y = window.columns / wavelength_px, window.rows / wavelength_px
        nodes, x0, y0 = self._draw_nodes(name, x, y)
        return interpolate((_UNIT_VARIANCE * nodes).astype(np.float32), x - x0, y - y0)

    def warped(self, name: str, wavelength_px: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Evaluate the field of `smooth` at arbitrary pixel coordinates."""
        x, y = x / wavelength_px, y / wavelength_px
        nodes, x0, y0 = self._draw_nodes(name, x, y)
        at = ndimage.map_coordinates(nodes, [y - y0, x - x0], order=3, prefilter=False)
        return np.asarray(_UNIT_VARIANCE * at, np.float32)

    def _draw_nodes(self, name: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, int, int]:
        (x0, x1), (y0, y1) = ((int(np.floor(t.min())), int(np.floor(t.max()))) for t in (x, y))
        ix, iy = np.arange(x0 - 1, x1 + 3), np.arange(y0 - 1, y1 + 3)
        return self.normal(name, ix[None], iy[:, None]), x0 - 1, y0 - 1


def interpolate(nodes: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Evaluate a cubic B-spline surface on a grid.

    Args:
        nodes: Spline coefficients, shape ``(rows, columns)``.
        x: Fractional columns, shape ``(W,)``; column ``x`` uses the nodes from ``x - 1`` to ``x + 2``.
        y: Fractional rows, shape ``(H,)``.

    Returns:
        The surface, shape ``(H, W)``, of the nodes' dtype.
    """
    # Four taps per axis instead of a matrix product: BLAS threads would change the bytes.
    kind = nodes.dtype
    rows = _sum(weight.astype(kind)[:, None] * nodes[i] for i, weight in _taps(y))
    return _sum(weight.astype(kind) * rows[:, i] for i, weight in _taps(x))


def _taps(t: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    start = np.floor(t).astype(np.int64)
    f = t - start
    weights = [(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3]
    return [(start - 1 + k, weight / 6) for k, weight in enumerate(weights)]


def _sum(arrays: Iterable[np.ndarray]) -> np.ndarray:
    first, *others = arrays
    for other in others:
        first = first + other
    return first
