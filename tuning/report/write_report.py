"""Write tables, figures and the report page of a campaign and register its models, from MLflow alone."""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.check.leak_file import LEAK_FILE
from data.io.working_folder import working_folder
from tuning.days.result import DaysResult
from tuning.days.section import CSV as DAYS_FILE
from tuning.days.section import list_days_rows
from tuning.page.html import write_page
from tuning.report.ceiling import write_ceiling
from tuning.report.context import ReportContext
from tuning.report.events import EVENTS_FILE, make_event_rows
from tuning.report.fairness import make_reads_columns
from tuning.report.figures import draw_comparisons, draw_model
from tuning.report.missing import describe_missing_runs, partial_error
from tuning.report.paper.quote import write_quotes
from tuning.report.placebo import rate_placebos
from tuning.report.ranking import Ranking, rank_models, read_comparison
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.register_models import Registered, register_models
from tuning.report.results import ModelResult, is_finished_repeat, read_results
from tuning.report.sections.days import read_days
from tuning.report.sections.page import build_page
from tuning.report.study.details import make_details
from tuning.report.tables import (
    PUBLISHED_COLUMNS,
    make_comparison_rows,
    make_model_row,
    make_run_rows,
    make_tile_rows,
    score_at_half,
)
from tuning.report.terminal import PAGES_FILE, report_folder
from tuning.settings.roots import resume_command
from tuning.store.database import is_read_only
from tuning.store.duplicates import mark_duplicates
from tuning.store.lease import lock_registry
from tuning.tracking.campaign.publish import list_campaign_pages, publish_ranking
from tuning.tracking.campaign.scores import log_final_scores
from tuning.tracking.client import connect_existing
from tuning.tracking.load_trials import SEARCH_TRIALS, Trials, read_trials
from tuning.tracking.ui_links import ui_address, ui_command
from tuning.tracking.validate_runs import find_campaign

EXCLUDED_FILE = "excluded_tiles.json"  # artifact of the campaign's run: reason by tile
SUSPICIOUS_FILE = "suspicious_tiles.json"  # artifact of the campaign's run: warnings by tile
SPLITS = ("splits.json", "splits.png")


def write_report(
    root: Path, campaign: str | None = None, *, out: Path | None = None, partial: bool = False
) -> pd.DataFrame:
    """Write a campaign's report and register its models.

    Args:
        root: Output folder.
        campaign: Name of the campaign (default: the latest).
        out: Folder of the report (default: ``<root>/reports/<campaign>``).
        partial: Whether to report a campaign with missing repeat runs.

    Returns:
        The content of ``benchmark_master.csv``, highest mean test AP first.

    Raises:
        ValueError: If there is no such campaign, none of its repeat runs finished, some are missing and
            *partial* is not set, or a run's tags, metrics or files are not what a campaign logs.
        PermissionError: If the output folder may only be read, and *out* is not given.
    """
    client, experiment_id = connect_existing(root)
    writes = not is_read_only(client.tracking_uri)
    if not writes and out is None:
        raise PermissionError(
            f"A report is written into its campaign's folder, but {root} may only be read. Give another folder with "
            "--out; nothing is registered then."
        )
    campaign_run = find_campaign(client, experiment_id, campaign)
    name = campaign_run.data.tags["campaign"]
    trials = read_trials(client, experiment_id, name)
    missing = describe_missing_runs(client, campaign_run, trials.repeats)
    if missing and not partial:
        raise partial_error(root, campaign_run, missing)
    results = read_results(client, campaign_run, trials.repeats)
    if results is None:
        raise ValueError(
            f"A report needs a finished repeat run, but campaign {name!r} has none. "
            f"Continue it with `{resume_command(root, name)}`."
        )
    ranking = rank_models(results.models, results.layers, *read_comparison(campaign_run))
    # A temporary folder, because the user's folder may contain other files, which must not be logged.
    with working_folder() as folder:
        _download_tile_files(client, campaign_run, folder)
        reads = make_reads_columns(ranking.models, trials.searches)
        more = {
            title: reads[title] | columns | {"mmu_m2": results.layers.mmu_m2}
            for title, columns in rate_placebos(client, ranking).items()
        }
        table, events = _write_tables(ranking, more, trials.searches, folder)
        write_ceiling(ranking.models, results.layers, table, folder)
        days = read_days(client, ranking, results.layers)
        if days:
            pd.DataFrame(list_days_rows(days)).to_csv(folder / DAYS_FILE, index=False)
        with lock_registry(client, experiment_id) if writes else nullcontext():
            if writes:
                mark_duplicates(client, trials.duplicates)
                _log_scores(client, campaign_run, trials, table)
            registered = (
                register_models(client, ranking, table, campaign_run, folder) if writes else []
            )
            _write_figures_and_page(
                client,
                campaign_run,
                ranking,
                results.layers,
                table,
                events,
                trials,
                missing,
                registered,
                days,
                folder,
            )
            if writes:
                client.log_artifacts(campaign_run.info.run_id, str(folder), "report")
        shutil.copytree(folder, out or report_folder(root, name), dirs_exist_ok=True)
    return table


