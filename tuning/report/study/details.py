"""What the page shows beyond scores: searches, curves by epoch, places of errors, facts to quote; and the files of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.report.errors.confusion import draw_matrices
from tuning.report.errors.error_map import TileErrors, draw_errors, find_errors
from tuning.report.errors.tile_positions import read_untested
from tuning.report.paper.facts import CampaignFacts, collect_facts
from tuning.report.ranking import Ranking
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.study.learning_curves import draw_learning_curves
from tuning.report.study.records import StudyRecords, read_study_records
from tuning.report.study.searches import CSV, SearchRecord, list_searches, make_csv_rows

CURVES, MATRICES, ERRORS = "learning_curves", "confusion_matrices", "error_map"


@dataclass(frozen=True)
class Details:
    """What the page shows beyond scores.

    Attributes:
        records: Values per epoch, and samples of the baselines' searches.
        searches: A record of each model's search, networks first.
        facts: Facts of the campaign that a paper names.
        errors: Errors of the first-ranked model by tile.
        figures: Drawn figures by name; one that lacks its data is left out.
        places_known: Whether the map of errors shows the train and val tiles.
    """

    records: StudyRecords
    searches: tuple[SearchRecord, ...]
    facts: CampaignFacts
    errors: TileErrors
    figures: Mapping[str, Path]
    places_known: bool


def make_details(
    client: MlflowClient,
    campaign: Run,
    ranking: Ranking,
    layers: ReferenceLayers,
    table: pd.DataFrame,
    searches: pd.DataFrame,
    folder: Path,
) -> Details:
    """Read what MLflow holds beyond scores, draw its figures, and write ``hyperparameters.csv``.

    Args:
        client: MLflow client.
        campaign: The campaign's run.
        ranking: Its models.
        layers: Labels and positions of its test tiles.
        table: Content of ``benchmark_master.csv``.
        searches: Content of ``search_trials.csv``.
        folder: The report's folder.

    Raises:
        ValueError: If a file of a run, or ``splits.json``, is not what a campaign logs.
    """
    facts = collect_facts(campaign, ranking, layers, table.iloc[0].to_dict())
    records = read_study_records(client, ranking.models)
    found = list_searches(ranking.models, campaign.data.params, searches, records)
    if rows := make_csv_rows(found):
        pd.DataFrame(rows).to_csv(folder / CSV, index=False)
    errors, drawn = find_errors(ranking, layers), folder / "Figures"
    figures = {
        MATRICES: draw_matrices(ranking, drawn, facts.synthetic),
        ERRORS: draw_errors(errors, folder, drawn, facts.synthetic),
    }
    if curves := draw_learning_curves(records.histories, drawn, facts.synthetic):
        figures[CURVES] = curves
    untested = read_untested(folder, set(errors.table["tile_id"]))
    known = any(len(tiles) for tiles in untested.values())
    return Details(records, tuple(found), facts, errors, figures, known)
