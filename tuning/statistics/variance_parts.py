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
from tuning.statistics.estimate import INDEPENDENT, SeedSpread

Source = Literal["seed", "search", "block", "fold", "world"]
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