def _download_tile_files(client: MlflowClient, campaign: Run, folder: Path) -> None:
    """Download the campaign's files on tiles and splits into the report's folder."""
    run_id = campaign.info.run_id
    artifacts = {file.path for file in client.list_artifacts(run_id)}
    for name in artifacts.intersection((EXCLUDED_FILE, SUSPICIOUS_FILE, LEAK_FILE, *SPLITS)):
        client.download_artifacts(run_id, name, str(folder))


def _write_tables(
    ranking: Ranking, more: Mapping[str, dict[str, Any]], searches: pd.DataFrame, folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the CSV files; return the content of ``benchmark_master.csv`` and of ``benchmark_events.csv``.

    *more* has further columns of each model, by its title.
    """
    rows = [make_model_row(model, ranking) | more[model.title] for model in ranking.models]
    table = pd.DataFrame(rows).astype({"search_trials": "Int64"})
    table.to_csv(folder / "benchmark_master.csv", index=False)
    runs = make_run_rows(ranking.models)
    pd.DataFrame(runs).to_csv(folder / "benchmark_runs.csv", index=False)
    events = make_event_rows(runs, str(table["regions"][0]).split())
    if len(events):
        events.to_csv(folder / EVENTS_FILE, index=False)
    tiles = pd.DataFrame(make_tile_rows(ranking.models))
    tiles.to_csv(folder / "benchmark_tiles.csv", index=False)
    pd.DataFrame(make_comparison_rows(ranking)).to_csv(folder / "pairwise.csv", index=False)
    if len(searches):
        searches.to_csv(folder / SEARCH_TRIALS, index=False)
    for model, row in zip(ranking.models, rows, strict=True):
        own = [run for run in runs if run["model"] == model.title]
        _write_model_files(model, row, own, folder)
    return table, events


def _write_model_files(
    model: ModelResult, row: dict[str, Any], runs: list[dict[str, Any]], folder: Path
) -> None:
    """Write ``<Model>_benchmark_thr0.5.csv`` with the published columns, and a JSON file with all scores."""
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
    layers: ReferenceLayers,
    table: pd.DataFrame,
    events: pd.DataFrame,
    trials: Trials,
    missing: Sequence[str],
    registered: Sequence[Registered],
    days: tuple[DaysResult, ...],
    folder: Path,
) -> None:
    synthetic = bool(table["data"][0] == "synthetic")
    figures = folder / "Figures"
    for model in ranking.models:
        draw_model(client, model, layers, figures / model.title, synthetic)
    compared = draw_comparisons(ranking, figures, synthetic)
    details = make_details(client, campaign, ranking, layers, table, trials.searches, folder)
    pages = list_campaign_pages(client, campaign, table, trials.searches)
    (folder / PAGES_FILE).write_text(json.dumps(pages, indent=1))
    if not is_read_only(client.tracking_uri):
        publish_ranking(client, campaign, table, pages)
    context = ReportContext(
        campaign,
        ranking,
        layers,
        table,
        compared,
        events,
        trials.searches,
        tuple(missing),
        folder,
        pages,
        ui_command(client.tracking_uri),
        ui_address(client.tracking_uri),
        tuple(registered),
        tuple(one.describe() for one in trials.duplicates),
        days,
        details,
    )
    page = build_page(context)
    write_quotes(table, details.facts, folder, page.verdict[0])
    write_page(page, folder / "report.html")


def _log_scores(client: MlflowClient, campaign: Run, trials: Trials, table: pd.DataFrame) -> None:
    """Log means and intervals as metrics of the runs of studies and campaign."""
    rows = table.to_dict("records")
    ends = {row["architecture"]: (row["pr_auc_low"], row["pr_auc_high"]) for row in rows}
    log_final_scores(client, campaign, filter(is_finished_repeat, trials.repeats), ends)
