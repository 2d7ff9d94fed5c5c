"""Content of a report page, and formats that its sections share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import Run

from tuning.days.result import DaysResult
from tuning.page.html import Image
from tuning.report.ranking import Ranking
from tuning.report.reference_layers import ReferenceLayers
from tuning.report.register_models import Registered
from tuning.report.results import ModelResult
from tuning.report.study.details import Details
from tuning.report.tables import find_blind_runs
from tuning.search.scope import SearchScope, read_scope

BY_ITSELF = "95 % intervals are of each score by itself, not adjusted, over blocks of test tiles and over seeds"


@dataclass(frozen=True)
class ReportContext:
    """Results and files from which the sections of a page are built.

    Attributes:
        campaign: The campaign's run.
        ranking: Models, intervals and comparisons.
        layers: Label, DEM, change and land cover of the test tiles.
        table: Content of ``benchmark_master.csv``.
        figures: Figures that compare models, by name.
        events: Content of ``benchmark_events.csv``; empty unless the split is across events.
        searches: One row per search trial, as in ``search_trials.csv``.
        missing_runs: One sentence per model with missing repeat runs; empty for a complete report.
        folder: The report's folder, with each model's figures and the campaign's files.
        pages: URLs of prepared MLflow pages, by label.
        ui_command: Command that serves these pages, or the address of the server.
        ui: Address of MLflow's pages, with which those of *pages* begin.
        registered: The versions that were registered, one per network.
        duplicates: One sentence per run that does not count, because another run of its trial does.
        days: Scores by days after the event of the models that replayed the calendar; empty if none did.
        details: What the page shows beyond scores; None leaves its sections out.
    """

    campaign: Run
    ranking: Ranking
    layers: ReferenceLayers
    table: pd.DataFrame
    figures: dict[str, Path]
    events: pd.DataFrame
    searches: pd.DataFrame
    missing_runs: tuple[str, ...]
    folder: Path
    pages: Mapping[str, str]
    ui_command: str
    ui: str
    registered: tuple[Registered, ...] = ()
    duplicates: tuple[str, ...] = ()
    days: tuple[DaysResult, ...] = ()
    details: Details | None = None

    @property
    def scope(self) -> SearchScope | None:
        """The folds that were searched; None without a search, or for a campaign of an earlier release."""
        if not len(self.searches):
            return None
        return read_scope(self.campaign.data.tags, f"run {self.campaign.info.run_id}")

    @property
    def searched(self) -> str:
        """Where hyperparameters were searched, in sentences; empty where :attr:`scope` is None."""
        return self.scope.describe() if self.scope else ""

    @property
    def folds(self) -> int:
        """Number of folds of each seed; 1 without cross-validation."""
        return len(self.ranking.models[0].by_seed[0])

    def image(self, name: str, caption: str) -> Image:
        """Return a figure that compares models."""
        return Image(self.figures[name], caption)


def mean_ms_per_tile(model: ModelResult) -> float:
    """Return a model's inference time per test tile in ms, mean over its runs; NaN where nobody measured it."""
    seconds = [run.metric("test/infer_seconds_per_sample") for run in model.runs]
    return 1000 * float(np.mean(seconds))


def format_spread(row: "Mapping[str, Any] | pd.Series[Any]", name: str) -> str:
    """Format mean ± standard deviation over seeds; the mean alone for one seed."""
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    return f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"


def describe_blind_seeds(models: Sequence[ModelResult]) -> list[str]:
    """Name the seeds that found nothing on test, one sentence each; several folds are named too."""
    sentences = []
    for model in models:
        folds = len(model.by_seed[0]) > 1
        for run in find_blind_runs(model):
            place = f" on fold {run.fold}" if folds else ""
            sentences.append(f"{model.title} seed {run.seed} found no landslide{place}.")
    return sentences
