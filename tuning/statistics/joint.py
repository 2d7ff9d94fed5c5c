"""Joint draws of several models' scores: what their blocks share moves them together, and each model's seeds move it alone.

As in :mod:`tuning.statistics.bootstrap`, a draw multiplies every block's influence by a standard normal number, the same for all
models of a sample. The draws are stretched as Student's distribution with the degrees of freedom of each variance.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tuning.statistics.blocks import BLOCK_TILES
from tuning.statistics.bootstrap import DRAWS
from tuning.statistics.contrasts import Sample
from tuning.statistics.dependence import calibrate, estimate_range
from tuning.statistics.estimate import INDEPENDENT, Kinds, pool_seeds


def draw_jointly(
    samples: Sequence[Sample],
    kinds: Kinds,
    rng: np.random.Generator,
    draws: int = DRAWS,
    block_tiles: int = BLOCK_TILES,
) -> dict[str, np.ndarray]:
    """Draw the mean scores of all models as they may be in truth.

    Args:
        samples: All models, by their test tiles.
        kinds: Kind of each model, over which the seeds' variance is pooled.
        rng: The only source of randomness.
        draws: Number of draws.
        block_tiles: Edge of a block in tiles.

    Returns:
        By model ``(draws,)``: draw *k* of every model belongs together. Models whose blocks cannot show their spread move by
        their seeds alone.
    """
    scores = {name: one for sample in samples for name, one in sample.scores.items()}
    drawn = {name: np.full(draws, one.mean) for name, one in scores.items()}
    for sample in samples:
        moved = _draw_blocks(sample, rng, draws, block_tiles)
        for name, column in zip(sample.scores, moved.T, strict=True):
            drawn[name] += column
    for kind, spread in pool_seeds(scores, kinds).items():
        stretch = np.ones(draws)
        if np.isfinite(spread.degrees):
            stretch = np.sqrt(spread.degrees / rng.chisquare(spread.degrees, draws))
        for name, one in scores.items():
            if kinds.get(name, name) == kind:
                error = np.sqrt(spread.variance / len(one.pooled))
                drawn[name] += stretch * error * rng.standard_normal(draws)
    return drawn


def _draw_blocks(
    sample: Sample, rng: np.random.Generator, draws: int, block_tiles: int
) -> np.ndarray:
    """Draw what the blocks move, shape ``(draws, models)``."""
    tiles = np.stack([one.influences for one in sample.scores.values()])
    differences = tiles - tiles.mean(axis=0)
    reach = INDEPENDENT
    if np.abs(differences).max() > 0:
        reach = estimate_range(differences, sample.units, block_tiles)
    dependence = calibrate(sample.units, reach)
    if not dependence.degrees:
        return np.zeros((draws, len(tiles)))
    sums = sample.units.add_up(tiles) * np.sqrt(dependence.factor)
    stretch = np.sqrt(dependence.degrees / rng.chisquare(dependence.degrees, (draws, 1)))
    moved: np.ndarray = stretch * (rng.standard_normal((draws, sample.units.count)) @ sums.T)
    return moved


def first_place_changes(
    drawn: Mapping[str, np.ndarray], before: Sequence[str], after: Sequence[str]
) -> float:
    """Return the probability that another architecture has the first place.

    Args:
        drawn: From :func:`draw_jointly`.
        before: A model of each architecture, in the reference cell.
        after: The same architectures in another cell, in the same order.

    Raises:
        ValueError: If there are fewer than two architectures, or not the same number.
    """
    if len(before) != len(after) or len(before) < 2:
        raise ValueError(
            f"A first place needs two architectures or more in both cells, but got {len(before)} and {len(after)}. Leave "
            "it out."
        )
    first, second = (
        np.argmax([drawn[name] for name in names], axis=0) for names in (before, after)
    )
    return float((first != second).mean())
