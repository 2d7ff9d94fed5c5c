"""The sections on cells: their scores, what is missing and why, what they cost, and where each comes from."""

from typing import Any

from tuning.matrix.cell_models import NO_COST, Cost
from tuning.matrix.cell_results import COMPLETE, CellResult
from tuning.matrix.plan import Axis
from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.tables import CELLS_FILE
from tuning.matrix.results import describe_cell
from tuning.page.html import MISSING, Block, Section, Table, Text
from tuning.report.context import format_spread
from tuning.report.terminal import report_folder
from tuning.store.provenance import PROVENANCE
from tuning.tracking.ui_links import run_address

MOST_MODELS = 5  # columns of the table of scores; the CSV file has all
MOST_CELLS = 60  # rows on the page


def build_cells_section(context: MatrixContext) -> Section:
    """Build the section with the score of every cell, and what is missing by name."""
    results = context.results
    titles = {**context.networks, **context.baselines}
    shown = dict(list(titles.items())[:MOST_MODELS])
    rows = [_make_score_row(context, cell, shown) for cell in results.cells[:MOST_CELLS]]
    more = len(titles) - len(shown)
    left = [f"{more} more models" if more else "", _count_left(results.cells)]
    note = f"`{CELLS_FILE}` has a row per cell and model"
    if text := " and ".join(filter(None, left)):
        note += f" ({text})"
    caption = "Test AP: mean ± standard deviation over seeds"
    blocks: list[Block] = [
        Table(["cell", *shown.values()], rows, caption, f"{note}, with F1, IoU and cost.")
    ]
    if broken := [cell for cell in results.cells if cell.problem]:
        lines = [[describe_cell(results.plan, one.cell), one.status, one.problem] for one in broken]
        blocks.insert(
            0, Table(["cell", "status", "what is missing"], lines, "Missing and failed cells")
        )
    else:
        blocks.insert(0, Text("No cell is missing, and none lacks a run."))
    return Section("Cells", blocks)


def _count_left(cells: tuple[CellResult, ...]) -> str:
    left = len(cells) - MOST_CELLS
    return f"{left} more cells" if left > 0 else ""


def _make_score_row(context: MatrixContext, cell: CellResult, titles: dict[str, str]) -> list[Any]:
    models = [cell.by_key.get(key) for key in titles]
    scores = [
        MISSING if one is None else format_spread({"ap_mean": one.mean, "ap_std": one.std}, "ap")
        for one in models
    ]
    return [describe_cell(context.results.plan, cell.cell), *scores]


def build_cost_section(context: MatrixContext) -> Section:
    """Build the section on trainings and hours, of each cell and of the matrix."""
    results = context.results
    total = sum((cell.cost for cell in results.cells), start=NO_COST)
    rows = [
        [describe_cell(results.plan, cell.cell), *_make_cost(cell.search, cell.cost)]
        for cell in results.cells[:MOST_CELLS]
    ]
    search = sum((cell.search for cell in results.cells), start=NO_COST)
    rows.append(["all cells", *_make_cost(search, total)])
    plan = results.plan
    sentences = [
        f"{total.trainings:,} trainings took {total.hours[0]:,.1f} core hours"
        + (f" and {total.hours[1]:,.1f} GPU hours" if total.hours[1] else "")
        + "; trainings that cells share count once."
    ]
    if plan.dropped_seeds:
        sentences.append(
            f"{plan.dropped_seeds} seeds per cell were left out to keep within {plan.budget_hours:g} hours."
            if plan.budget_hours
            else f"{plan.dropped_seeds} seeds per cell were left out."
        )
    columns = ["cell", "search trials", "trainings", "core hours", "GPU hours"]
    if not total.hours[1]:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    table = Table(
        columns,
        rows,
        "Cost by cell",
        "As the runs logged it; baselines that do not learn cost little.",
    )
    return Section("Cost", [*map(Text, sentences), table])


def _make_cost(search: Cost, whole: Cost) -> list[Any]:
    core, gpu = whole.hours
    return [search.trainings, whole.trainings, f"{core:,.2f}", f"{gpu:,.2f}"]


def build_provenance_section(context: MatrixContext) -> Section:
    """Build the section on provenance: the plan, what all cells share, and links to each cell's report and run."""
    results = context.results
    plan = results.plan
    facts = [
        ["matrix", plan.name],
        ["MLflow run", results.run.info.run_id],
        *([f"axis {axis.name}", _list_levels(axis)] for axis in plan.axes),
        ["primary axis", plan.primary],
        ["search", plan.search],
        ["seeds", str(plan.seeds)],
        ["blocks", f"{plan.block_tiles} x {plan.block_tiles} tiles"],
        ["margin", f"± {plan.margin:g} AP"],
    ]
    facts += [[name, value] for name in PROVENANCE if (value := _find_shared(context, name))]
    links = [Text(_link(context, cell)) for cell in results.cells if cell.campaign]
    return Section(
        "Provenance",
        [Table(["property", "value"], facts, "Plan, and what all cells share"), *links],
    )


def _list_levels(axis: Axis) -> str:
    levels = ", ".join(level.text for level in axis.levels)
    return f"{levels} (reference {axis.reference})"


def _find_shared(context: MatrixContext, name: str) -> str:
    """Return a tag of the repeat runs if all cells have the same."""
    values = {str(one.provenance.get(name)) for one in context.results.cells if one.provenance}
    return values.pop() if len(values) == 1 else ""


def _link(context: MatrixContext, cell: CellResult) -> str:
    """Return a line with links to a cell's report and its run."""
    assert cell.campaign is not None  # noqa: S101 - for mypy: the caller asks
    info, name = cell.campaign.info, cell.cell.campaign
    run = f"[MLflow run]({run_address(context.ui, info.experiment_id, info.run_id)})"
    report = f"`{name}`"
    if context.reports and (report_folder(context.reports, name) / "report.html").is_file():
        report = f"[report](../{name}/report.html)"
    state = "" if cell.status == COMPLETE else f" ({cell.status})"
    return f"{describe_cell(context.results.plan, cell.cell)}{state}: {report}, {run}"
