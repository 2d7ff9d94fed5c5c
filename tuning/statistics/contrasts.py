"""Linear combinations of models' scores, such as the effect of a level, a mean effect, or a difference of differences.

A model here is one architecture in one cell of a matrix. Models that were measured on the same test tiles are paired: their block
influences are combined before they are squared. Those on other tiles are independent, so their variances add up. Seeds are never
paired; their variance is pooled over the models of one kind. A combination has Student's distribution with the degrees of freedom
that match its estimated variance (Satterthwaite).

Reference:
    Schuirmann (1987), A comparison of the two one-sided tests procedure, Journal of Pharmacokinetics and Biopharmaceutics
    15(6), doi:10.1007/BF01068419 (equivalence).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from scipy.special import stdtr, stdtrit

from tuning.statistics.blocks import BLOCK_TILES, MIN_BLOCKS, SamplingUnits, count_effective
from tuning.statistics.dependence import MIN_SHARE, calibrate, estimate_range
from tuning.statistics.estimate import (
    FIXED,
    INDEPENDENT,
    Kinds,
    Variances,
    add_variances,
    pool_seeds,
)
from tuning.statistics.family import FEW_UNITS, MIN_SEEDS, ONE_BLOCK, TOO_FEW
from tuning.statistics.influence import ModelScores
from tuning.statistics.power import Needs, plan_decision

BALANCED = 1e-9  # weights whose sum is smaller cancel what all models find hard
Weights = Mapping[str, float]  # by model


@dataclass(frozen=True)
class Sample:
    """Models that were measured on the same test tiles.

    Attributes:
        units: Blocks and folds of the N tiles.
        scores: By model; names are unique over all samples.
    """

    units: SamplingUnits
    scores: Mapping[str, ModelScores]


@dataclass(frozen=True)
class Contrast:
    """A linear combination of scores.

    Attributes:
        estimate: Its value.
        error: Standard error.
        degrees: Degrees of freedom of the error.
        low, high: 95 % interval, of this combination on its own.
        low90, high90: 90 % interval.
        p: Two-sided p-value, not adjusted; NaN if *note* says why there is no test.
        blocks: Spatial blocks of all its test tiles.
        effective_blocks: On how many it rests.
        seeds: Fewest seeds of a model in it that seeds change; 1 if there is none.
        paired: Whether all its models were measured on the same tiles.
        block_variance, seed_variance: Parts of the squared error.
        note: Why nothing can be decided; empty if something can.
    """

    estimate: float
    error: float
    degrees: float
    low: float
    high: float
    low90: float
    high90: float
    p: float
    blocks: int
    effective_blocks: float
    seeds: int
    paired: bool
    block_variance: float
    seed_variance: float
    note: str = ""

    def p_equivalent(self, margin: float) -> float:
        """Return the p-value of two one-sided tests that the true value lies outside of plus or minus *margin*."""
        if np.isnan(self.p):
            return nan
        room = margin - abs(self.estimate)
        if not self.error:
            return 0.0 if room > 0 else 1.0
        return float(stdtr(self.degrees, -room / self.error))

    def plan(self, tests: int = 1) -> Needs:
        """Return what it can decide, at the 5 % level of one test among *tests* (Bonferroni, the first step of Holm and FDR)."""
        critical = float(stdtrit(max(self.degrees, 1.0), 1 - 0.025 / tests))
        return plan_decision(
            self.estimate,
            self.block_variance,
            self.seed_variance,
            critical,
            max(self.degrees, 1.0),
            self.seeds,
            self.blocks,
        )


def estimate_contrasts(
    samples: Sequence[Sample],
    contrasts: Sequence[Weights],
    kinds: Kinds,
    block_tiles: int = BLOCK_TILES,
) -> list[Contrast]:
    """Estimate linear combinations of scores.

    Args:
        samples: All models, by their test tiles.
        contrasts: Weights of the models in each combination; a model that it omits has the weight 0.
        kinds: Kind of each model, over which the seeds' variance is pooled, such as its architecture; ``FIXED`` for a model that
            no seed changes.
        block_tiles: Edge of a block in tiles.

    Raises:
        ValueError: If a combination has a model that no sample has, or a model is in two samples.
    """
    scores = {name: one for sample in samples for name, one in sample.scores.items()}
    _check(samples, scores, contrasts)
    if not contrasts:
        return []
    weights = np.array([[each.get(name, 0.0) for name in scores] for each in contrasts])
    parts = [_combine_blocks(sample, scores, weights, block_tiles) for sample in samples]
    variances = add_variances(
        weights, [(part.variance, part.degrees) for part in parts], scores, kinds
    )
    estimates = weights @ np.array([one.mean for one in scores.values()])
    notes = _find_notes(parts, weights, scores, kinds)
    return [
        _make_contrast(row, estimates[row], variances, parts, weights, scores, kinds, notes[row])
        for row in range(len(contrasts))
    ]


def _check(
    samples: Sequence[Sample], scores: Mapping[str, ModelScores], contrasts: Sequence[Weights]
) -> None:
    if len(scores) < sum(len(sample.scores) for sample in samples):
        raise ValueError(
            f"A model must be in one sample, but got some of {list(scores)} in two. Name models of two cells apart."
        )
    for contrast in contrasts:
        if unknown := [name for name in contrast if name not in scores]:
            raise ValueError(
                f"A contrast must be of measured models, but got {unknown[0]!r}, not among {list(scores)}. Leave it out."
            )


@dataclass(frozen=True)
class _BlockPart:
    """What one sample's blocks add to P combinations: block influences ``(P, blocks)``, variance and its degrees ``(P,)``."""

    sums: np.ndarray
    variance: np.ndarray
    degrees: np.ndarray


