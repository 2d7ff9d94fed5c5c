"""How far the variance of block sums must be corrected for few, unequal and correlated blocks.

The sum of squared block influences is a biased estimate of a score's variance: centring removes part of it, blocks with most
of the landslides count most, and neighbouring blocks may be correlated too. A working model of the tiles' effects says by how
much: effects of tiles *h* apart have the spherical correlation 1 - 1.5 h/L + 0.5 (h/L)^3, 0 from *L* on, in one region. Under
it the expectation of the sum of squares and the true variance are known, and so are the degrees of freedom that match the
estimate's own variance (Satterthwaite). *L* is estimated from the tiles by restricted maximum likelihood. With independent
tiles (L = 1) this is Bell and McCaffrey's correction.

Reference:
    Bell & McCaffrey (2002), Bias Reduction in Standard Errors for Linear Regression with Multi-Stage Samples, Survey
    Methodology 28(2). Imbens & Kolesar (2016), Robust Standard Errors in Small Samples, The Review of Economics and
    Statistics 98(4), doi:10.1162/REST_a_00552 (working model of correlated errors). Satterthwaite (1946), Biometrics
    Bulletin 2(6), doi:10.2307/3002019. Diggle & Ribeiro (2007), Model-based Geostatistics, Springer (spherical model, REML).
"""

from dataclasses import dataclass
from math import log

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from data.tiles.catalogue import GRID_M
from tuning.statistics.blocks import BLOCK_TILES, SamplingUnits

RANGES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)  # of correlation, in tiles
NUGGET = 0.3  # variance of a tile's own noise over that of the correlated effect, in the likelihood alone
MIN_SHARE = 0.2  # tiles with a smaller share of the mean weight say nothing about the range
MIN_DEGREES = 8  # with fewer tiles to tell from, the range is that of a block


@dataclass(frozen=True)
class Dependence:
    """Correction of the variance of a sum of block influences.

    Attributes:
        range_tiles: Distance in tiles from which effects are uncorrelated.
        factor: Multiplies the sum of squared block influences.
        degrees: Degrees of freedom of the product; 0 if fewer than two blocks have any weight.
    """

    range_tiles: float
    factor: float
    degrees: float


def correlate(units: SamplingUnits, range_tiles: float) -> np.ndarray:
    """Return the working correlation of the N tiles, shape ``(N, N)``; 0 between regions."""
    gaps = units.corners[:, None] - units.corners
    steps = np.minimum(np.hypot(gaps[..., 0], gaps[..., 1]) / GRID_M / range_tiles, 1.0)
    same = units.regions[:, None] == units.regions
    correlation: np.ndarray = np.where(same, 1 - 1.5 * steps + 0.5 * steps**3, 0.0)
    return correlation


def calibrate(units: SamplingUnits, range_tiles: float) -> Dependence:
    """Return the correction of a sum of squared block influences for a range of correlation."""
    if units.weighty < 2:
        return Dependence(range_tiles, float("nan"), 0.0)
    weights, correlation = units.weights, correlate(units, range_tiles)
    together = units.folds[:, None] == units.folds
    folds = units.folds.max() + 1
    centre = np.eye(len(weights)) - together * (weights * folds)  # minus the fold's weighted mean
    parts = units.add_up((weights[:, None] * centre).T)  # (N, blocks)
    covariance = parts.T @ correlation @ parts
    expected = float(np.trace(covariance))
    variance = float(weights @ correlation @ weights)
    return Dependence(range_tiles, variance / expected, expected**2 / float((covariance**2).sum()))


def estimate_range(
    influences: np.ndarray, units: SamplingUnits, block_tiles: int = BLOCK_TILES
) -> float:
    """Estimate the distance from which the effects of tiles are uncorrelated.

    Args:
        influences: Tile influences of F models or differences, shape ``(F, N)``; all share one range.
        units: Positions and weights of the tiles.
        block_tiles: Returned if too few tiles have landslides to tell.

    Returns:
        One of ``RANGES``, in tiles.
    """
    kept = units.weights >= MIN_SHARE / len(units.weights)
    groups = [np.flatnonzero(kept & (units.folds == fold)) for fold in np.unique(units.folds)]
    groups = [rows for rows in groups if len(rows) > 2]
    degrees = sum(len(rows) - 1 for rows in groups)
    effects = np.divide(
        influences, units.weights, out=np.zeros(influences.shape), where=units.weights > 0
    )
    if degrees < MIN_DEGREES or not any(effects[:, rows].any() for rows in groups):
        return float(block_tiles)
    fits = [_fit_range(effects, units, groups, degrees, one) for one in RANGES]
    return RANGES[int(np.argmax(fits))]


def _fit_range(
    effects: np.ndarray,
    units: SamplingUnits,
    groups: list[np.ndarray],
    degrees: int,
    range_tiles: float,
) -> float:
    """Return the restricted log-likelihood of a range, up to a constant; the variance is profiled out."""
    correlation = correlate(units, range_tiles)
    determinants = squares = 0.0
    for rows in groups:
        factor = cho_factor(correlation[np.ix_(rows, rows)] + NUGGET * np.eye(len(rows)))
        ones, values = np.ones(len(rows)), effects[:, rows].T
        solved_ones, solved = cho_solve(factor, ones), cho_solve(factor, values)
        mean = ones @ solved / (ones @ solved_ones)
        squares += float((values * solved).sum() - (mean**2).sum() * (ones @ solved_ones))
        determinants += 2 * float(np.log(np.diag(factor[0])).sum())
        determinants += log(float(ones @ solved_ones))
    return -0.5 * len(effects) * (determinants + degrees * log(squares))
