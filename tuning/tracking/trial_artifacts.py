"""What an ended trial leaves in MLflow: scores, curves that the pages overlay, environment, files."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from mlflow.entities import Metric, RunTag
from mlflow.tracking import MlflowClient

from tuning.metrics.curve import Curve, average_precision, trace_curve
from tuning.plots import trial_figures
from tuning.tracking.payloads import (
    flatten,
    make_best,
    make_overlay,
    make_reliability,
    make_scalars,
    write_curve,
)
from tuning.tracking.ui_links import VAL_AP
from tuning.trial.disk import measure_bytes
from tuning.trial.folder import TrialFolder

FILES = (
    "config.json",
    "environment.json",
    "val_counts.npy",
    "test_counts.npy",
    "test_probs.npz",
    "test.json",
    "end.json",
    "examples.npz",
)
Curves = dict[str, tuple[Curve, float]]  # with their average precision, by part


def log_trial_artifacts(
    client: MlflowClient, run_id: str, journal: TrialFolder, synthetic: bool
) -> None:
    """Log what a trial came to, all numbers in one batch.

    Args:
        client: MLflow client.
        run_id: The trial's run; the tag ``curves`` tells that nothing is lacking.
        journal: The trial's folder.
        synthetic: Whether the tiles are the twin's, for the figure.
    """
    found = {part: journal.counts(part) for part in ("val", "test")}
    counts = {part: some for part, some in found.items() if some is not None and some[1].sum()}
    curves = {part: (trace_curve(some), average_precision(some)) for part, some in counts.items()}
    tags = flatten(journal.read("environment") or {}, "env.")
    client.log_batch(
        run_id,
        metrics=[*_list_scores(journal, curves), *_list_curves(counts, curves)],
        tags=[RunTag(name, str(value)) for name, value in tags.items()],
    )
    size = _log_files(client, run_id, journal, curves, synthetic)
    client.log_batch(run_id, make_scalars({"bytes/files": size}))
    client.set_tag(run_id, "curves", ",".join(curves))


def _list_scores(journal: TrialFolder, curves: Curves) -> list[Metric]:
    rows = journal.history()
    metrics = make_best(rows) if rows else []
    if not rows and "val" in curves:  # a baseline has no epochs
        metrics += make_scalars({VAL_AP: curves["val"][1]})
    for group in ("test", "cost"):
        values = journal.read(group) or {}
        metrics += make_scalars({f"{group}/{key}": value for key, value in values.items()})
    return metrics


def _list_curves(counts: dict[str, np.ndarray], curves: Curves) -> list[Metric]:
    metrics: list[Metric] = []
    for part, some in counts.items():
        metrics += make_overlay(f"pr/{part}_precision", curves[part][0])
        metrics += make_reliability(f"reliability/{part}_observed", some)
    return metrics


def _log_files(
    client: MlflowClient, run_id: str, journal: TrialFolder, curves: Curves, synthetic: bool
) -> int:
    """Log the curves as figure and JSON, and the trial's own files; return their bytes."""
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        (folder / "curves").mkdir()
        (folder / "trial").mkdir()
        for part, (curve, area) in curves.items():
            (folder / "curves" / f"pr_{part}.json").write_text(write_curve(curve, area, synthetic))
        if curves:
            figure = trial_figures.draw_pr(
                curves, str(client.get_run(run_id).info.run_name), synthetic
            )
            trial_figures.save(figure, folder / "curves" / "pr.png")
        for file in FILES:
            if (journal.path / file).is_file():
                shutil.copyfile(journal.path / file, folder / "trial" / file)
        client.log_artifacts(run_id, aside)
        return measure_bytes(folder)
