"""Tests of `tuning.matrix.report.curves`, `intervals`, `spread` and `context` on a planted matrix."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.curves import describe_more, fit_curves
from tuning.matrix.report.spread import measure_parts
from tuning.matrix.results import MatrixResults
from tuning.plots.learning import Points
from tuning.statistics.learning_curve import LearningCurve


def test_a_curve_is_fitted_over_the_number_of_train_tiles(context: MatrixContext) -> None:
    (curves,) = context.curves
    assert (curves.axis.name, curves.unit, curves.notes) == ("train", "train tiles", ())
    unet = curves.models["VanillaUNet"]
    assert unet.amounts.tolist() == [40, 80, 160]
    assert unet.curve is not None
    assert (np.diff(unet.scores) > 0).all()
    assert (unet.low < unet.scores).all()
    assert (unet.scores < unet.high).all()


def test_an_amount_of_0_and_missing_levels_leave_no_curve_and_say_so(
    context: MatrixContext, results: MatrixResults
) -> None:
    plan = results.plan
    axis = plan.axis("train")
    from_zero = replace(axis, name="shots", levels=tuple(
        replace(level, value=value) for level, value in zip(axis.levels, (0.0, 1.0, 5.0), strict=True)
    ))  # fmt: skip
    cells = tuple(
        replace(
            cell,
            places=tuple(
                ("shots" if name == "train" else name, text) for name, text in cell.places
            ),
        )
        for cell in plan.cells
    )
    changed = replace(
        results,
        plan=replace(plan, axes=(plan.axes[0], from_zero), cells=cells),
        cells=tuple(
            replace(one, cell=cell) for one, cell in zip(results.cells, cells, strict=True)
        ),
    )
    (curves,) = fit_curves(changed, context.drawn, context.intervals)
    assert curves.notes[0].startswith("No curve is fitted over share of the train tiles")
    assert all(points.curve is None for points in curves.models.values())
    gone = replace(results, cells=(*results.cells[:-1], replace(results.cells[-1], models=())))
    (curves,) = fit_curves(gone, context.drawn, context.intervals)
    assert curves.notes == (
        "A curve needs 3 measured levels of share of the train tiles; VanillaUNet, UTAE have fewer.",
    )


def test_what_more_would_bring_is_told_in_words() -> None:
    def tell(more: float, low: float, high: float) -> str:
        curve = LearningCurve(
            0.6, 0.1, 0.5, np.array([40.0, 160.0]), *[np.zeros(2)] * 5, more, low, high
        )
        points = Points(curve.amounts, np.zeros(2), np.zeros(2), np.zeros(2), curve)
        return describe_more("U-Net", points, "train tiles")

    assert tell(35.2, 20.1, 60) == (
        "U-Net: + 0.01 AP would take 36 more train tiles (95 % interval 21 to 60); the plateau is 0.600."
    )
    assert "(95 % interval 21 to no number)" in tell(35.2, 20.1, np.inf)
    assert tell(np.inf, 300, np.inf) == (
        "U-Net: more train tiles do not bring + 0.01 AP by the fitted curve, though 300 more are not excluded."
    )
    assert tell(np.inf, np.inf, np.inf) == "U-Net: more train tiles do not bring + 0.01 AP."
    assert describe_more("U-Net", Points(*[np.zeros(2)] * 4, None), "tiles") == ""


def test_intervals_rest_on_the_seeds_of_all_cells(context: MatrixContext) -> None:
    results = context.results
    assert set(context.intervals) == set(results.kinds)
    for cell in results.cells:
        for model in cell.models:
            low, high = context.intervals[cell.name(model.key)]
            assert 0 <= low < model.mean < high <= 1


def test_parts_that_did_not_vary_say_so(results: MatrixResults) -> None:
    parts = measure_parts(results)
    assert list(parts) == ["VanillaUNet", "UTAE"]
    by_source = {part.source: part for part in parts["UTAE"]}
    assert by_source["seed"].degrees == 2 + 2 + 2 + 1  # four cells, one of which has two seeds
    assert 0 < by_source["seed"].spread < 0.05
    assert by_source["block"].spread > 0
    assert by_source["fold"].note == "not varied here: one split"
    assert {by_source[name].note for name in ("search", "world")} == {"not varied here"}
    own = replace(results, plan=replace(results.plan, search="per-cell"))
    searched = {part.source: part for part in measure_parts(own)["UTAE"]}["search"]
    assert searched.note.startswith("not told apart")


def test_an_axis_of_search_seeds_measures_the_part_of_the_search(results: MatrixResults) -> None:
    plan = results.plan
    axes = tuple(replace(a, name="search_seed") if a.name == "train" else a for a in plan.axes)
    cells = tuple(
        replace(
            cell,
            places=tuple(
                ("search_seed" if name == "train" else name, text) for name, text in cell.places
            ),
        )
        for cell in plan.cells
    )
    changed = replace(
        results,
        plan=replace(plan, axes=axes, cells=cells),
        cells=tuple(
            replace(one, cell=cell) for one, cell in zip(results.cells, cells, strict=True)
        ),
    )
    part = {one.source: one for one in measure_parts(changed)["UTAE"]}["search"]
    assert part.note == "between 3 seeds of the search"
    assert part.spread > 0.05  # the planted shares of train tiles


def test_titles_follow_the_plan_and_networks_stand_apart(context: MatrixContext) -> None:
    assert context.networks == {"unet": "VanillaUNet", "utae": "UTAE"}
    assert context.baselines == {"log_ratio_vv": "LogRatioVV"}
    assert context.synthetic
    assert isinstance(context.folder, Path)
