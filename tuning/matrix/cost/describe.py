"""The plan of a matrix and its cost as text for the terminal."""

from collections.abc import Mapping, Sequence

from data.io.disk import format_bytes
from tuning.matrix.cost.estimate import MatrixCost
from tuning.matrix.cost.tiles import CellSize
from tuning.matrix.matrix_run import format_places
from tuning.matrix.plan import MatrixPlan
from tuning.matrix.planning.make_cells import PlannedCell


def describe_plan(
    plan: MatrixPlan,
    cells: Sequence[PlannedCell],
    sizes: Mapping[str, CellSize],
    cost: MatrixCost,
    disk: Mapping[str, float],
) -> str:
    """Return what a matrix would do: axes, cells, trainings, hours and bytes."""
    lines = [f"Matrix {plan.name}: {len(plan.cells)} cells, {plan.seeds} seeds.", ""]
    lines += [_describe_axis(plan, number) for number in range(len(plan.axes))]
    lines += [f"models: {', '.join((*plan.models, *plan.baselines))}", ""]
    lines += [*_list_cells(plan, sizes, cost), ""]
    lines += [
        f"Left out of {cell.settings.campaign}, whose channels do not allow it: {', '.join(cell.left_out)}."
        for cell in cells
        if cell.left_out
    ]
    lines += [*_describe_shared(plan, cells, cost), ""]
    lines += [describe_hours(plan, cost)]
    lines += [f"  {source}" for source in cost.sources]
    lines += [f"Disk: about {format_bytes(sum(disk.values()))}: {_list_bytes(disk)}."]
    return "\n".join(lines)


def _describe_axis(plan: MatrixPlan, number: int) -> str:
    axis = plan.axes[number]
    kind = "primary" if axis.name == plan.primary else "exploratory"
    order = ", ordered" if axis.ordered else ""
    tiles = "" if axis.same_tiles else ", other test tiles"
    levels = ", ".join(
        f"{level.text} (reference)" if level.text == axis.reference else level.text
        for level in axis.levels
    )
    return f"{axis.name}: {axis.label} ({kind}{order}{tiles}): {levels}"


def _list_cells(plan: MatrixPlan, sizes: Mapping[str, CellSize], cost: MatrixCost) -> list[str]:
    width = max(len(format_places(cell)) for cell in plan.cells) + 2
    lines = [
        f"{'cell':<{width}}{'train':>7}{'val':>6}{'test':>6}{'searches':>10}{'repeats':>9}{'baselines':>11}"
    ]
    for cell, made in zip(plan.cells, cost.cells, strict=True):
        folds = sizes[cell.campaign].folds
        parts = [sum(getattr(fold, part) for fold in folds) for part in ("train", "val", "test")]
        lines.append(
            f"{format_places(cell):<{width}}{parts[0]:>7}{parts[1]:>6}{parts[2]:>6}"
            f"{made.searches:>10}{made.repeats:>9}{made.baselines:>11}"
        )
    totals = [sum(getattr(one, name) for one in cost.cells) for name in _COUNTS]
    lines.append(f"{'all':<{width}}{'':>19}{totals[0]:>10}{totals[1]:>9}{totals[2]:>11}")
    return lines


_COUNTS = ("searches", "repeats", "baselines")


def _describe_shared(plan: MatrixPlan, cells: Sequence[PlannedCell], cost: MatrixCost) -> list[str]:
    lines = [
        f"The reference cell is trained once for all {len(plan.axes)} axes."
        if len(plan.axes) > 1
        else "Every level is compared with the reference cell."
    ]
    sharing = sum(not cell.searches for cell in cost.cells) if plan.models else 0
    if sharing:
        lines.append(
            f"{sharing} cells take their hyperparameters from the search of the reference cell."
        )
    packs = {(one.settings.data, one.settings.regions, one.settings.packed) for one in cells}
    one = "one pack" if len(packs) == 1 else f"{len(packs)} packs"
    lines.append(f"Tiles are packed once, in {one} ({', '.join(cells[0].settings.packed)}).")
    return lines


def describe_hours(plan: MatrixPlan, cost: MatrixCost) -> str:
    """Say how long a matrix would take, and which seeds its budget drops."""
    text = (
        f"Time: at most about {_format_hours(cost.hours_with(plan.seeds))} on this machine, with {cost.slots} trials at once; "
        "trials that end early make it shorter."
    )
    if not plan.dropped_seeds:
        return text
    asked = plan.seeds + plan.dropped_seeds
    return (
        f"{text} --budget {plan.budget_hours:g} drops {plan.dropped_seeds} of {asked} seeds of every cell, the last ones: with all "
        f"it would be {_format_hours(cost.hours_with(asked))}."
    )


def _format_hours(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(60 * hours))} minutes"


def _list_bytes(disk: Mapping[str, float]) -> str:
    return ", ".join(f"{format_bytes(size)} of {name}" for name, size in disk.items() if size)
