"""Rows of the benchmark's tables: per repeat run, test tile, model, and pair of models.

A seed's score is the mean over folds of each fold's score. Folds are trained apart, so their probabilities are not on one
scale: pooling their histograms would lower the average precision of a network, and not that of a fixed log-ratio.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from tuning.metrics.curve import f1_oracle
from tuning.metrics.recalibration import CALIBRATED
from tuning.metrics.scores import (
    METRICS,
    Confusion,
    f1_dice,
    is_blind,
    score_all,
    score_confusion,
)
from tuning.metrics.tile_sums import pooled_ap
from tuning.objects.boundary import rate_boundary
from tuning.objects.object_scores import ObjectCounts, score_objects
from tuning.objects.threshold_scores import THRESHOLD_SCORES
from tuning.report.ranking import Ranking
from tuning.report.results import ModelResult
from tuning.report.sums.early import make_early_columns
from tuning.report.sums.run_result import RunResult
from tuning.report.sums.truth import make_truth_columns
from tuning.store.provenance import read_provenance
from tuning.trial.foreign.names import name_origin

# The published study's columns, in its order.
PUBLISHED_COLUMNS = (
    *("model", "threshold", "precision", "recall", "f1_dice", "iou", "accuracy"),
    *("tp", "fp", "fn", "tn"),
    *("pos_pixels", "pos_ratio", "infer_seconds_total", "infer_seconds_per_sample", "weights_path"),
    "n_samples",
)
# F1 at 0.5, at the threshold chosen on val, and at the best threshold on test.
F1_AT = ("f1@0.5", "f1@thr_val", "f1@oracle")
AFTER_CALIBRATION = tuple(f"{name}_calibrated" for name in CALIBRATED)
# Scores of connected components and of their outlines, reported as mean over seeds.
OBJECT_SCORES = tuple(name for name in THRESHOLD_SCORES if name not in METRICS)
PIXEL_COUNTS = ("tp", "fp", "fn", "tn")
OF_EMPTY_TILES = ("alarms_per_km2", "alarm_share")  # scores of tiles without landslides
PRIMARY, EXPLORATORY = "primary", "exploratory"  # in the column family
COSTS = (
    *("parameters", "gmac_per_tile", "days_as_input", "cpu_hours", "gpu_hours"),
    *("peak_memory_mb", "peak_gpu_memory_mb"),
)


def score_run(run: RunResult) -> dict[str, float]:
    """Compute all scores of one repeat run on its test tiles: of pixels, at 0.5 and at val's threshold, and of objects."""
    half, chosen = (Confusion(*map(int, cases.sum(0))) for cases in (run.at_half, run.at_val))
    return {
        **score_all(run.counts, chosen),
        **{f"{name}_calibrated": METRICS[name].function(run.calibrated) for name in CALIBRATED},
        **asdict(chosen),
        "f1@0.5": f1_dice(half),
        "f1@thr_val": f1_dice(chosen),
        "f1@oracle": f1_oracle(run.counts),
        **score_objects(run.objects),
        **{name: float(rate) for name, rate in rate_boundary(run.boundary.sum(0)).items()},
    }


