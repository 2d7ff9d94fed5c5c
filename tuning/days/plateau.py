"""Days until average precision reaches a share of its plateau, the score with all acquisitions, and their interval.

The interval comes from a multiplier bootstrap of the whole curve: a draw multiplies each block's influences on all days by one
standard normal number, and each seed's deviations by another, so that a draw moves neighbouring days and the plateau together.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from tuning.days.result import SHARE, DaysToPlateau
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.bootstrap import percentile_interval
from tuning.statistics.dependence import Dependence
from tuning.statistics.estimate import FIXED

DRAWS = 999
SEED = 2018  # of the bootstrap: the same replays always yield the same intervals


def pool_deviations(
    curves: Mapping[str, np.ndarray], kinds: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Return the deviations of single seeds from their model's mean by kind, shape ``(R, D)``.

    They are divided so that the sum of their products over R is the covariance of a seed's scores on two days.

    Args:
        curves: Score of each seed on each day by model, shape ``(S, D)``.
        kinds: Kind of each model.
    """
    pooled: dict[str, np.ndarray] = {}
    for kind in set(kinds.values()):
        seeds = [curves[label] for label, own in kinds.items() if own == kind]
        degrees = sum(len(values) - 1 for values in seeds)
        rows = np.concatenate([values - values.mean(axis=0) for values in seeds])
        pooled[kind] = rows / np.sqrt(degrees) if degrees and kind != FIXED else 0 * rows
    return pooled


def draw_moves(
    influences: np.ndarray, deviations: np.ndarray, units: SamplingUnits, dependence: Dependence
) -> np.ndarray | None:
    """Draw how far blocks and seeds move a score, shape ``(DRAWS, D)``; None if blocks do not tell.

    Args:
        influences: Of the N tiles on each day, shape ``(D, N)``.
        deviations: Those of :func:`pool_deviations` that belong to a mean over seeds, shape ``(R, D)``.
        units: Blocks of the tiles.
        dependence: Correction of the sum of squared block influences.
    """
    if not dependence.degrees:
        return None
    rng = np.random.default_rng(SEED)
    blocks = units.add_up(influences) * np.sqrt(dependence.factor)  # (D, blocks)
    moves: np.ndarray = rng.standard_normal((DRAWS, blocks.shape[1])) @ blocks.T
    moves += rng.standard_normal((DRAWS, len(deviations))) @ deviations
    return moves


def find_plateau(
    days: np.ndarray, curve: np.ndarray, moves: np.ndarray | None, share: float = SHARE
) -> DaysToPlateau:
    """Find the first day on which a score reaches a share of its last value.

    Args:
        days: Ascending, shape ``(D,)``.
        curve: The score on each, shape ``(D,)``.
        moves: Bootstrap draws of its error, shape ``(draws, D)``; None for no interval.
        share: Share of the last value.
    """
    reach = partial(_find_first, days, share)
    if moves is None:
        return DaysToPlateau(float(reach(curve[None])[0]), np.nan, np.nan)
    low, high = percentile_interval(reach(np.maximum(curve + moves, 0)))
    return DaysToPlateau(float(reach(curve[None])[0]), low, high)


def _find_first(days: np.ndarray, share: float, curves: np.ndarray) -> np.ndarray:
    reached = curves >= share * curves[:, -1:] - 1e-12
    found: np.ndarray = days[reached.argmax(axis=1)].astype(np.float64)
    return found
