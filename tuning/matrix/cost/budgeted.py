"""A planned matrix with its cost, and with the seeds that its budget allows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tuning.matrix.cost.budget import fit_budget
from tuning.matrix.cost.describe import describe_plan
from tuning.matrix.cost.disk import estimate_bytes
from tuning.matrix.cost.estimate import Estimator, estimate
from tuning.matrix.cost.tiles import TileCounter, count_all
from tuning.matrix.plan import MatrixPlan
from tuning.matrix.planning.make_cells import format_errors
from tuning.matrix.planning.make_plan import PlannedMatrix
from tuning.settings.settings import Settings


@dataclass(frozen=True)
class BudgetedMatrix:
    """A matrix that can begin.

    Attributes:
        plan: Its plan, with the seeds that the budget allows.
        settings: Settings of its cells.
        text: Plan and cost for the terminal.
    """

    plan: MatrixPlan
    settings: Sequence[Settings]
    text: str


def budget_matrix(planned: PlannedMatrix, root: Path, store: Path) -> BudgetedMatrix:
    """Estimate what a matrix costs, and drop the seeds that its budget does not allow.

    Args:
        planned: The matrix.
        root: Output folder, whose earlier trials tell how long a training takes.
        store: Folder with the splits that come from files.

    Raises:
        ValueError: If the tiles of cells cannot be split, or the matrix does not fit into the budget with two seeds.
        OSError: If the tiles cannot be read.
    """
    plan, cells = planned.plan, [cell.settings for cell in planned.cells]
    sizes, errors = count_all(cells, TileCounter(store))
    if errors:
        raise ValueError(format_errors(errors, len(cells)))
    cost = estimate(cells, sizes, plan.search, Estimator(root))
    seeds = fit_budget(cost, plan.budget_hours)
    plan = replace(plan, seeds=seeds, dropped_seeds=plan.seeds - seeds)
    settings = [replace(one, seeds=seeds) for one in cells]
    if seeds < cost.seeds:
        cost = replace(estimate(settings, sizes, plan.search, Estimator(root)), slots=cost.slots)
    disk = estimate_bytes(settings, sizes, cost)
    return BudgetedMatrix(plan, settings, describe_plan(plan, planned.cells, sizes, cost, disk))