def _combine_blocks(
    sample: Sample, scores: Mapping[str, ModelScores], weights: np.ndarray, block_tiles: int
) -> _BlockPart:
    """Combine the influences of a sample's tiles; combinations that are no differences within it count blocks as independent."""
    names = list(scores)
    own = weights[:, [names.index(name) for name in sample.scores]]
    tiles = own @ np.stack([one.influences for one in sample.scores.values()])
    sums = sample.units.add_up(tiles)
    squares = (sums**2).sum(axis=1)
    balanced = np.abs(own.sum(axis=1)) < BALANCED
    alone = calibrate(sample.units, INDEPENDENT)
    differences = tiles[balanced & (squares > 0)]
    near = alone
    if len(differences):
        common = np.mean([one.influences for one in sample.scores.values()], axis=0)
        own_effects = _remove_common(differences, common, sample.units)
        near = calibrate(sample.units, estimate_range(own_effects, sample.units, block_tiles))
    factors = np.where(balanced, near.factor, alone.factor)
    variance = np.where(squares > 0, squares * factors, 0.0)
    return _BlockPart(sums, variance, np.where(balanced, near.degrees, alone.degrees))


def _remove_common(differences: np.ndarray, common: np.ndarray, units: SamplingUnits) -> np.ndarray:
    """Remove from tiles' influences on differences what follows those on the mean score of all models.

    A large effect is large where all models find landslides easily, and that follows their density over the whole area. The
    range of correlation estimated with that trend made standard errors of simulated effects of 0.2 AP twice as large as their
    standard deviation; without it they agree, whatever the true range.
    """
    kept = units.weights >= MIN_SHARE / len(units.weights)
    shared = common[kept] / units.weights[kept]
    shared = shared - shared.mean()
    squares = float(shared @ shared)
    if not squares > 0:
        return differences
    slopes = (differences[:, kept] / units.weights[kept]) @ shared / squares
    left: np.ndarray = differences - slopes[:, None] * common
    return left


def _find_notes(
    parts: Sequence[_BlockPart],
    weights: np.ndarray,
    scores: Mapping[str, ModelScores],
    kinds: Kinds,
) -> list[str]:
    """Say why a combination cannot be tested: one block, few blocks, or an unknown variance of seeds."""
    spreads = pool_seeds(scores, kinds)
    unknown = [
        kinds.get(name, name) != FIXED
        and not MIN_SEEDS - 1 <= spreads[kinds.get(name, name)].degrees < np.inf
        for name in scores
    ]
    notes = []
    for row, each in enumerate(weights):
        used = [part for part in parts if part.sums[row].any()]
        note = TOO_FEW if (np.array(unknown) & (each != 0)).any() else ""
        if any(part.sums.shape[1] < MIN_BLOCKS for part in used):
            note = FEW_UNITS
        if any(not part.degrees[row] for part in used):
            note = ONE_BLOCK
        notes.append(note)
    return notes


def _make_contrast(
    row: int,
    estimate: float,
    variances: Variances,
    parts: Sequence[_BlockPart],
    weights: np.ndarray,
    scores: Mapping[str, ModelScores],
    kinds: Kinds,
    note: str,
) -> Contrast:
    degrees = float(variances.degrees[row])
    error = sqrt(variances.blocks[row] + variances.seeds[row])
    half, half90 = (error * float(stdtrit(degrees, 1 - tail)) for tail in (0.025, 0.05))
    p = float(estimate == 0)
    if error:
        p = 2 * float(stdtr(degrees, -abs(estimate) / error))
    seeds = [
        len(one.pooled)
        for (name, one), weight in zip(scores.items(), weights[row], strict=True)
        if weight and kinds.get(name, name) != FIXED
    ]
    used = [part.sums[row] for part in parts if part.sums[row].any()]
    return Contrast(
        float(estimate),
        error,
        degrees,
        float(estimate - half),
        float(estimate + half),
        float(estimate - half90),
        float(estimate + half90),
        nan if note else p,
        sum(map(len, used)) or max(part.sums.shape[1] for part in parts),
        count_effective(np.concatenate(used)) if used else nan,
        min(seeds, default=1),
        len(used) <= 1,
        float(variances.blocks[row]),
        float(variances.seeds[row]),
        note,
    )
