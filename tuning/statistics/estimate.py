"""Estimates: a model's score with the interval that its test tiles and seeds allow.

The variance of a mean score has two parts: of the spatial blocks (:mod:`tuning.statistics.dependence`) and of the seeds. The
seeds' variance is pooled over models of one kind, because two or three deviations of one model estimate it poorly; seeds of two
models have nothing in common, so they are never paired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from tuning.metrics.tile_sums import Score
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.bootstrap import LEVEL
from tuning.statistics.dependence import Dependence, calibrate
from tuning.statistics.influence import ModelScores, measure_scores

Kinds = Mapping[str, str]  # by model; the seeds' variance is pooled over models of a kind
MANY = 1e9  # degrees of freedom of a variance that is known
# Range of correlation for a single model, whose blocks count as independent. The influences of its tiles follow the density of
# landslides over the whole area; a range estimated from that trend made standard errors of
# log-ratios six times their standard deviation over twin worlds, this range twice.
INDEPENDENT = 1.0
NOTHING = 1e-12  # half of an interval that rounding alone makes
FIXED = ""  # kind of a model that no seed changes


@dataclass(frozen=True)
class Estimate:
    """The score of one model.

    Attributes:
        mean: Mean over seeds of the score, itself the mean over folds.
        std: Standard deviation of that over seeds (S - 1 in the denominator); NaN for one seed.
        low, high: 95 % interval of *mean* over blocks and seeds, within the range of scores; NaN if it is not defined, as with one
            block or blocks without any difference.
        iqm: Interquartile mean of the scores of single tiles, over the matrix of seeds x tiles.
        seeds, tiles: Shape of that matrix.
        scored_tiles: Tiles with a score in at least one seed. *iqm* skips the others: a tile without landslides has no
            average precision.
        degrees: Degrees of freedom of the interval.
    """

    mean: float
    std: float
    low: float
    high: float
    iqm: float
    seeds: int
    tiles: int
    scored_tiles: int
    degrees: float


@dataclass(frozen=True)
class SeedSpread:
    """Variance of a score between seeds, pooled over the models of one kind.

    Attributes:
        variance: Of a single seed; 0 if there is no deviation to estimate it from.
        degrees: Number of deviations: the sum of S - 1 over models; infinite for models without seeds.
    """

    variance: float
    degrees: float


def pool_seeds(scores: Mapping[str, ModelScores], kinds: Kinds) -> dict[str, SeedSpread]:
    """Pool the seeds' variance of the models of each kind; a model that *kinds* omits is a kind of its own."""
    groups: dict[str, list[np.ndarray]] = {}
    for name, one in scores.items():
        groups.setdefault(kinds.get(name, name), []).append(one.pooled)
    spreads = {}
    for kind, pooled in groups.items():
        degrees = sum(len(values) - 1 for values in pooled)
        squares = sum(float(((values - values.mean()) ** 2).sum()) for values in pooled)
        known = kind != FIXED and degrees > 0
        spreads[kind] = SeedSpread(
            squares / degrees if known else 0.0, degrees if known else np.inf
        )
    return spreads


def match_degrees(
    variances: Sequence[np.ndarray], degrees: Sequence[np.ndarray | float]
) -> np.ndarray:
    """Return the degrees of freedom of a sum of estimated variances (Satterthwaite 1946)."""
    total = np.sum(variances, axis=0)
    parts = np.sum([v**2 / d for v, d in zip(variances, degrees, strict=True)], axis=0)
    matched: np.ndarray = np.divide(
        total**2, parts, out=np.full(total.shape, MANY), where=parts > 0
    )
    return np.asarray(np.minimum(matched, MANY))


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


def interquartile_mean(values: np.ndarray) -> float:
    """Return the mean without the lowest and the highest quarter (rounded down); NaN values are ignored."""
    kept = np.sort(values[~np.isnan(values)])
    cut = kept.size // 4
    return float(kept[cut : kept.size - cut].mean()) if kept.size else float("nan")


def estimate_all(
    models: Mapping[str, np.ndarray],
    score: Score,
    units: SamplingUnits,
    kinds: Kinds | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> dict[str, Estimate]:
    """Estimate the score of every model.

    Args:
        models: Name to ``sums (S, N, D)``, the same tiles in the same order.
        score: From ``total (..., D)`` to ``(...)``.
        units: Blocks and folds of the tiles.
        kinds: Kind of each model for the pooled variance of seeds; each a kind of its own if None.
        limits: Range of the score, to which intervals are cut.

    Raises:
        ValueError: As :func:`tuning.statistics.influence.measure_scores`.
    """
    scores = measure_scores(models, score, units)
    intervals = find_intervals(scores, units, pool_seeds(scores, kinds or {}), kinds, limits)
    estimates = {}
    for name, one in scores.items():
        cells = score(models[name])
        scored = ~np.isnan(cells)
        low, high, degrees = intervals[name]
        estimates[name] = Estimate(
            mean=one.mean,
            std=float(one.pooled.std(ddof=1)) if len(one.pooled) > 1 else float("nan"),
            low=low,
            high=high,
            iqm=interquartile_mean(cells),
            seeds=cells.shape[0],
            tiles=cells.shape[1],
            scored_tiles=int(scored.any(axis=0).sum()),
            degrees=degrees,
        )
    return estimates


def find_intervals(
    scores: Mapping[str, ModelScores],
    units: SamplingUnits,
    spreads: Mapping[str, SeedSpread],
    kinds: Kinds | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> dict[str, tuple[float, float, float]]:
    """Return the ends of each mean score's 95 % interval over blocks and seeds, and its degrees of freedom.

    Args:
        scores: Scores and influences by model, all of the same tiles.
        units: Blocks and folds of the tiles.
        spreads: Variance of seeds by kind, from :func:`pool_seeds` of these models or of more.
        kinds: Kind of each model; each a kind of its own if None.
        limits: Range of the score, to which intervals are cut.

    Returns:
        By model: low, high, degrees; NaN, NaN and 0 where the blocks do not show the spread.
    """
    dependence = calibrate(units, INDEPENDENT)
    return {
        name: _find_interval(one, units, dependence, spreads[(kinds or {}).get(name, name)], limits)
        for name, one in scores.items()
    }


def _find_interval(
    one: ModelScores,
    units: SamplingUnits,
    dependence: Dependence,
    spread: SeedSpread,
    limits: tuple[float, float],
) -> tuple[float, float, float]:
    blocks = float((units.add_up(one.influences) ** 2).sum()) * dependence.factor
    parts = np.array([blocks]), np.array([spread.variance / len(one.pooled)])
    degrees, half = 0.0, float("nan")
    if dependence.degrees:
        degrees = float(match_degrees(parts, (dependence.degrees, spread.degrees))[0])
        half = float(stdtrit(degrees, (1 + LEVEL) / 2) * np.sqrt(sum(parts))[0])
    if not half > NOTHING:  # all blocks are alike, as those of a perfect map: they show no spread
        degrees, half = 0.0, float("nan")
    low, high = (float(np.clip(one.mean + side * half, *limits)) for side in (-1, 1))
    return low, high, degrees
