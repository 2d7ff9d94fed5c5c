"""A seed's score over several folds is the mean of the folds' scores; pixel counts add up."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.fold_results import TILES, make_layers, make_model, make_run
from tuning.metrics.curve import average_precision
from tuning.metrics.scores import METRICS
from tuning.report.tables import (
    F1_AT,
    OBJECT_SCORES,
    PIXEL_COUNTS,
    average_folds,
    make_run_rows,
    score_at_half,
    score_published,
    score_run,
    score_seeds,
)

LAYERS = make_layers(2)
MODEL = make_model(
    LAYERS, {0: 1.0, 1: 0.5}, (42, 123)
)  # the second fold's probabilities are halved


def test_every_score_of_a_seed_is_the_mean_over_its_folds() -> None:
    seeds = score_seeds(MODEL)
    for row, runs in zip(seeds.to_dict("records"), MODEL.by_seed, strict=True):
        folds = [score_run(run) for run in runs]
        for name in (*METRICS, *F1_AT, *OBJECT_SCORES):
            assert row[name] == pytest.approx(np.mean([fold[name] for fold in folds])), name
        for name in PIXEL_COUNTS:
            assert row[name] == sum(fold[name] for fold in folds)
    assert MODEL.pr_auc == pytest.approx(seeds["pr_auc"].to_numpy())


def test_folds_on_different_scales_of_probability_do_not_lower_the_average_precision() -> None:
    same = make_model(LAYERS, {0: 1.0, 1: 1.0}, (42, 123))
    assert MODEL.pr_auc == pytest.approx(same.pr_auc, abs=0.002)  # fewer bins, a few more ties
    pooled = [average_precision(counts) for counts in MODEL.pooled()]
    assert np.all(pooled < MODEL.pr_auc - 0.01)  # pooling would have


def test_runs_keep_a_row_per_fold() -> None:
    rows = make_run_rows([MODEL])
    assert [(row["seed"], row["fold"]) for row in rows] == [
        (seed, f"blocks:2/{fold}") for seed in (42, 123) for fold in (1, 2)
    ]


def test_published_columns_are_means_with_summed_counts_at_either_threshold() -> None:
    runs = MODEL.by_seed[MODEL.chosen_seed]
    row = score_published(MODEL, runs)
    assert row["n_samples"] == 2 * TILES
    assert row["f1_dice"] == pytest.approx(np.mean([score_run(run)["f1_dice"] for run in runs]))
    assert sum(row[name] for name in PIXEL_COUNTS) == 2 * TILES * 128 * 128
    half = score_at_half(MODEL, row)
    assert half["threshold"] == 0.5
    assert half["f1_dice"] == pytest.approx(np.mean([score_run(run)["f1@0.5"] for run in runs]))
    assert half["tp"] == sum(int(run.at_half.sum(0)[0]) for run in runs)


def test_false_alarms_are_those_of_the_folds_that_have_tiles_without_landslides() -> None:
    filled = replace(LAYERS, mask=LAYERS.mask.copy())
    filled.mask[2 * TILES - 1, 0, 0] = 1
    first, second = (score_run(make_run(filled, fold, 42, 1.0)) for fold in (0, 1))
    assert np.isnan(second["alarms_per_km2"])
    assert average_folds([first, second])["alarms_per_km2"] == first["alarms_per_km2"]


def test_a_score_that_is_undefined_on_a_fold_is_undefined() -> None:
    found = average_folds([{"precision": np.nan, "tp": 0}, {"precision": 0.9, "tp": 3}])
    assert np.isnan(found["precision"])
    assert found["tp"] == 3
