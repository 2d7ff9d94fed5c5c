"""From MLflow alone to ``benchmark_master.csv``, a CSV and JSON per model, and figures.

``python -m tuning.report [--campaign NAME] [--root mlruns]``
"""

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.names import unknown
from data.source import describe
from tuning import figures
from tuning.baseline import BASELINE
from tuning.metrics import Confusion, Curve, average_precision, trace_curve
from tuning.registry import BEST, CHAMPION, move_alias, register, registered_name
from tuning.store import connect, find_runs
from tuning.study import Study, collect_studies, make_row, seed_of, val_of

EXCLUDED = "excluded_tiles.json"  # artifact of the campaign's run: reason by tile
SUSPICIOUS = "suspicious_tiles.json"  # likewise: findings by tile
CURVES = {"loss": "loss", "dice": "Dice at 0.5", "pr_auc": "average precision"}


def _history(client: MlflowClient, run: Run, key: str) -> list[float]:
    metrics = client.get_metric_history(run.info.run_id, key)
    return [metric.value for metric in sorted(metrics, key=lambda metric: metric.step)]


def _draw_histories(client: MlflowClient, study: Study, folder: Path, synthetic: bool) -> None:
    for key, label in CURVES.items():
        lines = {
            f"{part} seed {seed_of(run)}": _history(client, run, f"{part}_{key}")
            for run in study.runs
            for part in ("train", "val")
        }
        figure = figures.draw_history(lines, label, study.name, synthetic)
        figures.save(figure, folder / f"{study.name}_{key}_curve.png")


def _download(client: MlflowClient, run: Run, to: Path) -> Path:
    return Path(client.download_artifacts(run.info.run_id, "trial", str(to)))


def _draw_study(
    client: MlflowClient, study: Study, folder: Path, synthetic: bool
) -> tuple[Curve, float]:
    """Draw a study's figures; return the chosen run's test curve and its average precision."""
    if study.model != BASELINE:
        _draw_histories(client, study, folder, synthetic)
    with tempfile.TemporaryDirectory() as to:
        files = _download(client, study.chosen, Path(to))
        counts: np.ndarray = np.load(files / "test_counts.npy", allow_pickle=False)
        with np.load(files / "examples.npz", allow_pickle=False) as examples:
            shown = {name: examples[name] for name in examples.files}
    metrics = study.chosen.data.metrics
    curve = (trace_curve(counts), average_precision(counts))
    figure = figures.draw_pr({study.name: curve}, f"{study.name}, test", synthetic)
    figures.save(figure, folder / f"{study.name}_pr_curve.png")
    confusion = Confusion(*(int(metrics[f"test/{name}"]) for name in ("tp", "fp", "fn", "tn")))
    title = f"{study.name}, threshold {metrics['test/threshold']:.3f}"
    figure = figures.draw_confusion(confusion, title, synthetic)
    figures.save(figure, folder / f"{study.name}_confusion_matrix.png")
    ids = [str(tile) for tile in shown.pop("tile_ids")]
    drawn = figures.draw_examples(
        ids, **shown, threshold=metrics["test/threshold"], synthetic=synthetic
    )
    for number, figure in enumerate(drawn.values()):
        figures.save(figure, folder / f"{study.name}_qual_{number:02d}.png")
    return curve


def _write_model_files(study: Study, row: Mapping[str, Any], folder: Path) -> None:
    """Write ``<model>.csv``, a row per repeat run, and ``<model>.json`` with everything."""
    rows = []
    for run in study.runs:
        scores = {
            name.removeprefix("test/"): value
            for name, value in run.data.metrics.items()
            if name.startswith("test/")
        }
        rows.append(
            {"model": study.name, "seed": seed_of(run), "val_pr_auc": val_of(run), **scores}
            | {"run_id": run.info.run_id, "data": run.data.tags["data"]}
        )
    pd.DataFrame(rows).to_csv(folder / f"{study.name}.csv", index=False)
    content = {"summary": dict(row), "runs": rows, "params": study.chosen.data.params}
    (folder / f"{study.name}.json").write_text(json.dumps(content, indent=1, default=float))


