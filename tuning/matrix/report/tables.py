"""Rows of a matrix's CSV files: one per cell and model, and one per effect."""

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from tuning.matrix.cell_models import CellModel
from tuning.matrix.cell_results import CellResult
from tuning.matrix.report.context import MatrixContext
from tuning.matrix.report.effects import METHODS, Effect
from tuning.matrix.results import describe_cell

CELLS_FILE, EFFECTS_FILE = "matrix_cells.csv", "matrix_effects.csv"


def make_cells_table(context: MatrixContext) -> pd.DataFrame:
    """Return the content of ``matrix_cells.csv``; a cell without results has a row per model of the plan."""
    rows = [row for cell in context.results.cells for row in _make_cell_rows(context, cell)]
    return pd.DataFrame(rows)


def _make_cell_rows(context: MatrixContext, cell: CellResult) -> list[dict[str, Any]]:
    plan = context.results.plan
    places = dict(cell.cell.places)
    levels = {axis.name: places.get(axis.name, axis.reference) for axis in plan.axes}
    train = cell.train or (nan, nan)
    shared = {
        "matrix": plan.name,
        "cell": describe_cell(plan, cell.cell),
        "campaign": cell.cell.campaign,
        **{f"axis/{name}": level for name, level in levels.items()},
        "status": cell.status,
        "problem": cell.problem,
        "train_tiles": train[0],
        "train_landslide_px": train[1],
        "search_trials": cell.search.trainings,
        "search_core_hours": cell.search.hours[0],
        "search_gpu_hours": cell.search.hours[1],
    }
    known = [shared | _make_model_columns(context, cell, model) for model in cell.models]
    absent = [key for key in plan.models if key not in cell.by_key]
    titles = context.networks
    return known + [
        shared | {"model": titles.get(key, key), "architecture": key, "seeds": 0} for key in absent
    ]


def _make_model_columns(
    context: MatrixContext, cell: CellResult, model: CellModel
) -> dict[str, Any]:
    low, high = context.intervals[cell.name(model.key)]
    core, gpu = model.cost.hours
    return {
        "model": model.title,
        "architecture": model.key,
        "seeds": len(model.seeds),
        "folds": model.pr_auc.shape[1],
        "pr_auc_mean": model.mean,
        "pr_auc_std": model.std,
        "pr_auc_low": low,
        "pr_auc_high": high,
        "val_pr_auc_mean": model.val_pr_auc,
        **_spread("f1_dice", model.f1),
        **_spread("iou", model.iou),
        "trainings": model.cost.trainings,
        "core_hours": core,
        "gpu_hours": gpu,
        "test_tiles": len(cell.tiles),
        "run_ids": " ".join(model.run_ids),
        "data": (cell.provenance or {}).get("data", ""),
    }


def _spread(name: str, values: np.ndarray) -> dict[str, float]:
    std = float(values.std(ddof=1)) if len(values) > 1 else nan
    return {f"{name}_mean": float(values.mean()), f"{name}_std": std}


def make_effects_table(effects: Sequence[Effect], margin: float) -> pd.DataFrame:
    """Return the content of ``matrix_effects.csv``."""
    return pd.DataFrame([_make_effect_row(one, margin) for one in effects])


def _make_effect_row(one: Effect, margin: float) -> dict[str, Any]:
    found = one.contrast
    return {
        "axis": one.axis.name,
        "level": one.level,
        "reference": one.axis.reference,
        "kind": one.kind,
        "model": one.model,
        "estimate": found.estimate,
        "error": found.error,
        "degrees": found.degrees,
        "low": found.low,
        "high": found.high,
        "low90": found.low90,
        "high90": found.high90,
        "p": found.p,
        "p_adjusted": one.p,
        "p_equivalent": one.p_equivalent,
        "family": one.family,
        "method": METHODS.get(one.family, ""),
        "margin": margin,
        "verdict": one.verdict,
        "note": one.note,
        "detectable": one.needs.detectable,
        "needs_seeds": one.needs.seeds,
        "needs_blocks": one.needs.blocks,
        "blocks": found.blocks,
        "effective_blocks": found.effective_blocks,
        "seeds": found.seeds,
        "paired": found.paired,
    }
