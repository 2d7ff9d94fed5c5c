"""False alarms on event-free series of the test tiles: columns of the table, and a section of the page.

Every network and baseline reads its test tiles once more, images before the event alone (`data.pack.placebo`). A trial stores
the counts of each tile, so that the interval is made over spatial blocks and seeds like that of average precision.
"""

from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np
from mlflow.tracking import MlflowClient

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error
from data.tiles import PIXEL_M
from tuning.page.html import Section, Table, Text
from tuning.report.context import BY_ITSELF, ReportContext
from tuning.report.headline.names import capitalise
from tuning.report.ranking import Ranking
from tuning.report.results import ModelResult
from tuning.report.sums.run_result import RunResult
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.estimate import estimate_all
from tuning.tracking.client import open_artifact

COLUMNS = (
    *("placebo_alarms_per_km2", "placebo_alarms_per_km2_low", "placebo_alarms_per_km2_high"),
    *("placebo_area_share", "placebo_tiles"),
)
FILE = "trial/placebo.npz"
_ARRAYS = {"tile_ids": ArraySpec("str", (None,)), "counts": ArraySpec("int64", (None, 3))}
_NOT_MEASURED = dict.fromkeys(COLUMNS, nan) | {"placebo_tiles": 0}
NOT_MEASURED = "Not measured: this campaign is of an earlier version, or no test tile has two images before the event."
ABOUT = (
    "The same trained models read the same test tiles once more, but only images from before the event, which is pretended "
    "between two of them. What they call landslide there is a false alarm, unless an older landslide fell between these images. "
    "The images are closer in time than a whole series and of another season, so the numbers compare models; they do not "
    "predict the alarms of a map."
)


def alarms_per_km2(total: np.ndarray) -> np.ndarray:
    """Return found objects per km2 of ``total (..., 3)``: pixels, found objects, found pixels; NaN without a pixel."""
    km2 = total[..., 0] * (PIXEL_M**2 / 1e6)
    nothing = np.full(np.shape(km2), nan)
    return np.asarray(np.divide(total[..., 1], km2, out=nothing, where=km2 > 0))


def rate_placebos(client: MlflowClient, ranking: Ranking) -> dict[str, dict[str, float]]:
    """Return the ``COLUMNS`` of each model by its title; NaN if a run of it has no placebo.

    Raises:
        ValueError: If a run's file is malformed.
    """
    units = ranking.units
    return {model.title: _rate(_stack(client, model), units) for model in ranking.models}


def _rate(counts: np.ndarray | None, units: SamplingUnits) -> dict[str, float]:
    """Return the ``COLUMNS`` of a model from its counts ``(S, N, 3)``."""
    if counts is None or not counts.any():
        return dict(_NOT_MEASURED)
    pixels, _, found_px = counts.sum(axis=(0, 1))
    tiles = int((counts[0, :, 0] > 0).sum())
    values = (*_estimate(counts, units), found_px / pixels, tiles)
    return dict(zip(COLUMNS, values, strict=True))


def _estimate(counts: np.ndarray, units: SamplingUnits) -> tuple[float, float, float]:
    """Return the mean over seeds of the alarms per km2 and its 95 % interval, over blocks and seeds; NaN if a fold has none."""
    measured = np.bincount(units.folds, counts[0, :, 0])
    if not measured.all():
        return nan, nan, nan
    found = estimate_all({"model": counts}, alarms_per_km2, units, None, (0.0, np.inf))["model"]
    return found.mean, found.low, found.high


def _stack(client: MlflowClient, model: ModelResult) -> np.ndarray | None:
    """Stack the counts of a model's runs, shape ``(S, N, 3)``; None if one has none."""
    if any("placebo/tiles_left_out" not in run.run.data.metrics for run in model.runs):
        return None
    return np.stack(
        [np.concatenate([read_placebo(client, run) for run in runs]) for runs in model.by_seed]
    )


def read_placebo(client: MlflowClient, run: RunResult) -> np.ndarray:
    """Read a run's pixels, found objects and found pixels of each test tile; 0 for tiles that were left out.

    Raises:
        ValueError: If the file is malformed, or has a tile that is no test tile of the run.
    """
    with open_artifact(client, run.run, FILE) as file:
        arrays = read_arrays(file, _ARRAYS)
        row_of = {tile: row for row, tile in enumerate(run.tile_ids)}
        ids, counts = [str(tile) for tile in arrays["tile_ids"]], arrays["counts"]
        if len(ids) != len(counts) or len(set(ids)) < len(ids) or not set(ids) <= row_of.keys():
            got = f"{len(ids)} ids and {len(counts)} counts"
            raise refused_error("A placebo must count test tiles of its run, each once", got, file)
        if counts.min(initial=0) < 0:
            raise refused_error("A placebo must count pixels", f"{counts.min()}", file)
    tiles = np.zeros((len(run.tile_ids), 3), np.int64)
    tiles[[row_of[tile] for tile in ids]] = counts
    return tiles


def build_placebo_section(context: ReportContext) -> Section:
    """Build the section with each model's false alarms on event-free series beside its recall."""
    title = "Placebo: what is found where nothing has happened"
    records = context.table.to_dict("records")
    if not any(row["placebo_tiles"] for row in records):
        return Section(title, [Text(NOT_MEASURED)])
    rows = [[row["model"], row["recall_mean"], *_format_alarms(row)] for row in records]
    columns = ["model", "recall of landslide pixels", "false alarms per km²", "95 % interval"]
    return Section(
        title,
        [
            Text(ABOUT),
            *([Text(describe_placebo(records[0]))] if records[0]["placebo_tiles"] else []),
            Table(
                [*columns, "share of area called landslide", "test tiles"],
                rows,
                f"At the threshold chosen on val, mean over seeds. {capitalise(BY_ITSELF)}",
            ),
        ],
    )


def _format_alarms(row: Mapping[Any, Any]) -> list[Any]:
    if not row["placebo_tiles"]:
        return [nan, "not measured", nan, 0]
    mean, low, high, share, tiles = (row[name] for name in COLUMNS)
    return [f"{mean:.2f}", f"{low:.2f} to {high:.2f}", f"{share:.2%}", int(tiles)]


def describe_placebo(row: Mapping[Any, Any]) -> str:
    """Say in a sentence how much a model finds, and how much it finds where nothing has happened."""
    return (
        f"{row['model']} finds {row['recall_mean']:.0%} of the landslide pixels; on {int(row['placebo_tiles'])} test tiles before "
        f"the event it finds {row['placebo_alarms_per_km2']:.2f} objects per km² that are none."
    )
