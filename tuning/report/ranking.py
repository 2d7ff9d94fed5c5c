"""Ranking of the models: scores with intervals, and one primary family of comparisons.

The primary family is declared before any test tile is read: the networks, and the baseline that is best on val, compared by
average precision. Everything else, such as F1 and the other baselines, is exploratory.

Sums over tiles are enough for it: it reads no MLflow run, no pixel and no label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Literal

import numpy as np

from data.io.safe_json import is_number, parse_json, refused_error, show_value
from data.tiles.paths import region_of
from tuning.metrics.curve import average_precision
from tuning.metrics.tile_sums import pooled_ap, pooled_f1
from tuning.objects.intervals import estimate_threshold_scores
from tuning.objects.threshold_scores import THRESHOLD_SCORES
from tuning.report.results import ModelResult
from tuning.statistics.blocks import BLOCK_TILES, SamplingUnits, make_units
from tuning.statistics.compare import compare_all
from tuning.statistics.estimate import Estimate, Kinds, estimate_all
from tuning.statistics.family import MARGIN, Comparison, Family

if TYPE_CHECKING:
    from mlflow.entities import Run

    from tuning.report.reference_layers import ReferenceLayers

SEED = 2018  # of the bootstrap: the same runs always yield the same intervals
Estimand = Literal["area", "event", "events"]


@dataclass(frozen=True)
class Ranking:
    """Models compared on the same test tiles by average precision.

    Attributes:
        models: Best mean over seeds first.
        estimates: By model title.
        primary: The declared family, by average precision; None with a single contender.
        by_f1: The same models compared by F1 at the threshold chosen on val; exploratory.
        units: Spatial blocks and folds of the test tiles.
        block_tiles: Edge of a block in tiles.
        intervals: Ends of the 95 % intervals of the scores at the threshold chosen on val, by title and column, such as
            ``iou_low``; NaN for a score that is not defined; exploratory.
        estimand: What the comparison is about: this ``area`` and these dates, this ``event`` (folds), or these ``events``.
        foreign: Foreign predictions against each contender and each other, by average precision; exploratory, since the
            primary family is declared beforehand. None without any.
    """

    models: tuple[ModelResult, ...]
    estimates: dict[str, Estimate]
    primary: Family | None
    by_f1: Family | None
    units: SamplingUnits
    block_tiles: int
    intervals: dict[str, dict[str, float]]
    estimand: Estimand
    foreign: Family | None = None

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The pairs of the primary family."""
        return self.primary.pairs if self.primary else ()

    @property
    def margin(self) -> float:
        """Difference below which two models count as equivalent."""
        return self.primary.margin if self.primary else MARGIN

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """First and last possible place of each contender, by title."""
        return self.primary.places if self.primary else {}


