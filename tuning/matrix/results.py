"""Results of a matrix, read from MLflow alone: its plan, and each cell's models; failed and missing cells by name."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from threadpoolctl import threadpool_limits

from data.io.errors import format_error, unknown_name
from data.io.safe_json import is_safe_name, show_value
from tuning.matrix.cell_models import (
    NO_COST,
    CellModel,
    Cost,
    Tiles,
    list_tiles,
    reduce_model,
    sum_cost,
)
from tuning.matrix.plan import PLAN_FILE, Cell, MatrixPlan
from tuning.matrix.plan_file import read_plan
from tuning.matrix.train_size import read_train_size
from tuning.report.missing import describe_missing_runs
from tuning.report.ranking import make_test_units
from tuning.report.results import read_results
from tuning.settings.cell import MATRIX_KIND, MATRIX_TAG
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.contrasts import Sample
from tuning.statistics.estimate import Kinds
from tuning.store.duplicates import choose_run, drop_duplicates
from tuning.tracking.client import find_runs, open_artifact
from tuning.tracking.validate_runs import find_campaign, read_provenance

COMPLETE, PARTIAL, MISSING = "complete", "partial", "missing"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CellResult:
    """What a matrix knows of one cell.

    Attributes:
        cell: The cell.
        status: ``complete``, ``partial`` (some models or seeds are missing) or ``missing``.
        problem: What is missing and why, in sentences; empty for a complete cell.
        campaign: Its campaign's run; None if there is none.
        models: Its models that can be compared.
        tiles: Its test tiles; empty without a model.
        train: Number of train tiles and of their landslide pixels, mean over folds; None if it is not known.
        search: Cost of its searches.
        provenance: Tags of a repeat run, as in a campaign's tables.
    """

    cell: Cell
    status: str
    problem: str
    campaign: Run | None
    models: tuple[CellModel, ...] = ()
    tiles: Tiles = ()
    train: tuple[float, float] | None = None
    search: Cost = NO_COST
    provenance: Mapping[str, object] | None = None

    @property
    def by_key(self) -> dict[str, CellModel]:
        """Its models by key."""
        return {model.key: model for model in self.models}

    @property
    def cost(self) -> Cost:
        """Cost of its searches and repeats."""
        return sum((model.cost for model in self.models), start=self.search)

    def name(self, model: str) -> str:
        """Return the name of a model of this cell in statistics, unique in the matrix."""
        return f"{self.cell.campaign}/{model}"


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

    @property
    def kinds(self) -> Kinds:
        """Kind of each model of the samples: over all cells of an architecture, the seeds' variance is pooled."""
        return {cell.name(one.key): one.kind for cell in self.cells for one in cell.models}

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
        cells = tuple(_read_cell(client, experiment_id, plan, cell, units) for cell in plan.cells)
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


def _read_cell(
    client: MlflowClient,
    experiment_id: str,
    plan: MatrixPlan,
    cell: Cell,
    units: dict[Tiles, SamplingUnits],
) -> CellResult:
    """Read one cell; whatever is wrong with it costs the matrix this cell alone."""
    campaign = None
    try:
        campaign = find_campaign(client, experiment_id, cell.campaign)
        if (owner := campaign.data.tags.get(MATRIX_TAG)) != plan.name:
            raise ValueError(
                f"Campaign {cell.campaign!r} must be of matrix {plan.name!r}, but its tag says {show_value(owner)}. Rename it."
            )
        return _read_models(client, campaign, plan, cell, units)
    except (ValueError, OSError) as error:
        reason = format_error(error)
        if campaign is None:
            reason = f"campaign {cell.campaign} has not begun."
        return CellResult(cell, MISSING, reason, campaign)


def _read_models(
    client: MlflowClient,
    campaign: Run,
    plan: MatrixPlan,
    cell: Cell,
    units: dict[Tiles, SamplingUnits],
) -> CellResult:
    tags = {"campaign": cell.campaign, "kind": "trial"}
    experiment_id = campaign.info.experiment_id
    repeats, _ = drop_duplicates(client, find_runs(client, experiment_id, **tags, stage="repeat"))
    search = sum_cost(find_runs(client, experiment_id, **tags, stage="search"))
    lacking = describe_missing_runs(client, campaign, repeats)
    results = read_results(client, campaign, repeats)
    if results is None:
        reason = " ".join(lacking) or f"campaign {cell.campaign} has no finished repeat run."
        return CellResult(cell, MISSING, reason, campaign, search=search)
    first, *others = (list_tiles(model, results.layers) for model in results.models)
    if any(other != first for other in others):
        raise ValueError(
            f"All models of a cell must have the same test tiles, but those of campaign {cell.campaign!r} differ. Run it anew."
        )
    if first not in units:
        units[first] = make_test_units(results.models[0], results.layers, plan.block_tiles)
    models = tuple(reduce_model(model, units[first]) for model in results.models)
    known = {model.key for model in models}
    named = " ".join(lacking)  # a cell may lack baselines that its channels do not allow
    absent = [key for key in plan.models if key not in known and key not in named]
    lacking += [f"{key} has no finished repeat run." for key in absent]
    return CellResult(
        cell,
        PARTIAL if lacking else COMPLETE,
        " ".join(lacking),
        campaign,
        models,
        first,
        read_train_size(client, campaign),
        search,
        read_provenance(results.models[0].runs[0].run.data.tags),
    )
