"""What a reported matrix prints in the terminal: its cells with their scores, and where to read on."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from data.tiles.manifest import describe_origin
from tuning.matrix.report.tables import CELLS_FILE
from tuning.matrix.report.write_report import MatrixReport
from tuning.report.terminal import format_places
from tuning.tracking.client import tracking_uri
from tuning.tracking.ui_links import ui_address

_PAGE = "report.html"


def format_report(root: Path, report: MatrixReport) -> str:
    """Return scores by cell and model, the result in sentences, the page, and one address of the runs."""
    cells = pd.read_csv(report.folder / CELLS_FILE)
    origin = describe_origin("synthetic" in set(cells["data"]))
    return "\n".join(
        [
            f"\nScores on test, mean ± standard deviation over seeds; {origin} data:",
            format_cells(cells),
            "",
            *report.sentences,
            "",
            format_places(
                report.folder / _PAGE, tracking_uri(root), ui_address(tracking_uri(root))
            ),
        ]
    )


def format_cells(cells: pd.DataFrame) -> str:
    """Format the content of ``matrix_cells.csv`` for the terminal, one line per cell and model."""
    rows = cells.to_dict("records")
    wide = max(4, *(len(str(row["cell"])) for row in rows)) + 2
    model = max(5, *(len(str(row["model"])) for row in rows)) + 2
    head = f"{'cell':<{wide}}{'model':<{model}}{'test AP':>15}{'95 % interval':>18}{'seeds':>7}"
    lines = [f"{row['cell']:<{wide}}{row['model']:<{model}}{_format_scores(row)}" for row in rows]
    return "\n".join([head, *lines])


def _format_scores(row: Mapping[Any, Any]) -> str:
    mean, low, high = (
        float(row.get(f"pr_auc_{part}", math.nan)) for part in ("mean", "low", "high")
    )
    if math.isnan(mean):
        return f"{'missing':>15}"
    std = float(row.get("pr_auc_std", math.nan))
    score = f"{mean:.3f}" if math.isnan(std) or row["seeds"] < 2 else f"{mean:.3f} ± {std:.3f}"
    interval = "" if math.isnan(low) else f"{low:.3f} to {high:.3f}"
    return f"{score:>15}{interval:>18}{row['seeds']:>7}"
