"""Variances of differences and other linear combinations of models' scores: of the blocks, and of the seeds.

Reference:
    Satterthwaite (1946), An Approximate Distribution of Estimates of Variance Components, Biometrics Bulletin 2(6),
    doi:10.2307/3002019 (degrees of freedom of a sum).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuning.statistics.estimate import Kinds, match_degrees, pool_seeds
from tuning.statistics.influence import ModelScores


@dataclass(frozen=True)
class Variances:
    """Variances of P linear combinations of M models' scores.

    Attributes:
        blocks: Part of the blocks, shape ``(P,)``.
        seeds: Part of the seeds, shape ``(P,)``.
        degrees: Degrees of freedom of their sum, shape ``(P,)``.
        seed_errors: Standard error of each model's mean that its seeds cause, shape ``(M,)``.
    """

    blocks: np.ndarray
    seeds: np.ndarray
    degrees: np.ndarray
    seed_errors: np.ndarray


def add_variances(
    weights: np.ndarray,
    block_parts: Sequence[tuple[np.ndarray, np.ndarray | float]],
    scores: Mapping[str, ModelScores],
    kinds: Kinds,
) -> Variances:
    """Add the blocks' and the seeds' variances; models of one kind share one estimate of the seeds' variance.

    Args:
        weights: Weight of each model in each combination, shape ``(P, M)``.
        block_parts: Variance ``(P,)`` and degrees of freedom of the blocks, for each set of test tiles; 0 degrees where the
            blocks cannot show it.
        scores: Scores of the M models.
        kinds: Kind of each model; one that it omits is a kind of its own.
    """
    parts = [np.nan_to_num(part) for part, _ in block_parts]
    degrees: list[np.ndarray | float] = [np.where(each, each, 1.0) for _, each in block_parts]
    variances = np.zeros(len(scores))
    for kind, spread in pool_seeds(scores, kinds).items():
        own = [
            spread.variance / len(one.pooled) if kinds.get(name, name) == kind else 0.0
            for name, one in scores.items()
        ]
        variances += own
        parts.append(weights**2 @ np.array(own))
        degrees.append(spread.degrees)
    return Variances(
        np.sum([part for part, _ in block_parts], axis=0),
        np.sum(parts[len(block_parts) :], axis=0),
        match_degrees(parts, degrees),
        np.sqrt(variances),
    )
