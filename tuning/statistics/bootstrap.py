"""A multiplier bootstrap for several differences at once: intervals and p-values that hold together.

A draw multiplies every block's influence by a standard normal number, the same for all models, and adds a normal deviation for
the seeds of each model. The largest standardised difference of a draw gives a critical value that all comparisons of a family
share (max-t). So the probability of any false finding is bounded, and an interval excludes 0 just where its p-value is small.

Reference:
    Chernozhukov, Chetverikov & Kato (2013), Gaussian approximations and multiplier bootstrap for maxima of sums, The Annals
    of Statistics 41(6), doi:10.1214/13-AOS1161. Romano & Wolf (2005), Exact and Approximate Stepdown Methods for Multiple
    Hypothesis Testing, Journal of the American Statistical Association 100(469), doi:10.1198/016214504000000539.
"""

from math import ceil

import numpy as np
from scipy.special import gammaincinv

DRAWS = 4999
LEVEL = 0.95


def draw_largest(
    blocks: np.ndarray,
    seeds: np.ndarray,
    pairs: np.ndarray,
    degrees: np.ndarray,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> np.ndarray:
    """Draw the largest absolute standardised difference under the hypothesis that no two models differ.

    Args:
        blocks: Corrected block influences of M models, shape ``(M, blocks)``.
        seeds: Standard error of each model's mean that its seeds cause, shape ``(M,)``.
        pairs: Indices of the P compared models, shape ``(P, 2)``.
        degrees: Degrees of freedom of each difference's standard error, shape ``(P,)``.
        rng: The only source of randomness.
        draws: Number of draws.

    Returns:
        Shape ``(draws,)``, ascending. Pairs without any deviation count as 0.

    Raises:
        TypeError: If *rng* is no Generator.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"Randomness must come from a numpy.random.Generator, but got {type(rng).__name__}. "
            "Pass numpy.random.default_rng(SEED)."
        )
    moved = rng.standard_normal((draws, blocks.shape[1])) @ blocks.T
    moved += rng.standard_normal((draws, len(seeds))) * seeds
    first, second = pairs.T
    errors = np.sqrt(
        ((blocks[first] - blocks[second]) ** 2).sum(axis=1) + seeds[first] ** 2 + seeds[second] ** 2
    )
    gaps = np.abs(moved[:, first] - moved[:, second])
    gaps = np.divide(gaps, errors, out=np.zeros_like(gaps), where=errors > 0)
    chi_squared = 2 * gammaincinv(degrees / 2, rng.uniform(size=(draws, 1)))
    stretch = np.sqrt(degrees / chi_squared)
    return np.sort((gaps * stretch).max(axis=1))


def critical_value(largest: np.ndarray, level: float = LEVEL) -> float:
    """Return the value above which a standardised difference has p < 1 - *level* by :func:`p_value`."""
    beyond = ceil((1 - level) * (1 + len(largest))) - 2
    return float(largest[len(largest) - 1 - beyond])


def p_value(largest: np.ndarray, standardised: float) -> float:
    """Return the p-value of a standardised difference, adjusted for all comparisons of the draws; never 0."""
    beyond = len(largest) - int(np.searchsorted(largest, abs(standardised), side="left"))
    return (1 + beyond) / (1 + len(largest))


def percentile_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the central 95 % of bootstrap replicates."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
