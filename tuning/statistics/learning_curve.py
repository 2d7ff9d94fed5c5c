"""A monotone curve a - b n^-c of a score over an amount n, such as the number of train tiles, and what more of it would bring.

The curve rises to a plateau a <= 1 with b >= 0 and c > 0, the power law that learning curves follow over their middle range. For a
given c it is linear in a and b, so all curves of a bootstrap are fitted at once, on a grid of c. The band comes from joint draws
of the levels' scores (:mod:`tuning.statistics.joint`): the whole curve is fitted to each draw anew.

Reference:
    Cortes, Jackel, Solla, Vapnik & Denker (1993), Learning Curves: Asymptotic Values and Rate of Convergence, NIPS 6. Viering &
    Loog (2023), The Shape of Learning Curves: a Review, IEEE TPAMI 45(6), doi:10.1109/TPAMI.2022.3220744.
"""

from dataclasses import dataclass

import numpy as np

from tuning.statistics.bootstrap import percentile_interval

MIN_LEVELS = 3  # a curve of three numbers goes through fewer exactly
EXPONENTS = np.geomspace(0.02, 5.0, 120)  # c; below it is a line over log n, above it a step
GRID = 60  # points of the drawn curve
GAIN = 0.01  # of average precision
REACH = 4.0  # the drawn curve ends at so many times the largest amount


@dataclass(frozen=True)
class LearningCurve:
    """A fitted curve.

    Attributes:
        plateau, scale, exponent: a, b and c of a - b (n / largest n)^-c.
        amounts: Amounts of the L levels, ascending, shape ``(L,)``.
        scores: Scores of the levels, shape ``(L,)``.
        grid: Amounts at which the curve is drawn, shape ``(GRID,)``; the last lies beyond the largest amount.
        fitted: The curve there, shape ``(GRID,)``.
        low, high: 95 % band, shape ``(GRID,)`` each.
        more: Amount to add to the largest for a score higher by ``GAIN``; infinite if no amount gives it.
        more_low, more_high: 95 % interval of it; may be infinite.
    """

    plateau: float
    scale: float
    exponent: float
    amounts: np.ndarray
    scores: np.ndarray
    grid: np.ndarray
    fitted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    more: float
    more_low: float
    more_high: float


def fit_learning_curve(amounts: np.ndarray, scores: np.ndarray, drawn: np.ndarray) -> LearningCurve:
    """Fit a curve to the scores of levels, and again to every joint draw of them.

    Args:
        amounts: Amounts of the L levels, shape ``(L,)``, above 0.
        scores: Scores of the levels from 0 to 1, shape ``(L,)``.
        drawn: Joint draws of the scores, shape ``(draws, L)``.

    Raises:
        ValueError: If there are fewer than ``MIN_LEVELS`` levels, or amounts are not ascending numbers above 0.
    """
    amounts, scores = np.asarray(amounts, np.float64), np.asarray(scores, np.float64)
    _check(amounts)
    relative = amounts / amounts[-1]
    grid = np.geomspace(amounts[0], REACH * amounts[-1], GRID)
    point = _fit(relative, scores[None])
    curves = _fit(relative, drawn)
    reached = _evaluate(curves, grid / amounts[-1]).clip(0.0, 1.0)  # as scores are
    bands = np.quantile(reached, [0.025, 0.975], axis=0)
    more = _find_more(point)[0] * amounts[-1]
    low, high = _percentiles(_find_more(curves) * amounts[-1])
    a, b, c = point[0]
    return LearningCurve(
        *(float(a), float(b), float(c)),
        *(amounts, scores, grid, _evaluate(point, grid / amounts[-1])[0], bands[0], bands[1]),
        *(float(more), low, high),
    )


def _check(amounts: np.ndarray) -> None:
    if len(amounts) < MIN_LEVELS:
        raise ValueError(
            f"A learning curve needs {MIN_LEVELS} levels, but got {len(amounts)}. Add levels to the axis."
        )
    if not (np.diff(amounts) > 0).all() or not amounts[0] > 0:
        raise ValueError(
            f"Amounts of a learning curve must ascend from above 0, but got {amounts.tolist()}. Leave out a level of 0."
        )


def _fit(relative: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Fit a, b, c by least squares within their bounds to each row of scores, shape ``(draws, 3)``."""
    best = np.full(len(scores), np.inf)
    found = np.zeros((len(scores), 3))
    for exponent in EXPONENTS:
        x = relative**-exponent
        centred = x - x.mean()
        scale = np.maximum(-(scores @ centred) / (centred @ centred), 0.0)
        plateau = scores.mean(axis=1) + scale * x.mean()
        above = plateau > 1.0  # on the bound, the best scale is that of a line through a = 1
        scale = np.where(above, np.maximum((1 - scores) @ x / (x @ x), 0.0), scale)
        plateau = np.minimum(plateau, 1.0)
        loss = ((plateau[:, None] - scale[:, None] * x - scores) ** 2).sum(axis=1)
        better = loss < best
        best[better] = loss[better]
        found[better] = np.column_stack([plateau, scale, np.full(len(scores), exponent)])[better]
    return found


def _evaluate(curves: np.ndarray, relative: np.ndarray) -> np.ndarray:
    a, b, c = (column[:, None] for column in curves.T)
    values: np.ndarray = a - b * relative**-c
    return values


def _find_more(curves: np.ndarray) -> np.ndarray:
    """Return what each curve must add to the largest amount, relative to it, for ``GAIN`` more."""
    _, b, c = curves.T
    room = b - GAIN  # how far the curve would still be below its plateau
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        amount = np.where(room > 0, (b / np.where(room > 0, room, 1.0)) ** (1 / c), np.inf)
    more: np.ndarray = amount - 1
    return more


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    """Return the central 95 % of values that may be infinite."""
    if np.isfinite(values).all():
        return percentile_interval(values)
    ordered = np.sort(values)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.025, 0.975))
    return float(low), float(high)
