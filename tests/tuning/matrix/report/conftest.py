"""One planted matrix in MLflow for the tests of its report; a cell that never began, and one that lacks a seed."""

from pathlib import Path

import pytest

from tests.support.matrix_runs import Planted, log_matrix, make_axes, make_plan
from tuning.matrix.report.context import MatrixContext, make_context
from tuning.matrix.report.effects import Effect, build_effects
from tuning.matrix.results import MatrixResults, read_matrix
from tuning.tracking.client import connect

GAINS = {
    "planted-channels-1": {"unet": -1.2, "utae": -0.3},
    "planted-train-0": {"unet": -1.0, "utae": -1.4},
    "planted-train-1": {"unet": -0.5, "utae": -0.6},
}


@pytest.fixture(scope="session")
def planted_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("planted")
    planted = Planted(
        make_plan(make_axes()),
        GAINS,
        missing=("planted-channels-2",),
        lost={"planted-train-1": {"utae": (1,)}},
    )
    log_matrix(root, planted)
    return root


@pytest.fixture(scope="session")
def results(planted_root: Path) -> MatrixResults:
    return read_matrix(*connect(planted_root), None)


@pytest.fixture(scope="session")
def effects(results: MatrixResults) -> tuple[Effect, ...]:
    return build_effects(results)


@pytest.fixture(scope="session")
def context(results: MatrixResults, tmp_path_factory: pytest.TempPathFactory) -> MatrixContext:
    return make_context(results, tmp_path_factory.mktemp("report"), None, "http://host")
