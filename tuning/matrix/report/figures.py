"""Figures of a matrix's page: effects of each axis, curves along ordered axes, and scores by network and level."""

from collections.abc import Sequence
from pathlib import Path

from tuning.matrix.plan import Axis
from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.effects import MEAN, UNCHANGED, Effect
from tuning.plots import trial_figures
from tuning.plots.effects import ForestRow, draw_forest, draw_heat_map
from tuning.plots.learning import draw_learning_curves

MOST_ROWS = 24  # of a forest plot; with more, only the means over networks are drawn


def draw_figures(context: MatrixContext) -> dict[str, Path]:
    """Draw all figures; return their paths by name, such as ``effects_channels``."""
    figures = {}
    for axis in context.results.plan.axes:
        if rows := list_forest_rows(axis, context.effects):
            figures[f"effects_{axis.name}"] = draw_forest(
                rows,
                context.results.plan.margin,
                f"difference in AP from {axis.name}={axis.reference}",
                f"Effects of {axis.name}: {axis.label}",
                context.synthetic,
                _pick_coloured(rows, context),
            )
        if len(context.networks) > 1 and (scores := _collect_scores(context, axis)):
            levels = [level.text for level in axis.levels]
            title = f"Networks by {axis.name}"
            figures[f"places_{axis.name}"] = draw_heat_map(
                scores, levels, axis.reference, title, context.synthetic
            )
    for curves in context.curves:
        if curves.models:
            title = f"Score over {curves.unit}"
            figures[f"curve_{curves.axis.name}"] = draw_learning_curves(
                curves.models, curves.unit, title, context.synthetic
            )
    folder = context.folder / "Figures"
    return {
        name: trial_figures.save(figure, folder / f"{name}.png") for name, figure in figures.items()
    }


def list_forest_rows(axis: Axis, effects: Sequence[Effect]) -> list[ForestRow]:
    """Return an axis's effects as rows under their levels; interactions are not among them."""
    own = [
        one
        for one in effects
        if one.axis == axis and one.kind != "interaction" and one.note != UNCHANGED
    ]
    if len(own) > MOST_ROWS:
        own = [one for one in own if one.kind == "mean"] or own[:MOST_ROWS]
    return [
        ForestRow(
            f"{axis.name}={one.level}",
            one.model,
            *(one.contrast.estimate, one.contrast.low, one.contrast.high),
            *(one.contrast.low90, one.contrast.high90),
            one.verdict,
            one.decided,
        )
        for one in own
    ]


def _pick_coloured(rows: Sequence[ForestRow], context: MatrixContext) -> list[str]:
    networks = {*context.networks.values(), MEAN}
    return [name for name in dict.fromkeys(row.name for row in rows) if name in networks] or list(
        context.baselines.values()
    )


def _collect_scores(context: MatrixContext, axis: Axis) -> dict[str, dict[str, float]]:
    """Return the mean score of each network by level, the best at the reference first."""
    results = context.results
    reference = results.at(axis.name, axis.reference)
    scores = {
        title: {
            level.text: results.at(axis.name, level.text).by_key[key].mean
            for level in axis.levels
            if key in results.at(axis.name, level.text).by_key
        }
        for key, title in context.networks.items()
        if key in reference.by_key
    }
    return dict(sorted(scores.items(), key=lambda item: -item[1][axis.reference]))
