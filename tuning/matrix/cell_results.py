"""Results of one cell of a matrix, read from its campaign in MLflow; whatever is wrong with it costs the matrix this cell alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.errors import format_error
from data.io.safe_json import show_value
from tuning.days.reduce import ReplayedModel
from tuning.matrix.cell_models import (
    NO_COST,
    CellModel,
    Cost,
    Tiles,
    list_tiles,
    reduce_model,
    sum_cost,
)
from tuning.matrix.plan import Cell, MatrixPlan
from tuning.matrix.train_size import read_train_size
from tuning.report.missing import describe_missing_runs
from tuning.report.ranking import make_test_units
from tuning.report.results import read_results
from tuning.report.sections.days import read_replays
from tuning.settings.cell import MATRIX_TAG
from tuning.statistics.blocks import SamplingUnits
from tuning.store.duplicates import drop_duplicates
from tuning.store.provenance import read_provenance
from tuning.tracking.client import find_runs
from tuning.tracking.validate_runs import find_campaign
from tuning.trial.foreign.names import is_foreign

COMPLETE, PARTIAL, MISSING = "complete", "partial", "missing"


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
        replays: Models that replayed the calendar after the event, reduced.
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
    replays: tuple[ReplayedModel, ...] = ()

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


def read_cell(
    client: MlflowClient,
    experiment_id: str,
    plan: MatrixPlan,
    cell: Cell,
    units: dict[Tiles, SamplingUnits],
) -> CellResult:
    """Read one cell; only scores and influences of tiles are kept.

    Args:
        client: MLflow client.
        experiment_id: Experiment of the runs.
        plan: The matrix's plan.
        cell: The cell.
        units: Blocks and folds by test tiles, of the cells that were read; those of this cell are added.

    Returns:
        The cell; without models, and with the reason, if it has none that can be read.
    """
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
    own = [run for run in repeats if not is_foreign(run.data.tags.get("study"))]
    results = read_results(client, campaign, own)
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
        read_replays(client, results.models, results.layers.tile_ids),
    )
