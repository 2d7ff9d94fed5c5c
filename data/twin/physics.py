"""Constants of the simulated backscatter and its changes, of one region.

Tight: the mean backscatter and its variation inside a tile follow the statistics that the data set's authors published per
tile (descending Sentinel-1, Hokkaido). Loose: noise and change over time, and the effect of slopes, follow the one real tile
at hand (``tests/support/real``), which lies in Italy. `benchmarks/compare_twin.py` prints both against the twin. Constants of
landslides are tuned so that simple change detectors are as skilled as documented in ``docs/real_tiles.md``.
"""

from dataclasses import dataclass

import numpy as np

Pair = tuple[float, float]  # VV, VH


@dataclass(frozen=True)
class Physics:
    """In dB unless noted otherwise; gamma nought."""

    looks: float = 6.0  # equivalent number of looks; loose
    range_taps: tuple[float, ...] = (0.50, 0.09)  # point spread over columns, at 1 and 2 px; loose
    azimuth_taps: tuple[float, ...] = (0.47, 0.06)  # the same over rows
    floor: float = 10**-2.45  # noise-equivalent power, linear: -24.5 dB
    forest: Pair = (-7.95, -14.35)
    field: Pair = (-10.3, -17.6)
    river: Pair = (-15.5, -22.0)
    sea: Pair = (-18.5, -28.0)
    house: Pair = (2.0, -7.0)
    texture: float = 1.05  # standard deviation of the forest's constant texture
    relief_texture: float = 0.073  # the same per degree of slope: errors of the terrain correction
    facing: Pair = (0.015, 0.0)  # dB per degree of slope towards the sensor; loose
    layover: Pair = (0.05, 0.03)  # dB per degree facing beyond 18
    clear_cut: Pair = (-0.5, -2.4)
    windthrow: Pair = (0.0, 0.0)  # storm damage at the time of the event
    lasting: float = 0.6  # standard deviation of lasting pre/post differences without landslides
    moisture: Pair = (0.45, 0.4)  # effect of soil moisture on forest, per standard deviation
    rain: Pair = (0.4, 0.4)  # differences between dates that are not carried over
    slide: Pair = (5.2, 0.2)  # mean change just after the event; in Hokkaido VV rises, VH hardly
    darker: Pair = (-1.6, -2.4)  # the same for landslides that are smoother than the forest before
    darker_share: float = 0.18  # share of such landslides
    slide_facing: Pair = (0.06, 0.03)  # dB per degree facing
    slide_moisture: Pair = (0.7, 0.5)  # effect of soil moisture on bare ground
    debris: Pair = (-3.6, -0.6)  # extra brightness of fresh, wet debris
    drying_days: float = 25  # time constant of its drying
    regrowth_days: Pair = (240, 0.6)  # median and log standard deviation of the time constant
    regrowth_share: float = 0.7  # share of the change that regrowth takes back
    hidden: float = 0.22  # share of landslides that are hardly visible
    hidden_contrast: float = 0.12  # remaining contrast of hidden landslides
    frozen_contrast: float = 0.5  # remaining contrast under frost
    range_shift: float = 0.6  # px, displacement of landslides towards the sensor
    blur: float = 0.7  # px, point spread on a landslide's outline


def band_pair(vv: float, vh: float) -> np.ndarray:
    """Return two constants in the shape ``(2, 1, 1)``, for arrays of a band pair."""
    return np.array([vv, vh], np.float32)[:, None, None]
