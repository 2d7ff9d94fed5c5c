"""Scores by days after the event of a matrix: of the reference cell, and of networks that were trained with other windows."""

from collections.abc import Iterator
from dataclasses import replace

from threadpoolctl import threadpool_limits

from tuning.days.estimate import estimate_days
from tuning.days.reduce import ReplayedModel
from tuning.days.result import DaysResult
from tuning.matrix.cell_results import CellResult
from tuning.matrix.results import MatrixResults

WINDOW = "window"  # axis whose levels are shown beside the reference; without it those of the primary axis
MOST_NETWORKS = 6  # of several cells in one figure


def estimate_matrix_days(results: MatrixResults) -> tuple[DaysResult, ...]:
    """Estimate the scores by days after the event of the cells that replayed the calendar; empty if none did.

    The reference cell's networks and baselines come first, then the networks at other levels of the window, as many as a figure
    can show; a network of another cell is named with its level.
    """
    shown: dict[object, list[ReplayedModel]] = {}
    count = 0
    for cell, model in _list_models(results):
        if model.network and count >= MOST_NETWORKS:
            continue
        count += model.network
        shown.setdefault(cell.tiles, []).append(model)
    found: list[DaysResult] = []
    with threadpool_limits(1):  # the matrices are small: more threads only wait
        for tiles, units in results.units.items():
            if models := shown.get(tiles):
                found += estimate_days(models, units)
    return tuple(found)


def _list_models(results: MatrixResults) -> Iterator[tuple[CellResult, ReplayedModel]]:
    for model in results.reference.replays:
        yield results.reference, model
    names = [axis.name for axis in results.plan.axes]
    axis = results.plan.axis(WINDOW if WINDOW in names else results.plan.primary)
    for level in axis.levels:
        cell = results.at(axis.name, level.text)
        if cell is results.reference:
            continue
        for model in cell.replays:
            if model.network:
                yield cell, replace(model, label=f"{model.label} ({_shorten(level.text)})")


def _shorten(level: str) -> str:
    """Return the part of a window that tells how many acquisitions come after the event."""
    return level.rpartition("/")[2]
