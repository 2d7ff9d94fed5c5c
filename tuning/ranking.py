"""The ranking: every model's score with its interval, and which models can be told apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuning.baselines import is_deterministic
from tuning.ground import Ground
from tuning.metrics import average_precision
from tuning.results import ModelResult
from tuning.stats import (
    Comparison,
    Estimate,
    Score,
    compare_all,
    estimate,
    judge,
    pooled_ap,
    pooled_f1,
    rank,
)

SEED = 2018  # of the resampling: the same runs give the same intervals


@dataclass(frozen=True)
class Ranking:
    """Models compared on the same test tiles by pooled average precision.

    Attributes:
        models: Best mean over seeds first.
        estimates: By model title.
        comparisons: Every pair of contenders by average precision, which the verdict follows.
        by_f1: The same pairs by F1 at the threshold that val chose.
        groups: By contender's title; all of group 1 tie with the best.
    """

    models: tuple[ModelResult, ...]
    estimates: dict[str, Estimate]
    comparisons: tuple[Comparison, ...]
    by_f1: tuple[Comparison, ...]
    groups: dict[str, int]


def rank_models(models: Sequence[ModelResult], ground: Ground) -> Ranking:
    """Estimate every model, compare the contenders, and order all by mean test average precision.

    Contenders are the networks and the baseline that is best on val; without networks, all baselines. Every
    further pair would cost the others their significance (Holm).
    """
    tile_ids = models[0].tile_ids
    strata = ground.mask[ground.rows(tile_ids)].any(axis=(1, 2)).astype(np.int64)
    estimates = {model.title: _estimate(model, strata) for model in models}
    networks, baseline = _pick_contenders(models)
    pairs = _compare_all(networks, baseline, strata, "tiles", pooled_ap)
    by_f1 = _compare_all(networks, baseline, strata, "at_val", pooled_f1)
    names = [model.title for model in networks] + ([baseline.title] if baseline else [])
    rows = rank({name: estimates[name].mean for name in names}, pairs)
    groups = {row.name: row.group for row in rows}
    ordered = sorted(models, key=lambda model: (-estimates[model.title].mean, model.title))
    return Ranking(tuple(ordered), estimates, tuple(pairs), tuple(by_f1), groups)


def _estimate(model: ModelResult, strata: np.ndarray) -> Estimate:
    found = estimate(model.stack("tiles"), pooled_ap, strata, np.random.default_rng(SEED))
    mean = float(np.mean([average_precision(counts) for counts in model.pooled()]))  # of all bins
    # Few seeds make an interval that is wider than what an average precision can be.
    return replace(found, mean=mean, low=max(found.low, 0.0), high=min(found.high, 1.0))


def _pick_contenders(
    models: Sequence[ModelResult],
) -> tuple[list[ModelResult], ModelResult | None]:
    """Return the networks and the baseline that is best on val; without networks, all baselines."""
    networks = [model for model in models if not model.is_baseline]
    baselines = [model for model in models if model.is_baseline]
    if not networks:
        return baselines, None
    return networks, max(baselines, key=lambda m: float(m.val_pr_auc.mean()), default=None)


def _compare_all(
    networks: Sequence[ModelResult],
    baseline: ModelResult | None,
    strata: np.ndarray,
    sums: str,
    score: Score,
) -> list[Comparison]:
    """Compare the networks among themselves, then with the baseline: two families of tests."""
    pairs = _compare(networks, strata, sums, score)
    if baseline:  # it must not cost the networks their significance
        more = _compare([*networks, baseline], strata, sums, score)
        pairs += judge([pair for pair in more if baseline.title in (pair.a, pair.b)])
    return pairs


def _compare(
    models: Sequence[ModelResult], strata: np.ndarray, sums: str, score: Score
) -> list[Comparison]:
    if len(models) < 2:
        return []
    stacked = {model.title: model.stack(sums) for model in models}
    fixed = [m.title for m in models if m.is_baseline and is_deterministic(m.key)]
    return compare_all(stacked, score, strata, np.random.default_rng(SEED), fixed)
