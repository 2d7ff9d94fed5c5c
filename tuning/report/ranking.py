"""Ranking of the models: scores with intervals, pairwise comparisons, groups of tied models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from tuning.baselines.baselines import is_deterministic
from tuning.metrics.compare import (
    DRAWS,
    Comparison,
    Estimate,
    Replicates,
    Score,
    compare_drawn,
    decide_verdict,
    estimate_from_replicates,
    pooled_ap,
    pooled_f1,
    rank_groups,
    resample,
)
from tuning.metrics.curve import average_precision
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult

SEED = 2018  # of the bootstrap: the same runs always yield the same intervals
ReplicatesByModel = Mapping[str, Replicates]  # by model title


@dataclass(frozen=True)
class Ranking:
    """Models compared on the same test tiles by pooled average precision.

    Attributes:
        models: Best mean over seeds first.
        estimates: By model title.
        comparisons: Contenders compared by average precision, which decides the verdict.
        by_f1: The same pairs compared by F1 at the threshold chosen on val.
        groups: Rank by contender's title; models of one rank tie with its best.
    """

    models: tuple[ModelResult, ...]
    estimates: dict[str, Estimate]
    comparisons: tuple[Comparison, ...]
    by_f1: tuple[Comparison, ...]
    groups: dict[str, int]


def rank_models(models: Sequence[ModelResult], layers: ReferenceLayers) -> Ranking:
    """Estimate every model, compare the contenders, and order all by mean test average precision.

    Contenders are the networks and the best baseline on val; without networks, all baselines. Each further
    pair would raise the adjusted p-values of the others (Holm).

    Args:
        models: The models, all with the same test tiles.
        layers: Their labels stratify the bootstrap: tiles with and without landslides.
    """
    with threadpool_limits(1):  # the matrices are small: more threads only wait
        return _rank(models, layers)


def _rank(models: Sequence[ModelResult], layers: ReferenceLayers) -> Ranking:
    strata = layers.mask[layers.rows(models[0].tile_ids)].any(axis=(1, 2)).astype(np.int64)
    sums = {model.title: model.stack("tiles") for model in models}
    drawn = _resample(sums, pooled_ap, strata)
    estimates = {model.title: _estimate(model, sums, drawn) for model in models}
    networks, baseline = _pick_contenders(models)
    contenders = [*networks, baseline] if baseline else networks
    by_val = {model.title: model.stack("at_val") for model in contenders}
    pairs = _compare_all(networks, baseline, drawn)
    by_f1 = _compare_all(networks, baseline, _resample(by_val, pooled_f1, strata))
    rows = rank_groups({model.title: estimates[model.title].mean for model in contenders}, pairs)
    groups = {row.name: row.group for row in rows}
    ordered = sorted(models, key=lambda model: (-estimates[model.title].mean, model.title))
    return Ranking(tuple(ordered), estimates, tuple(pairs), tuple(by_f1), groups)


def _resample(
    sums: Mapping[str, np.ndarray], score: Score, strata: np.ndarray
) -> ReplicatesByModel:
    return resample(sums, score, strata, np.random.default_rng(SEED), DRAWS)


def _estimate(
    model: ModelResult, sums: Mapping[str, np.ndarray], drawn: ReplicatesByModel
) -> Estimate:
    estimate = estimate_from_replicates(sums[model.title], pooled_ap, drawn[model.title])
    mean = float(np.mean([average_precision(counts) for counts in model.pooled()]))  # from all bins
    # With few seeds the interval may exceed the range of average precision.
    return replace(estimate, mean=mean, low=max(estimate.low, 0.0), high=min(estimate.high, 1.0))


def _pick_contenders(
    models: Sequence[ModelResult],
) -> tuple[list[ModelResult], ModelResult | None]:
    """Return the networks and the best baseline on val; without networks, all baselines and None."""
    networks = [model for model in models if not model.is_baseline]
    baselines = [model for model in models if model.is_baseline]
    if not networks:
        return baselines, None
    return networks, max(baselines, key=lambda m: float(m.val_pr_auc.mean()), default=None)


def _compare_all(
    networks: Sequence[ModelResult], baseline: ModelResult | None, drawn: ReplicatesByModel
) -> list[Comparison]:
    """Compare the networks with each other, then with the baseline: two families of tests for Holm."""
    pairs = _compare(networks, drawn)
    if baseline:  # a family of its own, or it would raise the networks' adjusted p-values
        all_pairs = _compare([*networks, baseline], drawn)
        pairs += decide_verdict([pair for pair in all_pairs if baseline.title in (pair.a, pair.b)])
    return pairs


def _compare(models: Sequence[ModelResult], drawn: ReplicatesByModel) -> list[Comparison]:
    if len(models) < 2:
        return []
    fixed = [m.title for m in models if m.is_baseline and is_deterministic(m.key)]
    return compare_drawn({model.title: drawn[model.title] for model in models}, fixed)
