"""Simulated models on the real layout of Hokkaido's test tiles, with true differences that are known.

Every architecture finds some places easier than others, whatever its seed: an effect of architecture x tile that is correlated
over neighbouring tiles. It does not go away with more seeds, and it is what a comparison on one area must allow for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logit, ndtr

from data.splits import make_split
from data.splits.grid import survey_catalogue
from data.tiles import TILE_PX
from data.tiles.catalogue import GRID_M
from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.blocks import BLOCK_TILES, SamplingUnits, make_units

BINS = 64
EDGES = logit(np.linspace(0, 1, BINS + 1)[1:-1])
BRIGHT, CONTRAST = -4.5, 2.2  # logits of background, and how far landslides are above it


@dataclass(frozen=True)
class Layout:
    """Positions ``(N, 2)`` in m and landslide pixels ``(N,)`` of test tiles."""

    corners: np.ndarray
    landslide_px: np.ndarray

    def units(self, block_tiles: int = BLOCK_TILES) -> SamplingUnits:
        """Return the blocks of the tiles, as those of one fold and region."""
        names = ["blocks"] * len(self.corners)
        return make_units(self.corners, names, names, self.landslide_px, block_tiles)


def read_layout() -> Layout:
    """Return the 79 test tiles of Hokkaido's split ``blocks``."""
    tiles = survey_catalogue()
    test = [tiles[tile] for tile in make_split("blocks", tiles).test]
    corners = np.array([(tile.west_m, tile.north_m) for tile in test], np.float64)
    return Layout(corners, np.array([tile.annotated_px for tile in test]))


def draw_field(layout: Layout, length: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one standard normal effect per tile, correlated up to *length* tiles away, shape ``(N,)``.

    It is a moving average over squares of *length* x *length* tiles, so that 1 gives independent effects.
    """
    steps = np.rint((layout.corners - layout.corners.min(axis=0)) / GRID_M).astype(int)
    noise = rng.standard_normal(steps.max(axis=0) + length)
    windows = np.lib.stride_tricks.sliding_window_view(noise, (length, length))
    return np.asarray(windows.sum(axis=(2, 3))[steps[:, 0], steps[:, 1]] / length)


def _count(pixels: np.ndarray, means: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a histogram of *pixels* whose logits are normal around *means*, shape ``(..., BINS)``."""
    below = ndtr(EDGES - means[..., None])
    ends = np.zeros((*below.shape[:-1], 1)), np.ones((*below.shape[:-1], 1))
    shares = np.diff(np.concatenate([ends[0], below, ends[1]], axis=-1))
    return rng.multinomial(np.broadcast_to(pixels, means.shape), shares)


def simulate(
    rng: np.random.Generator,
    layout: Layout,
    gains: Sequence[float],
    seeds: int,
    length: int = 1,
    tile_spread: float = 0.15,
    seed_spread: float | Sequence[float] = 0.08,
    names: Sequence[str] = "abcdefgh",
) -> dict[str, np.ndarray]:
    """Simulate architectures: histograms of their test tiles.

    Args:
        rng: The only source of randomness.
        layout: The test tiles.
        gains: How far each architecture lifts landslides, in logits; equal ones are equally good.
        seeds: Seeds of each architecture.
        length: Tiles over which the effects of architecture x tile are correlated.
        tile_spread: Standard deviation of these effects, and of those of seed x tile, in logits.
        seed_spread: Standard deviation of what a seed shifts on all tiles, one for all architectures or one for each.
        names: Their names, as many as *gains* or more.

    Returns:
        By name ``(seeds, N, 2 * BINS)``, as :func:`tuning.metrics.tile_sums.pooled_ap` takes them.
    """
    tiles = len(layout.landslide_px)
    hard = 0.5 * draw_field(layout, 2, rng)  # for all architectures
    bright = BRIGHT + 0.3 * rng.standard_normal(tiles)
    models = {}
    spreads = np.broadcast_to(seed_spread, len(gains))
    for name, gain, spread in zip(names, gains, spreads, strict=False):
        lift = CONTRAST + gain + hard + tile_spread * draw_field(layout, length, rng)
        shift = spread * rng.standard_normal((seeds, 1))
        found = bright + lift + shift + tile_spread * rng.standard_normal((seeds, tiles))
        background = np.broadcast_to(bright, (seeds, tiles))
        models[name] = np.concatenate(
            [
                _count(TILE_PX**2 - layout.landslide_px, background, rng),
                _count(layout.landslide_px, found, rng),
            ],
            axis=-1,
        )
    return models


def find_gain(layout: Layout, gap: float, worlds: int = 40) -> float:
    """Return the gain in logits that raises average precision by *gap* in the mean, by bisection."""

    def measure(gain: float) -> float:
        rng = np.random.default_rng(0)
        scores = [
            [
                pooled_ap(sums.sum(axis=1)).mean()
                for sums in simulate(rng, layout, (gain, 0.0), 2).values()
            ]
            for _ in range(worlds)
        ]
        return float(np.subtract(*np.mean(scores, axis=0)))

    low, high = 0.0, 2.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if measure(middle) < gap else (low, middle)
    return (low + high) / 2


def describe_layout(layout: Layout) -> str:
    """Describe the layout in a line."""
    share = np.sort(layout.landslide_px)[::-1].cumsum() / layout.landslide_px.sum()
    half = int(np.searchsorted(share, 0.5)) + 1
    return f"{len(layout.corners)} test tiles, {half} of which hold half of the landslide pixels"


def repeat_layout(layout: Layout, times: int) -> Layout:
    """Return an area that is *times* as large: copies of the layout side by side, with a gap of ten tiles."""
    width = np.ptp(layout.corners[:, 0]) + 10 * GRID_M
    corners = [layout.corners + np.array([width * copy, 0.0]) for copy in range(times)]
    return Layout(np.concatenate(corners), np.tile(layout.landslide_px, times))
