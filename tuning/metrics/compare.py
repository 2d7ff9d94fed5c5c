"""Pairwise comparison and ranking of models by a paired bootstrap over seeds and tiles.

A model's score is the mean over its seeds of the score pooled over all tiles; higher is better. Any two models are compared
on the same resampled tiles. Tiles count as independent: if neighbours are alike, add up their sums and pass blocks as
tiles. A **tie** means that the data do not show a difference, not that the models are equal.

Reference:
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, Chapman & Hall. Holm (1979), A Simple Sequentially
    Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6(2). Agarwal et al. (2021), Deep Reinforcement
    Learning at the Edge of the Statistical Precipice, arXiv:2108.13264 (probability of improvement).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from data.io.errors import unknown_name
from tuning.metrics.bootstrap import (
    DRAWS,
    LEVEL,
    Estimate,
    Replicates,
    bootstrap_p_value,
    estimate,
    estimate_from_replicates,
    interquartile_mean,
    percentile_interval,
    probability_of_improvement,
    resample,
)
from tuning.metrics.tile_sums import Score, pooled_ap, pooled_f1, pooled_iou, reduce_counts

__all__ = ["DRAWS", "Comparison", "Estimate", "Rank", "Replicates", "Score", "adjust_holm"]
__all__ += ["compare_all", "compare_drawn", "compare_pair", "estimate", "interquartile_mean"]
__all__ += ["pooled_ap", "pooled_f1", "pooled_iou", "rank_groups", "reduce_counts", "resample"]
__all__ += ["estimate_from_replicates"]

MARGIN = 0.02  # difference in average precision below which two models count as equivalent
MIN_SEEDS = 3  # two seeds give one deviation: too little to estimate a standard deviation
TOO_FEW = "too few seeds"
Verdict = Literal["better", "worse", "tie"]


@dataclass(frozen=True)
class Comparison:
    """Model *a* against model *b*.

    Attributes:
        a, b: Names.
        difference: Mean pooled score of *a* minus that of *b*.
        low, high: 95 % paired bootstrap interval of it, not adjusted for the number of comparisons.
        p: Two-sided bootstrap p-value, (1 + count) / (1 + draws): never 0.
        p_adjusted: The same after Holm, over all comparisons of one call.
        improvement: Probability that a seed of *a* scores above one of *b*: share of the seed x seed pairs, ties half.
        improvement_low, improvement_high: Its 95 % interval; too narrow for few seeds that never cross.
        seeds: Number of seeds of *a* and of *b*.
        verdict: Of *a*: ``better`` or ``worse`` if *p_adjusted* < 0.05 and the interval excludes 0, else ``tie``.
        note: ``too few seeds`` if a model that is not deterministic has fewer than 3 seeds: always a tie.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    improvement: float
    improvement_low: float
    improvement_high: float
    seeds: tuple[int, int]
    verdict: Verdict
    note: str


