"""From MLflow alone to the benchmark's tables, figures, report page and registered models.

``python -m tuning.report [--campaign NAME] [--root mlruns] [--out FOLDER] [--partial]``
"""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.safe_json import read_json
from tuning.report.context import ReportContext
from tuning.report.figures import draw_comparisons, draw_model
from tuning.report.html import write_page
from tuning.report.ranking import Ranking, rank_models
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.register_models import register_models
from tuning.report.results import ModelResult, is_finished_repeat, read_results
from tuning.report.sections import build_page
from tuning.report.tables import (
    PUBLISHED_COLUMNS,
    make_comparison_rows,
    make_model_row,
    make_run_rows,
    make_tile_rows,
    score_at_half,
)
from tuning.tracking.client import connect
from tuning.tracking.descriptions import NOTE, describe_ranking
from tuning.tracking.load_trials import SEARCH_TRIALS, read_trials
from tuning.tracking.ui_links import list_pages, ui_address, ui_command
from tuning.tracking.validate_runs import find_campaign, read_expected

EXCLUDED_FILE = "excluded_tiles.json"  # artifact of the campaign's run: reason by tile
SUSPICIOUS_FILE = "suspicious_tiles.json"  # likewise: findings by tile
SPLITS = ("splits.json", "splits.png")
PAGES_FILE = "pages.json"  # in the report's folder: addresses of MLflow's pages by label
EXPECTED_RUNS_TAG = "expected_runs"  # tag of the campaign's run: repeat runs by model, as JSON


def describe_missing_runs(campaign: Run, repeats: Sequence[Run]) -> list[str]:
    """Name the repeat runs that a campaign should have and has not, one sentence per model."""
    expected = read_expected(campaign, EXPECTED_RUNS_TAG)
    there = [run.data.tags.get("study") for run in repeats if is_finished_repeat(run)]
    return [
        f"{model} has {there.count(model)} of {count} repeat runs."
        for model, count in expected.items()
        if there.count(model) < count
    ]


def _refuse_partial(campaign: Run, lacking: Sequence[str]) -> ValueError:
    name = campaign.data.tags["campaign"]
    return ValueError(
        f"A ranking needs every repeat run, but in campaign {name!r} {' '.join(lacking)} "
        f"Continue it with `python -m tuning.run --resume {name}`, or report what is there with --partial."
    )


def write_report(
    root: Path, campaign: str | None = None, *, out: Path | None = None, partial: bool = False
) -> pd.DataFrame:
    """Write a campaign's report and register its models.

    Args:
        root: Output folder.
        campaign: Name of the campaign, the latest when left out.
        out: Folder of the report; ``<root>/reports/<campaign>`` when left out.
        partial: Whether to report a campaign of which repeat runs are missing.

    Returns:
        The content of ``benchmark_master.csv``, best model by mean test AP first.

    Raises:
        ValueError: If there is no such campaign, none of its repeat runs finished, some are missing and
            *partial* is not set, or the tracker holds something else than what a campaign logs.
    """
    client, experiment_id = connect(root)
    found = find_campaign(client, experiment_id, campaign)
    name = found.data.tags["campaign"]
    trials = read_trials(client, experiment_id, name)
    lacking = describe_missing_runs(found, trials.repeats)
    if lacking and not partial:
        raise _refuse_partial(found, lacking)
    results = read_results(client, found, trials.repeats)
    if results is None:
        raise ValueError(
            f"A report needs a finished repeat run, but campaign {name!r} has none. "
            f"Continue it with `python -m tuning.run --resume {name}`."
        )
    ranking = rank_models(results.models, results.ground)
    with tempfile.TemporaryDirectory() as aside:  # the user's folder may hold other files
        made = Path(aside)
        _copy_artifacts(client, found, made)
        table = _write_tables(ranking, trials.searches, made)
        register_models(client, ranking, table, found)
        _write_figures_and_page(
            client, found, ranking, results.ground, table, trials.searches, lacking, made
        )
        client.log_artifacts(found.info.run_id, aside, "report")
        folder = out or report_folder(root, name)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    return table


