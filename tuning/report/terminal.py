"""What a finished report prints in the terminal: the ranking, scores by held-out event, the page, and one address."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from data.io.safe_json import read_json
from tuning.report.context import format_spread
from tuning.report.events import EVENTS_FILE, format_events
from tuning.report.tables import format_ends
from tuning.tracking.ui_links import ui_command
from tuning.trial.foreign.names import NOT_STATED

PAGES_FILE = "pages.json"  # in the report's folder: URLs of MLflow pages by label
LEGEND = "place: what the comparisons of the primary family allow; exploratory rows have none."


def format_ranking(table: pd.DataFrame) -> str:
    """Format the ranking for the terminal: test scores as mean ± standard deviation over seeds, and what a row reads."""
    width = max(22, *(len(name) + 2 for name in table["model"]))
    lines = [f"{'place':<9}{'model':<{width}}{'test AP':>15}{'95 % interval':>18}  reads"]
    for row in table.to_dict("records"):
        interval = format_ends(row["pr_auc_low"], row["pr_auc_high"])
        lines.append(
            f"{row['rank']:<9}{row['model']:<{width}}{format_spread(row, 'pr_auc'):>15}{interval:>18}  {_format_input(row)}"
        )
    return "\n".join([*lines, LEGEND])


def _format_input(row: Mapping[Any, Any]) -> str:
    if row["reads_channels"] == NOT_STATED:
        return NOT_STATED
    return f"{len(row['reads_channels'].split())} ch, {row['reads_dates']}"


def format_tables(table: pd.DataFrame, folder: Path) -> str:
    """Format a report's ranking for the terminal, and its scores by held-out event if the split is across events."""
    text, file = format_ranking(table), folder / EVENTS_FILE
    if not file.is_file():
        return text
    return f"{format_events(pd.read_csv(file))}\n\nMean over these events:\n{text}"


def format_places(page: Path, tracking_uri: str, address: str) -> str:
    """Format where to read on: the report's page, and one address of MLflow's pages.

    Args:
        page: The report's page.
        tracking_uri: The tracker; where it is a database, the command that serves its pages is added.
        address: The address of MLflow's page.
    """
    lines = [f"Report:  {page}", f"Runs:    {address}"]
    if not tracking_uri.startswith("http"):
        lines.append(f"         (after: {ui_command(tracking_uri)})")
    return "\n".join(lines)


def first_page(folder: Path) -> str:
    """Return the address of the first of a report's pages of MLflow, its trials; the others are on its page."""
    pages = read_json(folder / PAGES_FILE)
    return str(next(iter(pages.values())))


def report_folder(root: Path, campaign: str) -> Path:
    """Return the folder of a campaign's report."""
    return root / "reports" / campaign
