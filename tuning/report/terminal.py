"""What a finished report prints in the terminal: the ranking, scores by held-out event, and links to MLflow's pages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from data.io.safe_json import read_json
from tuning.report.context import format_spread
from tuning.report.events import EVENTS_FILE, format_events
from tuning.report.fairness import count_trials
from tuning.report.tables import format_ends

PAGES_FILE = "pages.json"  # in the report's folder: URLs of MLflow pages by label
LEGEND = (
    "place: range that the comparisons of the primary family allow; rows without one are exploratory. "
    "reads: channels and acquisitions."
)


def format_ranking(table: pd.DataFrame) -> str:
    """Format the ranking for the terminal: test scores as mean ± standard deviation over seeds."""
    width = max(24, *(len(name) + 2 for name in table["model"]))
    head = f"{'place':<9}{'model':<{width}}{'test AP':>15}{'95 % interval':>20}{'test F1':>16}"
    lines = [head + f"{'val AP':>8}  {'reads':<18}{'trials':>6}{'seeds':>7}"]
    for row in table.to_dict("records"):
        interval = format_ends(row["pr_auc_low"], row["pr_auc_high"])
        trials = count_trials(row)
        lines.append(
            f"{row['rank']:<9}{row['model']:<{width}}{format_spread(row, 'pr_auc'):>15}{interval:>20}"
            f"{format_spread(row, 'f1_dice'):>16}{row['val_pr_auc_mean']:>8.3f}  {_format_input(row):<18}"
            f"{'' if trials is None else trials:>6}{row['seeds']:>7d}"
        )
    return "\n".join([*lines, LEGEND])


def _format_input(row: Mapping[Any, Any]) -> str:
    return f"{len(row['reads_channels'].split())} ch, {row['reads_dates']}"


def format_tables(table: pd.DataFrame, folder: Path) -> str:
    """Format a report's ranking for the terminal, and its scores by held-out event if the split is across events."""
    text, file = format_ranking(table), folder / EVENTS_FILE
    if not file.is_file():
        return text
    return f"{format_events(pd.read_csv(file))}\n\nMean over these events:\n{text}"


def format_pages(folder: Path) -> str:
    """Format a report's MLflow URLs for the terminal, one per line."""
    pages = read_json(folder / PAGES_FILE)
    return "\n".join(f"  {label}: {address}" for label, address in pages.items())


def report_folder(root: Path, campaign: str) -> Path:
    """Return the folder of a campaign's report."""
    return root / "reports" / campaign
