"""Compare models on the same test tiles: better, worse, equivalent or undecided.

A model's score is the mean over its seeds and folds; higher is better. All pairs of a family share one critical value
(:mod:`tuning.statistics.bootstrap`), so intervals and p-values agree, and the probability of any false "better" is 5 %.
**Equivalent** means that the 90 % interval lies within plus or minus a margin (two one-sided tests), **undecided** that the data
show neither a difference nor equivalence.

Reference:
    Schuirmann (1987), A comparison of the two one-sided tests procedure, Journal of Pharmacokinetics and Biopharmaceutics
    15(6), doi:10.1007/BF01068419. Mogstad, Romano, Shaikh & Wilhelm (2024), Inference for Ranks, The Review of Economic
    Studies 91(1), doi:10.1093/restud/rdad006 (places that simultaneous intervals allow).
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from tuning.metrics.tile_sums import Score
from tuning.statistics.blocks import (
    BLOCK_TILES,
    MIN_BLOCKS,
    SamplingUnits,
    count_effective,
    measure_moran,
)
from tuning.statistics.bootstrap import DRAWS, critical_value, draw_largest, p_value
from tuning.statistics.dependence import calibrate, estimate_range
from tuning.statistics.estimate import FIXED, Kinds, Variances, add_variances
from tuning.statistics.family import (
    FEW_UNITS,
    MARGIN,
    MIN_SEEDS,
    ONE_BLOCK,
    TOO_FEW,
    Comparison,
    Family,
    decide,
    find_places,
)
from tuning.statistics.influence import ModelScores, measure_scores
from tuning.statistics.power import Needs, plan_decision


def compare_all(
    models: Mapping[str, np.ndarray],
    score: Score,
    units: SamplingUnits,
    rng: np.random.Generator,
    kinds: Kinds | None = None,
    margin: float = MARGIN,
    block_tiles: int = BLOCK_TILES,
    draws: int = DRAWS,
) -> Family:
    """Compare every two models as one family.

    Args:
        models: Name to ``sums (S, N, D)``, the same tiles in the same order.
        score: From ``total (..., D)`` to ``(...)``; higher is better.
        units: Blocks, folds and weights of the tiles.
        rng: The only source of randomness: the same state gives the same numbers.
        kinds: Kind of each model, over which the seeds' variance is pooled; ``FIXED`` for a model that no seed changes, with
            S = 1. A model without a kind is a kind of its own.
        margin: Of equivalence.
        block_tiles: Edge of a block in tiles.
        draws: Of the multiplier bootstrap.

    Raises:
        ValueError: If there are fewer than two models, *margin* is not positive, a model of kind ``FIXED`` has several
            seeds, or :func:`tuning.statistics.influence.measure_scores` raises.
    """
    _check(models, kinds or {}, margin)
    scores = measure_scores(models, score, units)
    names, kinds = list(scores), {name: (kinds or {}).get(name, name) for name in scores}
    tiles = np.stack([scores[name].influences for name in names])
    contrasts = tiles - tiles.mean(axis=0)  # what all models find hard does not matter
    dependence = calibrate(units, estimate_range(contrasts, units, block_tiles))
    pairs = np.array(list(combinations(range(len(names)), 2)))
    sums = units.add_up(tiles)
    blocks = sums * np.sqrt(dependence.factor)
    gaps = _measure_gaps(scores, kinds, blocks, pairs, dependence.degrees)
    largest = draw_largest(np.nan_to_num(blocks), gaps.seed_errors, pairs, gaps.degrees, rng, draws)
    compared = []
    for k, (i, j) in enumerate(pairs.tolist()):
        a, b = names[i], names[j]
        needs = plan_decision(
            scores[a].mean - scores[b].mean,
            gaps.blocks[k],
            gaps.seeds[k],
            critical_value(largest),
            gaps.degrees[k],
            max(len(scores[a].pooled), len(scores[b].pooled)),
            units.count,
        )
        rests_on = count_effective(sums[i] - sums[j])
        note = "" if units.count >= MIN_BLOCKS else FEW_UNITS
        if not dependence.degrees:
            note = ONE_BLOCK
        elif any(kinds[one] != FIXED and len(scores[one].pooled) < MIN_SEEDS for one in (a, b)):
            note = TOO_FEW
        compared.append(_compare((a, b), scores, largest, margin, needs, rests_on, note))
    return Family(
        tuple(compared),
        find_places(names, compared),
        margin,
        units.count,
        _median([measure_moran(tiles[i] - tiles[j], units) for i, j in pairs.tolist()]),
        dependence.range_tiles,
    )


def _check(models: Mapping[str, np.ndarray], kinds: Kinds, margin: float) -> None:
    if len(models) < 2:
        raise ValueError(f"A comparison needs two models, but got {list(models)}. Add another.")
    if not margin > 0:
        raise ValueError(
            f"A margin of equivalence must be more than 0, but got {margin:g}. Choose the smallest difference that matters."
        )
    for name, sums in models.items():
        if kinds.get(name) == FIXED and len(sums) != 1:
            raise ValueError(
                f"A model that no seed changes must have S = 1, but got {len(sums)} seeds for {name!r}. "
                "Give it the kind of models with seeds."
            )


def _measure_gaps(
    scores: Mapping[str, ModelScores],
    kinds: Kinds,
    blocks: np.ndarray,
    pairs: np.ndarray,
    block_degrees: float,
) -> Variances:
    """Measure the differences' variances; two models of one kind share one estimate of the seeds' variance."""
    first, second = pairs.T
    of_blocks = ((blocks[first] - blocks[second]) ** 2).sum(axis=1)
    weights = np.zeros((len(pairs), len(scores)))
    weights[np.arange(len(pairs)), first] = 1.0
    weights[np.arange(len(pairs)), second] = -1.0
    return add_variances(weights, [(of_blocks, block_degrees)], scores, kinds)


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else float("nan")


def _compare(
    names: tuple[str, str],
    scores: Mapping[str, ModelScores],
    largest: np.ndarray,
    margin: float,
    needs: Needs,
    effective_blocks: float,
    note: str,
) -> Comparison:
    a, b = (scores[name].pooled for name in names)
    difference = float(a.mean() - b.mean())
    half, half90 = (critical_value(largest, level) * needs.error for level in (0.95, 0.90))
    p = 1.0
    if difference and needs.error >= 0:
        p = p_value(largest, difference / needs.error if needs.error else np.inf)
    return Comparison(
        *names,
        difference,
        difference - half,
        difference + half,
        difference - half90,
        difference + half90,
        p,
        (len(a), len(b)),
        "undecided" if note else decide(difference, p, within=abs(difference) + half90 < margin),
        note,
        effective_blocks,
        needs,
    )
