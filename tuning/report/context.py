"""All that a report page is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import Run

from tuning.report.html import Image
from tuning.report.ranking import Ranking
from tuning.report.reference_layers import ReferenceLayers


@dataclass(frozen=True)
class ReportContext:
    """All that a page is made of.

    Attributes:
        campaign: The campaign's run.
        ranking: Models, intervals and comparisons.
        ground: What lies under the test tiles.
        table: Content of ``benchmark_master.csv``.
        figures: Figures that compare models, by name.
        searches: A row per search trial, as ``search_trials.csv`` has it.
        lacking: What a partial report lacks.
        folder: The report's folder, with each model's figures and the campaign's files.
        pages: Addresses of ready-made pages of MLflow by label.
        ui_command: What serves those pages: a command, or the address of a server.
    """

    campaign: Run
    ranking: Ranking
    ground: ReferenceLayers
    table: pd.DataFrame
    figures: dict[str, Path]
    searches: pd.DataFrame
    lacking: tuple[str, ...]
    folder: Path
    pages: Mapping[str, str]
    ui_command: str

    def image(self, name: str, caption: str) -> Image:
        """Return a figure that compares models."""
        return Image(self.figures[name], caption)


def format_spread(row: "pd.Series[Any]", name: str) -> str:
    """Format mean ± standard deviation over seeds; the mean alone for one seed."""
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    return f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"
