"""Write the tables, figures and page of a matrix, from MLflow alone."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data.io.working_folder import working_folder
from tuning.days.section import CSV as DAYS_FILE
from tuning.days.section import list_days_rows
from tuning.matrix.report.context import MatrixContext, make_context
from tuning.matrix.report.figures import draw_figures
from tuning.matrix.report.page import build_page, describe_result
from tuning.matrix.report.tables import (
    CELLS_FILE,
    EFFECTS_FILE,
    make_cells_table,
    make_effects_table,
)
from tuning.matrix.results import read_matrix
from tuning.page.html import write_page
from tuning.report.terminal import report_folder
from tuning.store.database import is_read_only
from tuning.tracking.client import connect_existing
from tuning.tracking.ui_links import ui_address

PAGE = "report.html"


@dataclass(frozen=True)
class MatrixReport:
    """The report of a matrix.

    Attributes:
        folder: Folder with ``report.html``, ``matrix_cells.csv``, ``matrix_effects.csv`` and ``Figures/``.
        sentences: The result in sentences, for the terminal.
        missing: A sentence per cell that is missing or lacks runs; empty for a complete matrix.
    """

    folder: Path
    sentences: tuple[str, ...]
    missing: tuple[str, ...]


def write_matrix_report(
    root: Path, matrix: str | None = None, *, out: Path | None = None
) -> MatrixReport:
    """Write the report of a matrix.

    Args:
        root: Output folder.
        matrix: Name of the matrix; the latest if None.
        out: Folder of the report; ``<root>/reports/<matrix>`` if None.

    Raises:
        ValueError: If there is no such matrix, its plan is not what a matrix logs, or no cell has a finished repeat run.
        PermissionError: If the output folder may only be read, and *out* is not given.
    """
    client, experiment_id = connect_existing(root)
    writes = not is_read_only(client.tracking_uri)
    if not writes and out is None:
        raise PermissionError(
            f"A report is written into its matrix's folder, but {root} may only be read. Ask its owner for write access, or copy the "
            "whole folder and use the copy with --root."
        )
    results = read_matrix(client, experiment_id, matrix)
    folder = out or report_folder(root, results.plan.name)
    # A temporary folder, because the user's folder may contain other files, which must not be logged.
    with working_folder() as made:
        reports = root if out is None else None
        context = make_context(results, made, reports, ui_address(client.tracking_uri))
        _write_files(context)
        if writes:
            client.log_artifacts(results.run.info.run_id, str(made), "report")
        shutil.copytree(made, folder, dirs_exist_ok=True)
    sentences = tuple(text.replace("**", "") for text in describe_result(context))
    return MatrixReport(folder, sentences, results.missing)


def _write_files(context: MatrixContext) -> None:
    folder, margin = context.folder, context.results.plan.margin
    make_cells_table(context).to_csv(folder / CELLS_FILE, index=False)
    make_effects_table(context.effects, margin).to_csv(folder / EFFECTS_FILE, index=False)
    if context.days:
        pd.DataFrame(list_days_rows(context.days)).to_csv(folder / DAYS_FILE, index=False)
    write_page(build_page(context, draw_figures(context)), folder / PAGE)
