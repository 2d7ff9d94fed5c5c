"""Figures of a report: those of one model in ``Figures/<Model>/``, and those that compare models."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.metrics.calibration import reliability
from tuning.metrics.curve import trace_curve
from tuning.metrics.histogram import edges
from tuning.metrics.scores import Confusion
from tuning.objects.object_scores import SIZES, rate_objects
from tuning.plots import comparison, trial_figures
from tuning.report.context import mean_ms_per_tile
from tuning.report.ranking import Ranking
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.results import ModelResult
from tuning.report.sections.examples import list_examples, name_example
from tuning.report.tables import pool_objects, score_seeds

HISTORIES = {"loss": "loss", "dice": "Dice at 0.5", "pr_auc": "average precision"}


def name_test(models: Sequence[ModelResult]) -> str:
    """Return the tiles of a curve in words; with several folds, that their curve is a picture and no score."""
    folds = len(models[0].by_seed[0])
    return "test" if folds == 1 else f"test, {folds} folds pooled (a picture; AP is their mean)"


def draw_model(
    client: MlflowClient, model: ModelResult, layers: ReferenceLayers, folder: Path, synthetic: bool
) -> None:
    """Draw a model's figures with the published study's file names into *folder*."""
    if not model.is_baseline:
        _draw_histories(client, model, folder, synthetic)
    counts = model.pooled()[model.chosen_seed]
    curve = {model.title: (trace_curve(counts), float(model.pr_auc[model.chosen_seed]))}
    run = f"seed {model.chosen.seed}, the best on val"
    title = f"{model.title}, {run}, {name_test([model])}"
    figure = trial_figures.draw_pr(curve, title, synthetic)
    trial_figures.save(figure, folder / f"{model.title}_pr_curve.png")
    total = model.stack("at_val")[model.chosen_seed].sum(axis=0)
    title = f"{model.title}, {run}, threshold {model.chosen.threshold:.3f}"
    figure = trial_figures.draw_confusion(Confusion(*map(int, total)), title, synthetic)
    trial_figures.save(figure, folder / f"{model.title}_confusion_matrix.png")
    _draw_examples(model, layers, folder, synthetic)


def _read_history(client: MlflowClient, run: Run, key: str) -> list[float]:
    metrics = client.get_metric_history(run.info.run_id, key)
    return [metric.value for metric in sorted(metrics, key=lambda metric: metric.step)]


def _draw_histories(
    client: MlflowClient, model: ModelResult, folder: Path, synthetic: bool
) -> None:
    first = [runs[0] for runs in model.by_seed]  # in a cross-validation, the first fold
    for key, label in HISTORIES.items():
        lines = {
            f"{part} seed {result.seed}": _read_history(client, result.run, f"{part}_{key}")
            for result in first
            for part in ("train", "val")
        }
        figure = trial_figures.draw_history(lines, label, model.title, synthetic)
        trial_figures.save(figure, folder / f"{model.title}_{key}_curve.png")


def _draw_examples(
    model: ModelResult, layers: ReferenceLayers, folder: Path, synthetic: bool
) -> None:
    """Draw example test tiles of the chosen run; one tile for a baseline."""
    run = model.chosen
    bins = model.bins[run.run.info.run_id]
    for number, example in enumerate(list_examples(model, layers)):
        (row,) = layers.rows([example.tile_id])
        figure = trial_figures.draw_example(
            f"{model.title}, {example.describe()}",
            change_db=layers.change_db[row],
            mask=layers.mask[row],
            probs=edges()[bins[run.tile_ids.index(example.tile_id)]].astype(np.float32),
            threshold=run.threshold,
            synthetic=synthetic,
        )
        trial_figures.save(figure, name_example(folder, model.title, number))


def draw_comparisons(ranking: Ranking, folder: Path, synthetic: bool) -> dict[str, Path]:
    """Draw the figures that compare models; return their paths by name."""
    models = ranking.models
    networks = [model for model in models if not model.is_baseline] or list(models)
    coloured = [model.title for model in networks]
    curves = {m.title: [trace_curve(counts) for counts in m.pooled()] for m in models}
    areas = {name: ranking.estimates[name].mean for name in curves}
    figures = {
        "pr_curves": comparison.draw_pr_bands(
            curves,
            areas,
            f"Precision over recall, median of the seeds, {name_test(models)}",
            synthetic,
            coloured,
        ),
        "intervals": comparison.draw_intervals(
            _interval_rows(ranking),
            "test average precision",
            "Mean over seeds, with the 95 % interval of each score by itself",
            synthetic,
            coloured,
        ),
        "reliability": comparison.draw_reliability(
            _reliability_lines(networks),
            f"Reliability, seeds pooled, {name_test(models)}",
            synthetic,
        ),
        "reliability_calibrated": comparison.draw_reliability(
            _reliability_lines(networks, "calibrated"),
            f"Reliability after calibration on val, seeds pooled, {name_test(models)}",
            synthetic,
        ),
        "recall_by_size": comparison.draw_recall_by_size(
            {m.title: _recall_rows(m) for m in networks},
            "Recall by landslide size, mean over seeds",
            synthetic,
        ),
        "cost": comparison.draw_cost(
            _cost_points(ranking, models),
            "ms per test tile",
            "test average precision",
            "Score against cost, means over runs",
            synthetic,
            coloured,
        ),
    }
    return {
        name: trial_figures.save(figure, folder / f"{name}.png") for name, figure in figures.items()
    }


def _interval_rows(ranking: Ranking) -> list[tuple[str, float, float, float, Sequence[float]]]:
    rows = []
    for model in ranking.models:
        estimate = ranking.estimates[model.title]
        seeds = score_seeds(model)["pr_auc"].tolist()
        rows.append((model.title, estimate.mean, estimate.low, estimate.high, seeds))
    return rows


def _reliability_lines(
    models: Sequence[ModelResult],
    histogram: str = "counts",
) -> Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return each model's reliability with its seeds pooled, and the pixels of a bin per seed."""
    lines = {}
    for model in models:
        curve = reliability(model.pooled(histogram).sum(axis=0))
        lines[model.title] = (curve.predicted, curve.observed, curve.pixels / len(model.seeds))
    return lines


def _recall_rows(model: ModelResult) -> list[tuple[str, float, float, float]]:
    """Return each size class's recall by any overlap: mean, lowest and highest over seeds."""
    seeds = []
    for runs in model.by_seed:
        rates = rate_objects(pool_objects(runs))
        seeds.append([float(rates[f"object_recall_any/{size}"]) for size in SIZES])
    values = np.array(seeds)  # (S, sizes)
    return [
        (label, float(column.mean()), float(column.min()), float(column.max()))
        for label, column in zip(SIZES, values.T, strict=True)
    ]


def _cost_points(
    ranking: Ranking, models: Sequence[ModelResult]
) -> list[tuple[str, float, float, float, float]]:
    points = []
    for model in (one for one in models if not one.is_foreign):  # whose costs nobody measured
        estimate = ranking.estimates[model.title]
        ends = (estimate.low, estimate.high)
        points.append((model.title, mean_ms_per_tile(model), estimate.mean, *ends))
    return points
