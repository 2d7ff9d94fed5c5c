"""The section on where the first-ranked model errs: maps of missed and wrongly found area, and the worst tiles."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.tiles import PIXEL_M, TILE_PX
from data.tiles.paths import region_of
from tuning.page.html import Block, Image, Section, Table, Text
from tuning.plots.error_map import ErrorPanel, draw_error_map
from tuning.plots.trial_figures import save
from tuning.report.errors.tile_positions import Corners, read_untested, stack_corners
from tuning.report.ranking import Ranking
from tuning.report.reference_layers import ReferenceLayers

TITLE = "Where the errors are"
FIGURE = "error_map.png"
WORST = 10
PIXEL_KM2 = PIXEL_M**2 / 1e6
TILE_M = float(TILE_PX * PIXEL_M)


@dataclass(frozen=True)
class TileErrors:
    """A model's errors on each test tile, mean over seeds.

    Attributes:
        model: Title of the model.
        table: A row per tile: ``tile_id``, ``region``, ``fold``, ``landslide_km2``, ``missed_km2``, ``false_km2``, ``f1``.
        corners: West and north of each tile in m, shape ``(N, 2)``.
        blocks: Number of each tile's spatial block, shape ``(N,)``.
    """

    model: str
    table: pd.DataFrame
    corners: np.ndarray
    blocks: np.ndarray


def find_errors(ranking: Ranking, layers: ReferenceLayers) -> TileErrors:
    """Return the errors of the first-ranked model, at each run's threshold chosen on val."""
    model = ranking.models[0]
    tp, fp, fn, _ = model.stack("at_val").mean(axis=0).T  # of each tile, mean over seeds
    with np.errstate(invalid="ignore"):
        f1 = 2 * tp / (2 * tp + fp + fn)
    table = pd.DataFrame(
        {
            "tile_id": model.tile_ids,
            "region": [region_of(tile) for tile in model.tile_ids],
            "fold": [run.fold for run in model.by_seed[0] for _ in run.tile_ids],
            "landslide_km2": (tp + fn) * PIXEL_KM2,
            "missed_km2": fn * PIXEL_KM2,
            "false_km2": fp * PIXEL_KM2,
            "f1": f1,
        }
    )
    corners = layers.corners[layers.rows(model.tile_ids)]
    return TileErrors(model.title, table, corners, ranking.units.blocks)


def draw_errors(errors: TileErrors, folder: Path, figures: Path, synthetic: bool) -> Path:
    """Draw the map; return its path.

    Args:
        errors: The model's errors.
        folder: The report's folder, whose ``splits.json`` has the places of train and val tiles.
        figures: Folder of the figure.
        synthetic: Whether the tiles are the twin's.
    """
    others = read_untested(folder, set(errors.table["tile_id"]))
    regions = list(dict.fromkeys(errors.table["region"]))
    panels = [_make_panel(errors, region, others, len(regions) > 1) for region in regions]
    title = f"{errors.model}: errors on test, mean over seeds"
    return save(draw_error_map(panels, title, synthetic), figures / FIGURE)


def _make_panel(
    errors: TileErrors, region: str, others: dict[str, Corners], named: bool
) -> ErrorPanel:
    here = (errors.table["region"] == region).to_numpy()
    return ErrorPanel(
        region if named else "",
        errors.corners[here],
        errors.table.loc[here, ["missed_km2", "false_km2"]].to_numpy(),
        errors.blocks[here],
        TILE_M,
        {
            part: stack_corners(
                {tile: at for tile, at in tiles.items() if region_of(tile) == region}
            )
            for part, tiles in others.items()
        },
    )


def build_errors_section(
    errors: TileErrors, figure: Path, *, has_others: bool, folds: int = 1
) -> Section:
    """Build the section.

    Args:
        errors: The first-ranked model's errors.
        figure: Their map.
        has_others: Whether the map shows the train and val tiles.
        folds: Number of folds.
    """
    grey = "Tiles that it trained on or chose by are grey. " if has_others else ""
    caption = (
        f"Test tiles of {errors.model} at their places, coloured by missed and by wrongly found area, at the thresholds chosen on val. "
        f"{grey}Dark lines are the spatial blocks of the comparison."
    )
    blocks: list[Block] = [Text(" ".join(describe_errors(errors))), Image(figure, caption)]
    if not has_others and folds == 1:
        blocks.append(
            Text(
                "The map lacks train and val tiles: this campaign's `splits.json` is of an earlier version, without their places."
            )
        )
    blocks.append(_list_worst(errors, folds))
    return Section(TITLE, blocks)


def describe_errors(errors: TileErrors) -> list[str]:
    """Say how concentrated the errors are, and how much of them lies on tiles without landslides."""
    table = errors.table
    sentences = [
        f"{errors.model} is the first-ranked model; the other models' errors by tile are in `benchmark_tiles.csv`."
    ]
    missed, false = table["missed_km2"], table["false_km2"]
    if missed.sum() > 0:
        sentences.append(
            f"Half of the area that it misses ({missed.sum():,.2f} km² of {table['landslide_km2'].sum():,.2f}) lies on "
            f"{count_half(missed.to_numpy())} of {len(table)} test tiles."
        )
    if false.sum() > 0:
        empty = false[table["landslide_km2"] == 0].sum() / false.sum()
        sentences.append(
            f"Half of the area that it finds wrongly ({false.sum():,.2f} km²) lies on {count_half(false.to_numpy())} tiles, and "
            f"{100 * empty:.0f} % of it on tiles without any landslide."
        )
    return sentences


def count_half(values: np.ndarray) -> int:
    """Return the least number of values that add up to half of the sum."""
    ordered = np.sort(values)[::-1].cumsum()
    return int(np.searchsorted(ordered, ordered[-1] / 2) + 1)


def _list_worst(errors: TileErrors, folds: int) -> Table:
    table = errors.table.assign(wrong=errors.table["missed_km2"] + errors.table["false_km2"])
    worst = table.sort_values("wrong", ascending=False, kind="stable").head(WORST)
    areas = ("landslide_km2", "missed_km2", "false_km2")
    rows: list[list[Any]] = [
        [
            row["tile_id"],
            *([row["fold"]] if folds > 1 else []),
            *(f"{row[name]:.3f}" for name in areas),
            row["f1"],
        ]
        for row in worst.to_dict("records")
    ]
    columns = ["tile", *(["fold"] if folds > 1 else [])]
    return Table(
        [*columns, "landslides, km²", "missed, km²", "found wrongly, km²", "F1"],
        rows,
        f"The {len(rows)} test tiles with the largest area in error, {errors.model}",
        f"Of {PIXEL_KM2 * TILE_PX**2:.2f} km² per tile. Means over seeds; F1 is that of the mean areas.",
    )