def _register(
    client: MlflowClient, studies: Sequence[Study], rows: Sequence[dict[str, Any]]
) -> None:
    """Register each architecture's chosen run, and move the aliases."""
    networks = [pair for pair in zip(studies, rows, strict=True) if pair[0].model != BASELINE]
    names = [registered_name(study.model) for study, _ in networks]
    every = {model.name for model in client.search_registered_models()} | set(names)
    for place, (study, row) in enumerate(networks):
        tags = {name: str(value) for name, value in row.items() if name != "weights_path"}
        version = register(client, study.model, row["weights_path"], row["run_id"], tags)
        move_alias(client, BEST, names[place], version, [])
        if place == 0:  # the highest mean val average precision
            move_alias(client, CHAMPION, names[place], version, sorted(every))


def _copy_tile_lists(client: MlflowClient, campaign: Run, folder: Path) -> None:
    """Put the tiles that could not be used or look odd, with their reasons, beside the table."""
    run_id = campaign.info.run_id
    there = {file.path for file in client.list_artifacts(run_id)}
    for name in there.intersection((EXCLUDED, SUSPICIOUS)):
        client.download_artifacts(run_id, name, str(folder))


def find_campaign(client: MlflowClient, experiment_id: str, name: str | None) -> Run:
    """Return the run of the campaign of that name, or of the latest.

    Raises:
        ValueError: If there is none.
    """
    runs = {
        run.data.tags["campaign"]: run for run in find_runs(client, experiment_id, kind="campaign")
    }
    if not runs:
        raise ValueError(
            "A report needs a campaign, but MLflow holds none. Run `python -m tuning.run`."
        )
    if name is not None and name not in runs:
        raise ValueError(unknown("campaign", name, runs))
    return runs[name or list(runs)[-1]]


def write_report(root: Path, campaign: str | None = None) -> pd.DataFrame:
    """Write a campaign's tables and figures below ``<root>/reports/<campaign>`` and register its models.

    Args:
        root: Output folder.
        campaign: Name of the campaign, the latest when left out.

    Returns:
        The content of ``benchmark_master.csv``, best architecture by mean val AP first.

    Raises:
        ValueError: If there is no such campaign, or none of its repeat trials finished.
    """
    client, experiment_id = connect(root)
    found = find_campaign(client, experiment_id, campaign)
    campaign = found.data.tags["campaign"]
    studies = collect_studies(client, experiment_id, campaign)
    if not studies:
        raise ValueError(
            f"A report needs a finished repeat trial, but campaign {campaign!r} has none. "
            f"Continue it with `python -m tuning.run --resume {campaign}`."
        )
    rows = [make_row(study) for study in studies]
    folder = report_folder(root, campaign)
    folder.mkdir(parents=True, exist_ok=True)
    _copy_tile_lists(client, found, folder)
    table = pd.DataFrame(rows)
    table.to_csv(folder / "benchmark_master.csv", index=False)
    synthetic = rows[0]["data"] == "synthetic"
    overlay = {}
    for study, row in zip(studies, rows, strict=True):
        _write_model_files(study, row, folder)
        to = folder / "Figures" / study.name
        overlay[study.name] = _draw_study(client, study, to, synthetic)
    figure = figures.draw_pr(overlay, "Test, the registered runs", synthetic)
    figures.save(figure, folder / "Figures" / "pr_curves.png")
    _register(client, studies, rows)
    return table


def report_folder(root: Path, campaign: str) -> Path:
    """Return the folder of a campaign's report."""
    return root / "reports" / campaign


def format_ranking(table: pd.DataFrame) -> str:
    """Format the ranking for the terminal: mean ± standard deviation over seeds on test."""
    lines = [
        f"{'model':<24}{'test AP':>16}{'test F1':>16}{'test IoU':>16}{'val AP':>9}{'seeds':>7}"
    ]
    for _, row in table.iterrows():
        cells = [_spread(row, name) for name in ("pr_auc", "f1_dice", "iou")]
        lines.append(
            f"{row['model']:<24}"
            + "".join(f"{cell:>16}" for cell in cells)
            + f"{row['val_pr_auc_mean']:>9.3f}{row['seeds']:>7d}"
        )
    return "\n".join(lines)


def _spread(row: "pd.Series[Any]", name: str) -> str:
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    return f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"


def main(argv: list[str] | None = None) -> int:
    """Write a report; return the exit code."""
    parser = argparse.ArgumentParser("python -m tuning.report", description=__doc__)
    parser.add_argument("--campaign", help="name of the campaign (default: the latest)")
    parser.add_argument("--root", type=Path, default=Path("mlruns"), help="output folder")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        table = write_report(args.root, args.campaign)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Data: {describe(table['data'][0] == 'synthetic')} tiles.")
    print(format_ranking(table))
    print(f"Report: {report_folder(args.root, table['campaign'][0])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
