"""What a comparison can decide: the smallest difference with 80 % power, and what would decide the observed one.

Reference:
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., Lawrence Erlbaum (80 % power).
"""

from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt

from scipy.special import stdtrit

POWER = 0.80


@dataclass(frozen=True)
class Needs:
    """What a comparison of two models can decide.

    Attributes:
        error: Standard error of the difference.
        detectable: Smallest true difference that is found with 80 % power.
        seeds: Seeds of each model that would find the observed difference with 80 % power on the same blocks; infinite if
            no number does.
        blocks: Spatial blocks of test tiles that would, with the same seeds; infinite if no number does.
    """

    error: float
    detectable: float
    seeds: float
    blocks: float


def plan_decision(
    difference: float,
    block_variance: float,
    seed_variance: float,
    critical: float,
    degrees: float,
    seeds: int,
    blocks: int,
) -> Needs:
    """Return what a comparison can decide and what would decide it.

    Args:
        difference: Observed difference.
        block_variance: Part of its variance that the blocks cause, NaN if it is not known.
        seed_variance: Part that the seeds cause.
        critical: Critical value of the standardised difference.
        degrees: Degrees of freedom of the standard error.
        seeds: Seeds of each model now.
        blocks: Spatial blocks now.
    """
    error = sqrt(block_variance + seed_variance)
    if not isfinite(error):
        return Needs(nan, nan, inf, inf)
    reach = critical + float(stdtrit(degrees, POWER))
    allowed = (difference / reach) ** 2  # variance at which the difference is found
    return Needs(
        error,
        reach * error,
        _scale(seeds, seed_variance, allowed - block_variance),
        _scale(blocks, block_variance, allowed - seed_variance),
    )


def _scale(count: int, variance: float, allowed: float) -> float:
    """Return the number at which a part of the variance, which falls as 1 / number, is as small as allowed."""
    return inf if allowed <= 0 else count * variance / allowed