def rank_models(
    models: Sequence[ModelResult],
    layers: ReferenceLayers,
    margin: float = MARGIN,
    block_tiles: int = BLOCK_TILES,
) -> Ranking:
    """Estimate every model, compare the contenders, and order all by mean test average precision.

    Args:
        models: The models, all with the same test tiles.
        layers: Labels and positions of the test tiles.
        margin: Difference in average precision below which two models count as equivalent.
        block_tiles: Edge of a spatial block in tiles.

    Raises:
        ValueError: If a fold has no test tile with landslides.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # the matrices are small: more threads only wait
        units = make_test_units(models[0], layers, block_tiles)
        return rank_sums(models, units, margin, block_tiles)


def rank_sums(
    models: Sequence[ModelResult], units: SamplingUnits, margin: float, block_tiles: int
) -> Ranking:
    """Rank models as :func:`rank_models`, from their sums over tiles and the blocks of these tiles alone.

    Args:
        models: The models, all with the same test tiles.
        units: Blocks and folds of their test tiles, in the order of ``ModelResult.tile_ids``.
        margin: Difference in average precision below which two models count as equivalent.
        block_tiles: Edge of a spatial block in tiles.

    Raises:
        ValueError: If a fold has no test tile with landslides.
    """
    kinds = {model.title: model.kind for model in models}
    sums = {model.title: model.stack("tiles") for model in models}
    found = estimate_all(sums, pooled_ap, units, kinds)
    estimates = {model.title: _score_exactly(model, found[model.title]) for model in models}
    contenders = pick_contenders(models)
    by_val = {model.title: model.stack("at_val") for model in contenders}
    primary = by_f1 = None
    if len(contenders) > 1:
        rng = np.random.default_rng(SEED)
        compared = {model.title: sums[model.title] for model in contenders}
        primary = compare_all(compared, pooled_ap, units, rng, kinds, margin, block_tiles)
        by_f1 = compare_all(by_val, pooled_f1, units, rng, kinds, margin, block_tiles)
    ordered = sorted(models, key=lambda model: (-estimates[model.title].mean, model.title))
    return Ranking(
        tuple(ordered),
        estimates,
        primary,
        by_f1,
        units,
        block_tiles,
        _make_intervals(models, units, kinds),
        find_estimand(models[0]),
        _compare_foreign(models, contenders, sums, units, margin, block_tiles),
    )


def _compare_foreign(
    models: Sequence[ModelResult],
    contenders: Sequence[ModelResult],
    sums: Mapping[str, np.ndarray],
    units: SamplingUnits,
    margin: float,
    block_tiles: int,
) -> Family | None:
    """Compare foreign predictions with the contenders as a family of its own, so that the primary one stays as it is."""
    foreign = [model for model in models if model.is_foreign]
    compared = [*contenders, *foreign]
    if not foreign or len(compared) < 2:
        return None
    kinds = {model.title: model.kind for model in compared}
    rng = np.random.default_rng(SEED)
    shown = {model.title: sums[model.title] for model in compared}
    family = compare_all(shown, pooled_ap, units, rng, kinds, margin, block_tiles)
    titles = {model.title for model in foreign}
    pairs = tuple(pair for pair in family.pairs if titles & {pair.a, pair.b})
    return replace(family, pairs=pairs)


def _make_intervals(
    models: Sequence[ModelResult], units: SamplingUnits, kinds: Kinds
) -> dict[str, dict[str, float]]:
    layouts = {score.sums for score in THRESHOLD_SCORES.values()}
    sums = {name: {model.title: model.stack(name) for model in models} for name in layouts}
    found = estimate_threshold_scores(sums, units, kinds)
    return {
        model.title: {
            f"{name}_{end}": getattr(found[name][model.title], end) if name in found else nan
            for name in THRESHOLD_SCORES
            for end in ("low", "high")
        }
        for model in models
    }


def make_test_units(model: ModelResult, layers: ReferenceLayers, block_tiles: int) -> SamplingUnits:
    """Return the spatial blocks and folds of a model's test tiles, weighted by their landslide pixels."""
    rows = layers.rows(model.tile_ids)
    folds = [run.fold for run in model.by_seed[0] for _ in run.tile_ids]
    landslide_px = layers.mask[rows].sum(axis=(1, 2), dtype=np.int64)
    regions = [region_of(tile) for tile in model.tile_ids]
    return make_units(layers.corners[rows], folds, regions, landslide_px, block_tiles)


def find_estimand(model: ModelResult) -> Estimand:
    """Return what the test tiles of a model's folds are a sample of."""
    folds = [run.fold for run in model.by_seed[0]]
    if len(folds) < 2:
        return "area"
    return "events" if all(fold.startswith("events") for fold in folds) else "event"


def _score_exactly(model: ModelResult, estimate: Estimate) -> Estimate:
    """Replace an estimate's mean, which is from reduced histograms, by that of the whole ones."""
    scores = [[average_precision(run.counts) for run in runs] for runs in model.by_seed]
    return replace(estimate, mean=float(np.mean(scores)))


def pick_contenders(models: Sequence[ModelResult]) -> list[ModelResult]:
    """Return the models of the primary family: the networks and the best baseline on val; without networks, all."""
    networks = [model for model in models if not model.is_baseline]
    baselines = [model for model in models if model.is_baseline and not model.is_foreign]
    if not networks:
        return baselines
    best = max(baselines, key=lambda model: float(model.val_pr_auc.mean()), default=None)
    return [*networks, best] if best else networks


def read_comparison(campaign: Run) -> tuple[float, int]:
    """Return a campaign's margin of equivalence and edge of a block; a campaign of an earlier version has the defaults.

    Raises:
        ValueError: If a param is not a number in its range.
    """
    place = f"the params of campaign {campaign.data.tags['campaign']!r}"
    margin = parse_json(campaign.data.params.get("margin", str(MARGIN)), place)
    edge = parse_json(campaign.data.params.get("block_tiles", str(BLOCK_TILES)), place)
    if not is_number(margin, 0, 1) or not margin or not is_number(edge, 1, 1e6, whole=True):
        rule = "margin must be a number above 0, block_tiles a whole number from 1"
        raise refused_error(rule, show_value([margin, edge]), place)
    return float(margin), int(edge)