def average_folds(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean over folds of each score, and the sum of each pixel count.

    A score that is undefined on a fold is undefined. Only false alarms, which need tiles without landslides, are those
    of the folds that have such tiles.

    Args:
        folds: The scores of one seed on each fold, by name.
    """
    table = pd.DataFrame(folds)
    rows = table.mean(skipna=False).to_dict()
    rows |= {name: int(table[name].sum()) for name in PIXEL_COUNTS if name in table}
    rows |= {name: table[name].mean() for name in OF_EMPTY_TILES if name in table}
    return {str(name): value for name, value in rows.items()}


def pool_objects(runs: Sequence[RunResult]) -> ObjectCounts:
    """Sum the connected components over the tiles of several runs."""
    first, *others = (run.objects.total() for run in runs)
    return sum(others, start=first)


def score_seeds(model: ModelResult) -> pd.DataFrame:
    """Compute all scores of each seed of a model, mean over its folds; one row per seed."""
    rows = [average_folds([score_run(run) for run in runs]) for runs in model.by_seed]
    return pd.DataFrame(rows, index=list(model.seeds))


def average_seeds(seeds: pd.DataFrame, name: str) -> tuple[float, float]:
    """Return mean and standard deviation of a score over seeds; NaN if it is not defined for one of them.

    A seed that finds nothing has the score 0; leaving out seeds would flatter a model.
    """
    values = seeds[name]
    return float(values.mean(skipna=False)), float(values.std(skipna=False))


def find_blind_runs(model: ModelResult) -> list[RunResult]:
    """Return a model's runs that found nothing on test, at the threshold chosen on val, where there are landslides."""
    return [run for run in model.runs if is_blind(Confusion(*map(int, run.at_val.sum(axis=0))))]


def make_run_rows(models: Sequence[ModelResult]) -> list[dict[str, Any]]:
    """Make the rows of ``benchmark_runs.csv``: one per repeat run."""
    return [
        {
            "model": model.title,
            "architecture": model.key,
            "seed": run.seed,
            "fold": run.fold,
            "thr_val": run.threshold,
            "val_pr_auc": run.val_pr_auc,
            **score_run(run),
            **{name: run.metric(f"cost/{name}") for name in COSTS},
            "infer_seconds_per_sample": run.metric("test/infer_seconds_per_sample"),
            "n_samples": len(run.tile_ids),
            "run_id": run.run.info.run_id,
            "weights_path": run.run.data.tags.get("model_uri", ""),
            "data": run.run.data.tags["data"],
        }
        for model in models
        for run in model.runs
    ]


def make_tile_rows(models: Sequence[ModelResult]) -> list[dict[str, Any]]:
    """Make the rows of ``benchmark_tiles.csv``: one per test tile of each repeat run.

    Scores at a threshold use the threshold chosen on val. They are NaN where there is nothing to score, such as F1 and IoU
    of a tile without labelled or predicted landslides. Average precision is NaN for a tile without landslides.
    """
    rows = []
    for model in models:
        for run in model.runs:
            aps = pooled_ap(run.tiles)
            for tile, counts, ap in zip(run.tile_ids, run.at_val, aps, strict=True):
                confusion = Confusion(*map(int, counts))
                keys = {"model": model.title, "seed": run.seed, "fold": run.fold, "tile_id": tile}
                scores = score_confusion(confusion) | {"pr_auc": float(ap)}
                rows.append({**keys, **asdict(confusion), **scores})
    return rows


def score_published(model: ModelResult, runs: Sequence[RunResult]) -> dict[str, Any]:
    """Return the published study's columns, F1 and average precision of one seed's runs.

    Args:
        model: The model.
        runs: Runs of one seed: of all folds, or the registered one alone.
    """
    scores = average_folds([score_run(run) for run in runs])
    tiles = sum(len(run.tile_ids) for run in runs)
    seconds = sum(run.metric("test/infer_seconds_total") for run in runs)
    positives = int(scores["tp"] + scores["fn"])
    values: dict[str, Any] = {
        **scores,
        "model": model.title,
        "threshold": model.chosen.threshold,
        "pos_pixels": positives,
        "pos_ratio": positives / sum(scores[name] for name in PIXEL_COUNTS),
        "infer_seconds_total": seconds,
        "infer_seconds_per_sample": seconds / tiles,
        "weights_path": model.chosen.run.data.tags.get("model_uri", ""),
        "n_samples": tiles,
    }
    return {name: values[name] for name in (*PUBLISHED_COLUMNS, *F1_AT, "pr_auc")}


def make_model_row(model: ModelResult, ranking: Ranking) -> dict[str, Any]:
    """Make a model's row of ``benchmark_master.csv``: the chosen seed, then all seeds, then provenance."""
    seeds, estimate = score_seeds(model), ranking.estimates[model.title]
    runs = model.by_seed[model.chosen_seed]
    published = score_published(model, runs)
    row = {name: published[name] for name in (*PUBLISHED_COLUMNS, *F1_AT)}
    places = ranking.places.get(model.title)
    row |= {"rank": format_places(places), "family": EXPLORATORY if places is None else PRIMARY}
    row |= {
        "pr_auc": published["pr_auc"],
        "pr_auc_low": estimate.low,
        "pr_auc_high": estimate.high,
        "pr_auc_tile_iqm": estimate.iqm,
    }
    for name in (*METRICS, *F1_AT, *AFTER_CALIBRATION):
        row[f"{name}_mean"], row[f"{name}_std"] = average_seeds(seeds, name)
    row |= {name: average_seeds(seeds, name)[0] for name in OBJECT_SCORES}
    row |= ranking.intervals[model.title]
    row |= make_truth_columns(model) | make_early_columns(model)
    blind = sorted({run.seed for run in find_blind_runs(model)})
    row |= {
        "blind_seeds": " ".join(map(str, blind)),
        "thr_val": float(np.mean([run.threshold for run in model.runs])),
        "val_pr_auc": model.chosen.val_pr_auc,
        "val_pr_auc_mean": float(model.val_pr_auc.mean()),
        "seeds": len(model.seeds),
        "folds": len(runs),
    }
    row |= {name: float(np.mean([r.metric(f"cost/{name}") for r in model.runs])) for name in COSTS}
    run = model.chosen.run
    row |= {"architecture": model.key, "origin": name_origin(model.key)}
    row |= {"seed": model.chosen.seed, "run_id": run.info.run_id}
    return row | read_provenance(run.data.tags)


def score_at_half(model: ModelResult, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the published columns of the chosen seed at threshold 0.5."""
    cases = [
        Confusion(*map(int, run.at_half.sum(axis=0))) for run in model.by_seed[model.chosen_seed]
    ]
    scores = average_folds([asdict(case) | score_confusion(case) for case in cases])
    return {**{name: row[name] for name in PUBLISHED_COLUMNS}, "threshold": 0.5, **scores}


def format_places(places: tuple[int, int] | None) -> str:
    """Format the first and last possible place, such as ``1 to 3``; empty for a model outside of the primary family."""
    if places is None:
        return ""
    first, last = places
    return str(first) if first == last else f"{first} to {last}"


def format_ends(low: float, high: float, spec: str = ".3f") -> str:
    """Format an interval, or say why there is none."""
    if np.isnan([low, high]).any():
        return "none: too few tiles"
    return f"{low:{spec}} to {high:{spec}}"


def make_comparison_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """Make the rows of ``pairwise.csv``: the primary family by average precision; F1 and foreign predictions, which are exploratory."""
    rows = []
    families = (
        ("pr_auc", PRIMARY, ranking.primary),
        ("f1_dice", EXPLORATORY, ranking.by_f1),
        ("pr_auc", EXPLORATORY, ranking.foreign),
    )
    for metric, role, family in families:
        for pair in family.pairs if family else ():
            row = asdict(pair)
            row["seeds_a"], row["seeds_b"] = row.pop("seeds")
            row |= {f"needs_{name}": value for name, value in row.pop("needs").items()}
            rows.append({"metric": metric, "family": role, "margin": ranking.margin, **row})
    return rows