def adjust_holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values so that 0.05 bounds the probability of *any* false finding (Holm 1979).

    The k-th smallest of m (k from 0) is multiplied by m - k, and is at least its predecessor.
    """
    adjusted, least = [0.0] * len(p), 0.0
    for k, at in enumerate(sorted(range(len(p)), key=lambda at: p[at])):
        least = max(least, min(1.0, (len(p) - k) * p[at]))
        adjusted[at] = least
    return adjusted


def _compare_pair(names: tuple[str, str], a: Replicates, b: Replicates, note: str) -> Comparison:
    gaps = a.means - b.means
    p = bootstrap_p_value(gaps)
    return Comparison(
        *names,
        float(a.pooled.mean() - b.pooled.mean()),
        *percentile_interval(gaps),
        p,
        p,
        *probability_of_improvement(a, b),
        seeds=(len(a.pooled), len(b.pooled)),
        verdict="tie",
        note=note,
    )


def decide_verdict(pairs: Sequence[Comparison]) -> list[Comparison]:
    """Adjust the p-values of *pairs* as one family of tests (Holm), and set each verdict."""
    judged = []
    for pair, p in zip(pairs, adjust_holm([pair.p for pair in pairs]), strict=True):
        verdict: Verdict = "tie"
        if not pair.note and p < 1 - LEVEL:
            if min(pair.low, pair.difference) > 0:
                verdict = "better"
            elif max(pair.high, pair.difference) < 0:
                verdict = "worse"
        judged.append(replace(pair, p_adjusted=p, verdict=verdict))
    return judged


def _check_family(
    models: Mapping[str, Replicates], deterministic: Collection[str], draws: int
) -> None:
    if len(models) < 2:
        raise ValueError(f"A comparison needs two models, but got {list(models)}. Add another.")
    pairs = len(models) * (len(models) - 1) // 2
    if pairs / (1 + draws) >= 1 - LEVEL:  # the least p that Holm can leave
        raise ValueError(f"{pairs} pairs need {20 * pairs} draws, but got {draws=}. Draw more.")
    for name in deterministic:
        if name not in models:
            raise ValueError(unknown_name("deterministic model", name, models))
        if (seeds := len(models[name].pooled)) != 1:
            raise ValueError(
                f"A deterministic model must have S = 1, but got {seeds} seeds for {name!r}. "
                "Leave it out of the deterministic ones."
            )


def compare_all(
    models: Mapping[str, np.ndarray],
    score: Score,
    strata: np.ndarray,
    rng: np.random.Generator,
    deterministic: Collection[str] = (),
    draws: int = DRAWS,
) -> list[Comparison]:
    """Compare every two models; seeds are paired by index where both have as many, else drawn apart.

    Args:
        models: Name to ``sums (S, N, D)``, the same tiles in the same order.
        score: From ``total (..., D)`` to ``(...)``; higher is better.
        strata: Group of each tile, shape ``(N,)``, such as 1 with landslides and 0 without.
        rng: The only source of randomness: the same state gives the same numbers.
        deterministic: Models that no seed changes, with S = 1. All others need 3 seeds for a verdict other than a tie.
        draws: Bootstrap resamples.

    Returns:
        All unordered pairs in the order of *models*, with p-values adjusted over them.

    Raises:
        ValueError: If there is one model only, too few draws for so many pairs, *deterministic* names an unknown model or
            one with several seeds, or :func:`tuning.metrics.bootstrap.resample` raises.
    """
    return compare_drawn(resample(models, score, strata, rng, draws), deterministic)


def compare_drawn(
    drawn: Mapping[str, Replicates], deterministic: Collection[str] = ()
) -> list[Comparison]:
    """Compare every two models of one :func:`resample`, as :func:`compare_all` does."""
    _check_family(drawn, deterministic, min((len(one.means) for one in drawn.values()), default=0))
    seeds = {name: len(one.pooled) for name, one in drawn.items()}
    few = {name for name in drawn if seeds[name] < MIN_SEEDS and name not in deterministic}
    return decide_verdict(
        [
            _compare_pair((a, b), drawn[a], drawn[b], TOO_FEW if few & {a, b} else "")
            for a, b in combinations(drawn, 2)
        ]
    )


def compare_pair(
    a: np.ndarray,
    b: np.ndarray,
    score: Score,
    strata: np.ndarray,
    rng: np.random.Generator,
    names: tuple[str, str] = ("a", "b"),
    deterministic: Collection[str] = (),
    draws: int = DRAWS,
) -> Comparison:
    """Compare two models, as :func:`compare_all` does with one pair."""
    models = dict(zip(names, (a, b), strict=True))
    return compare_all(models, score, strata, rng, deterministic, draws)[0]


@dataclass(frozen=True)
class Rank:
    """A model's mean and its group; all models of group 1 tie with the best."""

    name: str
    mean: float
    group: int


def rank_groups(means: Mapping[str, float], comparisons: Sequence[Comparison]) -> list[Rank]:
    """Order models by falling mean, in groups of those that tie with the best of their group.

    Group 1 is the best model and all that tie with it, group 2 the best of the rest and all of the rest that tie with that
    one, and so on. A model with too few seeds ties with everything: it is not shown to be worse.

    Raises:
        ValueError: If *comparisons* lacks a pair of *means*.
    """
    ties = {frozenset((pair.a, pair.b)): pair.verdict == "tie" for pair in comparisons}
    order = sorted(means, key=lambda name: (-means[name], name))
    for a, b in combinations(order, 2):
        if frozenset((a, b)) not in ties:
            raise ValueError(
                f"A ranking needs every pair, but got no comparison of {a!r} and {b!r}. "
                "Pass all of compare_all."
            )
    groups: dict[str, int] = {}
    for best in order:
        if best not in groups:
            number = max(groups.values(), default=0) + 1
            rest = [name for name in order if name not in groups]
            groups |= {x: number for x in rest if x == best or ties[frozenset((best, x))]}
    return [Rank(name, means[name], groups[name]) for name in order]
