"""Results of a matrix, read from MLflow alone: its plan, and each cell's models; failed and missing cells by name."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from threadpoolctl import threadpool_limits

from data.io.errors import unknown_name
from data.io.safe_json import is_safe_name, show_value
from tuning.matrix.cell_models import Tiles
from tuning.matrix.cell_results import CellResult, read_cell
from tuning.matrix.plan import PLAN_FILE, Cell, MatrixPlan
from tuning.matrix.plan_file import read_plan
from tuning.settings.cell import MATRIX_KIND, MATRIX_TAG
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.contrasts import Sample
from tuning.statistics.estimate import Kinds
from tuning.statistics.variance_parts import split_unequal
from tuning.store.duplicates import choose_run
from tuning.tracking.client import find_runs, open_artifact

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MatrixResults:
    """A matrix as MLflow knows it.

    Attributes:
        run: The matrix's run.
        plan: Its plan.
        cells: In the order of the plan.
        units: Blocks and folds of each set of test tiles.
    """

    run: Run
    plan: MatrixPlan
    cells: tuple[CellResult, ...]
    units: Mapping[Tiles, SamplingUnits]

    def at(self, axis: str, level: str) -> CellResult:
        """Return the cell at a level of an axis."""
        cell = self.plan.cell(axis, level)
        return next(one for one in self.cells if one.cell == cell)

    @property
    def reference(self) -> CellResult:
        """The reference cell."""
        return self.cells[0]

    @property
    def samples(self) -> list[Sample]:
        """All models of all cells, by their test tiles; a model is named as :meth:`CellResult.name` says."""
        return [
            Sample(
                units,
                {
                    cell.name(model.key): model.scores
                    for cell in self.cells
                    if cell.tiles == tiles
                    for model in cell.models
                },
            )
            for tiles, units in self.units.items()
        ]

    @cached_property
    def kinds(self) -> Kinds:
        """Kind of each model of the samples, over which the seeds' variance is pooled.

        The cells of an architecture are one kind, except those whose seeds clearly differ by more or less.
        """
        kinds = {cell.name(one.key): one.kind for cell in self.cells for one in cell.models}
        scores = {cell.name(one.key): one.scores for cell in self.cells for one in cell.models}
        return split_unequal(scores, kinds)

    @property
    def missing(self) -> tuple[str, ...]:
        """A sentence per cell that is missing or lacks runs."""
        return tuple(
            f"{describe_cell(self.plan, cell.cell)}: {cell.problem}"
            for cell in self.cells
            if cell.problem
        )


def describe_cell(plan: MatrixPlan, cell: Cell) -> str:
    """Return a cell's levels as text, such as ``channels=VV``; ``reference`` for the reference cell."""
    if cell == plan.reference:
        return "reference"
    return ", ".join(f"{axis}={level}" for axis, level in cell.places)


def read_matrix(client: MlflowClient, experiment_id: str, name: str | None) -> MatrixResults:
    """Read a matrix; one cell after the other, of which only scores and influences of tiles are kept.

    Args:
        client: MLflow client.
        experiment_id: Experiment of the runs.
        name: Name of the matrix; the latest if None.

    Raises:
        ValueError: If there is no such matrix, its plan is not what a matrix logs, or no cell has a finished repeat run.
    """
    run = find_matrix(client, experiment_id, name)
    plan = _read_plan(client, run)
    units: dict[Tiles, SamplingUnits] = {}
    with threadpool_limits(1):  # the matrices are small: more threads only wait
        cells = tuple(read_cell(client, experiment_id, plan, cell, units) for cell in plan.cells)
    if not units:
        raise ValueError(
            f"A matrix's report needs a finished repeat run, but matrix {plan.name!r} has none: {cells[0].problem} Continue it with "
            f"`python -m tuning.matrix --resume {plan.name}`."
        )
    return MatrixResults(run, plan, cells, units)


def find_matrix(client: MlflowClient, experiment_id: str, name: str | None) -> Run:
    """Return the run of the named matrix, or of the latest; names that are unsafe for a folder are skipped.

    Raises:
        ValueError: If there is no such matrix.
    """
    runs: dict[str, list[Run]] = {}
    for run in find_runs(client, experiment_id, kind=MATRIX_KIND):
        if is_safe_name(tag := run.data.tags.get(MATRIX_TAG)):
            runs.setdefault(str(tag), []).append(run)
        else:  # the report's folder has the matrix's name
            logger.warning(
                "Skipped run %s: %s is not a valid name of a matrix.",
                run.info.run_id,
                show_value(tag),
            )
    if not runs:
        raise ValueError(
            "A report needs a matrix, but MLflow holds none. Run `python -m tuning.matrix`."
        )
    if name is not None and name not in runs:
        raise ValueError(unknown_name("matrix", name, runs))
    return choose_run(client, runs[name or list(runs)[-1]])


def _read_plan(client: MlflowClient, run: Run) -> MatrixPlan:
    name = run.data.tags[MATRIX_TAG]
    if PLAN_FILE not in {file.path for file in client.list_artifacts(run.info.run_id)}:
        raise ValueError(
            f"A matrix's run must have the artifact {PLAN_FILE}, but run {run.info.run_id} of matrix {name!r} has none. "
            f"Continue it with `python -m tuning.matrix --resume {name}`, which logs it."
        )
    with open_artifact(client, run, PLAN_FILE) as file:
        plan = read_plan(file)
    if plan.name != name:
        raise ValueError(
            f"The plan of a matrix must have its name, but got {plan.name!r} in {PLAN_FILE} of run {run.info.run_id}, whose "
            f"tag says {name!r}. Restore the file."
        )
    return plan
