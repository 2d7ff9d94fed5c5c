"""Parts of a score's variance: how far each source alone would move the score of one training on one test area.

Each part is a standard deviation in units of the score, and is measured only where something varied it. A part of several means, such
as those of folds, is what remains of their variance after that of the seeds within them (method of moments, not below 0).

Reference:
    Searle, Casella & McCulloch (1992), Variance Components, Wiley. Bouthillier et al. (2021), Accounting for Variance in Machine
    Learning Benchmarks, MLSys 3 (seeds, searches and data as sources).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Literal

import numpy as np

from tuning.statistics.contrasts import Sample
from tuning.statistics.dependence import calibrate
from tuning.statistics.estimate import FIXED, INDEPENDENT, Kinds, SeedSpread
from tuning.statistics.influence import ModelScores

Source = Literal["seed", "search", "block", "fold", "world"]
SEED, DRAWS = 2018, 1999  # of the draws with equal variances
SURE = 0.99  # share of them above which two variances are called unequal
TINY = 1e-12  # below any variance of a score
SOURCES: tuple[Source, ...] = ("seed", "search", "block", "fold", "world")


@dataclass(frozen=True)
class VariancePart:
    """One part of a score's variance.

    Attributes:
        source: What varies.
        spread: Standard deviation of the score that it causes; NaN if it did not vary.
        degrees: On how many deviations that rests.
        note: How it was measured, or why it was not.
    """

    source: Source
    spread: float
    degrees: float
    note: str


def measure_seed_part(spread: SeedSpread) -> VariancePart:
    """Return the part of the seeds from their pooled variance."""
    if not np.isfinite(spread.degrees):
        return VariancePart("seed", nan, 0, "not varied here: one seed")
    note = "between seeds of one cell, pooled over cells"
    return VariancePart("seed", sqrt(spread.variance), spread.degrees, note)


def measure_block_part(sample: Sample, name: str) -> VariancePart:
    """Return the part of the spatial blocks: what another draw of as many blocks would change."""
    dependence = calibrate(sample.units, INDEPENDENT)
    if not dependence.degrees:
        return VariancePart("block", nan, 0, "not known: all test landslides lie in one block")
    squares = float((sample.units.add_up(sample.scores[name].influences) ** 2).sum())
    note = f"{sample.units.count} blocks of test tiles of the reference cell"
    return VariancePart("block", sqrt(squares * dependence.factor), dependence.degrees, note)


def measure_fold_part(by_fold: np.ndarray, spread: SeedSpread) -> VariancePart:
    """Return the part of the folds.

    Args:
        by_fold: Score of each seed on each fold, shape ``(S, F)``.
        spread: Variance of a seed's mean over folds.
    """
    seeds, folds = by_fold.shape
    if folds < 2:
        return VariancePart("fold", nan, 0, "not varied here: one split")
    within = spread.variance * folds / seeds  # a mean over folds varies 1 / folds as much as a fold
    variance = float(by_fold.mean(axis=0).var(ddof=1)) - within
    note = f"between {folds} folds, each with other train and test tiles"
    return VariancePart("fold", sqrt(max(variance, 0.0)), folds - 1, note)


def measure_replicate_part(
    source: Source, means: Sequence[float], seeds: Sequence[int], spread: SeedSpread, label: str
) -> VariancePart:
    """Return the part of a source that an axis varied at random, such as the search's seed.

    Args:
        source: What varied.
        means: Mean score of each level.
        seeds: Number of seeds of each level.
        spread: Variance of a single seed.
        label: What the levels are, such as ``seeds of the search``.
    """
    if len(means) < 2:
        return VariancePart(source, nan, 0, "not varied here")
    within = float(np.mean([spread.variance / count for count in seeds]))
    variance = float(np.var(means, ddof=1)) - within
    note = f"between {len(means)} {label}"
    return VariancePart(source, sqrt(max(variance, 0.0)), len(means) - 1, note)


def fill_parts(
    known: Mapping[Source, VariancePart], notes: Mapping[Source, str]
) -> list[VariancePart]:
    """Return a part for every source in the order of ``SOURCES``; those that did not vary say so.

    Args:
        known: Measured parts by source.
        notes: Why others were not measured, if there is more to say than "not varied here".
    """
    return [
        known.get(source, VariancePart(source, nan, 0, notes.get(source, "not varied here")))
        for source in SOURCES
    ]


def split_unequal(scores: Mapping[str, ModelScores], kinds: Kinds) -> dict[str, str]:
    """Split kinds whose models' seeds differ by clearly unequal variances, such as networks trained on very few tiles.

    Sorted by variance, a kind is split where the likelihood ratio of two variances instead of one is largest, if that is larger than in
    99 % of draws with equal variances; each part is split on. Small samples cannot show small inequalities, which remain pooled.

    Args:
        scores: Scores of the models.
        kinds: Their kinds.

    Returns:
        The kind of each model; a part of greater variance has the kind's name with a number.
    """
    found = dict(kinds)
    for kind in dict.fromkeys(kinds.values()):
        own = [name for name in scores if kinds.get(name) == kind and len(scores[name].pooled) > 1]
        if kind != FIXED and len(own) > 1:
            own.sort(key=lambda name: float(scores[name].pooled.var()))
            for number, names in enumerate(_split(own, scores), 1):
                found |= dict.fromkeys(names, kind if number == 1 else f"{kind} {number}")
    return found


def _split(names: list[str], scores: Mapping[str, ModelScores]) -> list[list[str]]:
    """Split models, sorted by variance, into runs of equal variance."""
    degrees = np.array([len(scores[name].pooled) - 1 for name in names], np.float64)
    variances = np.array([scores[name].pooled.var(ddof=1) for name in names])
    if len(names) < 2 or not variances[-1] > 0:
        return [names]
    ratios = _compare_splits(variances[None], degrees[None])[0]
    rng = np.random.default_rng(SEED)
    drawn = rng.chisquare(degrees, (DRAWS, len(names))) / degrees
    order = np.argsort(drawn, axis=1)
    equal = _compare_splits(np.take_along_axis(drawn, order, axis=1), degrees[order]).max(axis=1)
    if ratios.max() <= np.quantile(equal, SURE):
        return [names]
    cut = int(ratios.argmax()) + 1
    return [*_split(names[:cut], scores), *_split(names[cut:], scores)]


def _compare_splits(variances: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Return the likelihood ratio statistic of each split of sorted variances ``(R, k)`` in two, shape ``(R, k - 1)``."""
    squares = np.maximum(variances, TINY) * degrees
    below, first = squares.cumsum(axis=1)[:, :-1], degrees.cumsum(axis=1)[:, :-1]
    total, every = squares.sum(axis=1, keepdims=True), degrees.sum(axis=1, keepdims=True)
    above, last = total - below, every - first
    statistic: np.ndarray = (
        every * np.log(total / every) - first * np.log(below / first) - last * np.log(above / last)
    )
    return statistic