def _copy_artifacts(client: MlflowClient, campaign: Run, folder: Path) -> None:
    """Put what the campaign says of its tiles and splits beside the tables."""
    run_id = campaign.info.run_id
    there = {file.path for file in client.list_artifacts(run_id)}
    for name in there.intersection((EXCLUDED_FILE, SUSPICIOUS_FILE, *SPLITS)):
        client.download_artifacts(run_id, name, str(folder))


def _write_tables(ranking: Ranking, searches: pd.DataFrame, folder: Path) -> pd.DataFrame:
    rows = [make_model_row(model, ranking) for model in ranking.models]
    table = pd.DataFrame(rows)
    table.to_csv(folder / "benchmark_master.csv", index=False)
    runs = make_run_rows(ranking.models)
    pd.DataFrame(runs).to_csv(folder / "benchmark_runs.csv", index=False)
    tiles = pd.DataFrame(make_tile_rows(ranking.models))
    tiles.to_csv(folder / "benchmark_tiles.csv", index=False)
    pd.DataFrame(make_comparison_rows(ranking)).to_csv(folder / "pairwise.csv", index=False)
    if len(searches):
        searches.to_csv(folder / SEARCH_TRIALS, index=False)
    for model, row in zip(ranking.models, rows, strict=True):
        own = [run for run in runs if run["model"] == model.title]
        _write_model_files(model, row, own, folder)
    return table


def _write_model_files(
    model: ModelResult, row: dict[str, Any], runs: list[dict[str, Any]], folder: Path
) -> None:
    """Write ``<Model>_benchmark_thr0.5.csv`` with the published columns, and all of it as JSON."""
    half = score_at_half(model, row)
    name = f"{model.title}_benchmark_thr0.5"
    pd.DataFrame([half])[list(PUBLISHED_COLUMNS)].to_csv(folder / f"{name}.csv", index=False)
    params = model.chosen.run.data.params
    content = {"thr0.5": half, "summary": row, "runs": runs, "params": params}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=float))


def _write_figures_and_page(
    client: MlflowClient,
    campaign: Run,
    ranking: Ranking,
    ground: ReferenceLayers,
    table: pd.DataFrame,
    searches: pd.DataFrame,
    lacking: Sequence[str],
    folder: Path,
) -> None:
    synthetic = bool(table["data"][0] == "synthetic")
    drawings = folder / "Figures"
    for model in ranking.models:
        draw_model(client, model, ground, drawings / model.title, synthetic)
    compared = draw_comparisons(ranking, drawings, synthetic)
    pages = _list_pages(client, campaign, table, searches)
    (folder / PAGES_FILE).write_text(json.dumps(pages, indent=1))
    note = describe_ranking(campaign.data.tags.get(NOTE, ""), table, pages)
    client.set_tag(campaign.info.run_id, NOTE, note)
    material = ReportContext(
        campaign,
        ranking,
        ground,
        table,
        compared,
        searches,
        tuple(lacking),
        folder,
        pages,
        ui_command(client.tracking_uri),
    )
    write_page(build_page(material), folder / "report.html")


def _list_pages(
    client: MlflowClient, campaign: Run, table: pd.DataFrame, searches: pd.DataFrame
) -> dict[str, str]:
    """List MLflow's ready-made pages of a campaign: its models' chosen runs, its search trials."""
    ranked = [] if searches.empty else searches.sort_values("val_pr_auc", ascending=False)["run_id"]
    return list_pages(
        ui_address(client.tracking_uri),
        campaign.info.experiment_id,
        campaign.data.tags["campaign"],
        [str(run_id) for run_id in table["run_id"]],
        list(map(str, ranked)),
    )


def format_pages(folder: Path) -> str:
    """Format the addresses that a report keeps for the terminal, a line each."""
    pages = read_json(folder / PAGES_FILE)
    return "\n".join(f"  {label}: {address}" for label, address in pages.items())


def report_folder(root: Path, campaign: str) -> Path:
    """Return the folder of a campaign's report."""
    return root / "reports" / campaign
