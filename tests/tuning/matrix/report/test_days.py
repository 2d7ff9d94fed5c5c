"""Tests of `tuning.matrix.report.days`."""

from dataclasses import replace

import numpy as np

from tests.support.replays import make_replay
from tuning.days.reduce import ReplayedModel, reduce_replay
from tuning.matrix.cell_results import CellResult
from tuning.matrix.report.days import MOST_NETWORKS, estimate_matrix_days
from tuning.matrix.results import MatrixResults


def replay(cell: CellResult, title: str, *, network: bool = True) -> ReplayedModel:
    ids = [tile for tile, _, _ in cell.tiles]
    found = np.outer([0.0, 0.4, 0.8], np.linspace(0.5, 1.0, len(ids)))
    made = reduce_replay(make_replay((0, 4, 10), found, ids))
    return ReplayedModel(title, title, network, [[made], [made]])


def test_no_replay_gives_no_days(results: MatrixResults) -> None:
    assert estimate_matrix_days(results) == ()


def test_networks_of_other_levels_stand_beside_all_models_of_the_reference(
    results: MatrixResults,
) -> None:
    cells = [
        replace(
            cell,
            replays=(
                replay(cell, "VanillaUNet"),
                replay(cell, "UTAE"),
                replay(cell, "LogRatioVV", network=False),
            ),
        )
        if cell.tiles
        else cell
        for cell in results.cells
    ]
    found = estimate_matrix_days(replace(results, cells=tuple(cells)))
    assert [one.label for one in found] == [
        *("VanillaUNet", "UTAE", "LogRatioVV"),
        *("VanillaUNet (VV)", "UTAE (VV)"),
    ]
    assert [one.network for one in found] == [True, True, False, True, True]
    assert found[0].days.tolist() == [0, 4, 10]


def test_a_figure_shows_so_many_networks(results: MatrixResults) -> None:
    first = results.reference
    many = tuple(replay(first, f"network {number}") for number in range(MOST_NETWORKS + 2))
    found = estimate_matrix_days(
        replace(results, cells=(replace(first, replays=many), *results.cells[1:]))
    )
    assert len(found) == MOST_NETWORKS
