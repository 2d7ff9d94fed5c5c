"""What the sections of a matrix's page are built from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from tuning.days.result import DaysResult
from tuning.matrix.report.curves import AxisCurves, fit_curves
from tuning.matrix.report.days import estimate_matrix_days
from tuning.matrix.report.effects import Effect, build_effects
from tuning.matrix.report.intervals import Interval, measure_intervals
from tuning.matrix.report.spread import measure_parts
from tuning.matrix.results import MatrixResults
from tuning.statistics.joint import draw_jointly
from tuning.statistics.variance_parts import VariancePart

SEED = 2024  # of the draws: the same runs always yield the same numbers
DRAWS = 1999  # a thousand curves and places are told to about 1 %


@dataclass(frozen=True)
class MatrixContext:
    """Numbers of a matrix's page.

    Attributes:
        results: The matrix as MLflow knows it.
        effects: Every effect, judged.
        intervals: 95 % interval of each score, by its name in statistics.
        drawn: Joint draws of the scores, by the same names.
        curves: Curves along ordered axes.
        parts: Parts of the variance, by title of the network.
        days: Scores by days after the event; empty if no cell replayed the calendar.
        folder: The report's folder.
        reports: Folder with the reports of the cells' campaigns; None if pages there cannot be linked.
        ui: Address of MLflow's pages.
    """

    results: MatrixResults
    effects: tuple[Effect, ...]
    intervals: Mapping[str, Interval]
    drawn: Mapping[str, np.ndarray]
    curves: tuple[AxisCurves, ...]
    parts: Mapping[str, list[VariancePart]]
    days: tuple[DaysResult, ...]
    folder: Path
    reports: Path | None
    ui: str

    @property
    def synthetic(self) -> bool:
        """Whether the numbers come from synthetic tiles."""
        tags = (cell.provenance or {} for cell in self.results.cells)
        return any(one.get("data") == "synthetic" for one in tags)

    @property
    def networks(self) -> dict[str, str]:
        """Titles of the networks by key, in the order of the plan."""
        return self._list_titles(baselines=False)

    @property
    def baselines(self) -> dict[str, str]:
        """Titles of the baselines by key, in the order of the plan."""
        return self._list_titles(baselines=True)

    def _list_titles(self, *, baselines: bool) -> dict[str, str]:
        found = {
            model.key: model.title
            for cell in self.results.cells
            for model in cell.models
            if model.is_baseline == baselines
        }
        order = [*self.results.plan.models, *self.results.plan.baselines]
        return {key: found[key] for key in dict.fromkeys([*order, *found]) if key in found}


def make_context(
    results: MatrixResults, folder: Path, reports: Path | None, ui: str
) -> MatrixContext:
    """Compute all numbers of a matrix's page."""
    intervals = measure_intervals(results)
    with threadpool_limits(1):  # the matrices are small: more threads only wait
        drawn = draw_jointly(
            results.samples,
            results.kinds,
            np.random.default_rng(SEED),
            DRAWS,
            results.plan.block_tiles,
        )
        curves = fit_curves(results, drawn, intervals)
    return MatrixContext(
        results,
        build_effects(results),
        intervals,
        drawn,
        tuple(curves),
        measure_parts(results),
        estimate_matrix_days(results),
        folder,
        reports,
        ui,
    )
