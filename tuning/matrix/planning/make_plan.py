"""From the user's options to the plan of a matrix and the settings of its cells."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning.matrix.command.request import make_request
from tuning.matrix.plan import Cell, MatrixPlan
from tuning.matrix.planning.choose_levels import Folders, choose_axes
from tuning.matrix.planning.make_cells import PlannedCell, make_cells
from tuning.matrix.saved_matrices import check_matrix_name, free_name
from tuning.settings.presets import get_preset
from tuning.train.fit import choose_device


@dataclass(frozen=True)
class PlannedMatrix:
    """A matrix before it begins.

    Attributes:
        plan: Its plan.
        cells: Its cells, in the order of the plan.
    """

    plan: MatrixPlan
    cells: tuple[PlannedCell, ...]


def plan_matrix(
    options: Mapping[str, Any], study: str, root: Path, store: Path | None = None
) -> PlannedMatrix:
    """Plan a matrix; nothing is saved but splits and weights that come from files.

    Args:
        options: What the user gave, by name.
        study: Name of the ready-made study; empty for none.
        root: Output folder, with the names that are taken.
        store: Folder that receives splits and weights from files in the place of *root*.

    Raises:
        ValueError: If an axis, a level or an option is wrong, or they do not fit each other.
        OSError: If a file cannot be read.
    """
    preset = options.get("preset") or ("paper" if choose_device().type == "cuda" else "quick")
    get_preset(preset)
    request = make_request(options, study, preset)
    fallback = f"{time.strftime('%Y%m%d-%H%M%S')}-{study or preset}"
    name = request.name or free_name(fallback, root)
    check_matrix_name(name, root)
    folders = Folders(root, store or root)
    axes = choose_axes(request, folders)
    cells = make_cells(name, axes, request.options, folders)
    first = cells[0].settings
    plan = MatrixPlan(
        name=name,
        axes=axes,
        cells=tuple(Cell(cell.settings.campaign, cell.places) for cell in cells),
        models=first.models,
        baselines=first.baselines,
        primary=request.primary or axes[0].name,
        search=request.search,
        margin=first.margin,
        block_tiles=first.block_tiles,
        seeds=first.seeds,
        budget_hours=request.budget,
    )
    return PlannedMatrix(plan, cells)
