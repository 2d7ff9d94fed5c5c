"""Artifacts of an ended trial in MLflow: scores, overlay curves, environment, files."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from mlflow.entities import Metric, RunTag
from mlflow.tracking import MlflowClient

from data.io.safe_arrays import ArraySpec, read_arrays
from tuning.metrics.curve import Curve, average_precision, trace_curve
from tuning.plots import trial_figures
from tuning.plots.example_sheet import draw_example_sheet
from tuning.tracking.payloads import (
    flatten,
    format_curve,
    make_best,
    make_overlay,
    make_reliability,
    make_scalars,
)
from tuning.trial.disk import measure_bytes
from tuning.trial.folder import VAL_AP, TrialFolder

FILES = (
    "config.json",
    "environment.json",
    "val_counts.npy",
    "test_counts.npy",
    "test_probs.npz",
    "test.json",
    "end.json",
    "examples.npz",
    "search.json",
    "placebo.json",
    "placebo.npz",
    "early.json",
    "replay.npz",
)
EXAMPLES = "examples.png"  # artifact of a repeat run: a few test tiles
_TILES = {
    "tile_ids": ArraySpec("str", (None,)),
    "change_db": ArraySpec("float16", (None, None, None)),
    "mask": ArraySpec("uint8", (None, None, None)),
    "probs": ArraySpec("float32", (None, None, None)),
}
Curves = dict[str, tuple[Curve, float]]  # curve and average precision, by split part


def log_trial_artifacts(
    client: MlflowClient, run_id: str, trial: TrialFolder, synthetic: bool
) -> None:
    """Log an ended trial's scores, curves, environment and files; all numbers in one batch.

    Args:
        client: MLflow client.
        run_id: The trial's run; its tag ``curves`` is set last.
        trial: The trial's folder.
        synthetic: Whether the tiles are the synthetic twin's, which the figure states.
    """
    histograms = {part: trial.counts(part) for part in ("val", "test")}
    counts = {part: h for part, h in histograms.items() if h is not None and h[1].sum()}
    curves = {part: (trace_curve(h), average_precision(h)) for part, h in counts.items()}
    tags = flatten(trial.read("environment") or {}, "env.")
    client.log_batch(
        run_id,
        metrics=[*_list_scores(trial, curves), *_list_curves(counts, curves)],
        tags=[RunTag(name, str(value)) for name, value in tags.items()],
    )
    size = _log_files(client, run_id, trial, curves, synthetic)
    client.log_batch(run_id, make_scalars({"bytes/files": size}))
    client.set_tag(run_id, "curves", ",".join(curves))


def _list_scores(trial: TrialFolder, curves: Curves) -> list[Metric]:
    rows = trial.history()
    metrics = make_best(rows) if rows else []
    if not rows and "val" in curves:  # a baseline has no epochs
        metrics += make_scalars({VAL_AP: curves["val"][1]})
    for group in ("test", "placebo", "early", "cost"):
        values = trial.read(group) or {}
        metrics += make_scalars({f"{group}/{key}": value for key, value in values.items()})
    return metrics


def _list_curves(counts: dict[str, np.ndarray], curves: Curves) -> list[Metric]:
    metrics: list[Metric] = []
    for part, histogram in counts.items():
        metrics += make_overlay(f"pr/{part}_precision", curves[part][0])
        metrics += make_reliability(f"reliability/{part}_observed", histogram)
    return metrics


def _log_files(
    client: MlflowClient, run_id: str, trial: TrialFolder, curves: Curves, synthetic: bool
) -> int:
    """Log curves and example tiles as figures, and the trial's own files; return their size in bytes."""
    name = str(client.get_run(run_id).info.run_name)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "curves").mkdir()
        (folder / "trial").mkdir()
        for part, (curve, area) in curves.items():
            (folder / "curves" / f"pr_{part}.json").write_text(format_curve(curve, area, synthetic))
        if curves:
            figure = trial_figures.draw_pr(curves, name, synthetic)
            trial_figures.save(figure, folder / "curves" / "pr.png")
        if picture := _draw_examples(trial, name, synthetic):
            (folder / EXAMPLES).write_bytes(picture)
        for file in FILES:
            if (trial.path / file).is_file():
                shutil.copyfile(trial.path / file, folder / "trial" / file)
        client.log_artifacts(run_id, temporary)
        return measure_bytes(folder)


def _draw_examples(trial: TrialFolder, name: str, synthetic: bool) -> bytes:
    """Draw the example tiles of a repeat trial; nothing for another trial."""
    file, scores = trial.path / "examples.npz", trial.read("test")
    if scores is None or not file.is_file():
        return b""
    arrays = read_arrays(file, _TILES)
    title = f"{name}: test AP {scores['pr_auc']:.3f}, F1 {scores['f1_dice']:.3f}"
    ids = [str(tile) for tile in arrays.pop("tile_ids")]
    return draw_example_sheet(
        title, ids, **arrays, threshold=scores["threshold"], synthetic=synthetic
    )
