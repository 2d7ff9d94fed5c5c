"""Interval of every score of a matrix, with the seeds' variance pooled over all cells of an architecture."""

from collections.abc import Mapping

from threadpoolctl import threadpool_limits

from tuning.matrix.results import MatrixResults
from tuning.statistics.estimate import find_intervals, pool_seeds

Interval = tuple[float, float]


def measure_intervals(results: MatrixResults) -> Mapping[str, Interval]:
    """Return the 95 % interval of each model's score in each cell, by its name in statistics; NaN where there is none."""
    samples, kinds = results.samples, results.kinds
    scores = {name: one for sample in samples for name, one in sample.scores.items()}
    spreads = pool_seeds(scores, kinds)
    intervals: dict[str, Interval] = {}
    with threadpool_limits(1):  # the matrices are small: more threads only wait
        for sample in samples:
            found = find_intervals(sample.scores, sample.units, spreads, kinds)
            intervals |= {name: (low, high) for name, (low, high, _) in found.items()}
    return intervals
