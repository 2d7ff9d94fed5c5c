"""Map folders as `python -m tuning.predict` writes them, without a network, for tests of their page."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from tests.support.map_files import make_coverage, make_grid, make_mask, write_map
from tuning.predict.cog import RELIEF, Layer, RasterWriter
from tuning.predict.landslides.evidence import Evidence
from tuning.predict.landslides.polygons import MapTotals, write_polygons
from tuning.predict.page.write_page import write_page
from tuning.predict.picture.preview import read_preview
from tuning.predict.picture.quicklook import draw_quicklook
from tuning.predict.summary import build_summary, write_summary

THRESHOLD = 0.42
SCORES = {
    "precision": {"value": 0.61, "low": 0.55, "high": 0.66},
    "recall": {"value": 0.5, "low": None, "high": None},
    "note": "On the model's own test tiles.",
}
FACTS: dict[str, Any] = {
    "model": "models:/hokkaido-unet@champion",
    "version": "3",
    "gate": "passed",
    "warning": "",
    "networks": ["models:/m-1"],
    "input": "scene.zarr",
    "learnt_on": "real",
    "made_from": "real",
    "flips": False,
    "event": "2018-09-05T18:08:00",
    "few_after_event": None,
    "notes": [],
    "differs_from_training": [],
    "expected": SCORES,
    "missing_tiles": {},
    "acquisitions_read": {
        "s1asc": [
            {"time": "2018-08-31T08:35:00", "days": -5.4},
            {"time": "2018-09-06T08:35:00", "days": 0.6},
        ]
    },
}


def make_scene(height: int = 300, width: int = 400, landslides: int = 30) -> np.ndarray:
    """Make probabilities of a quiet scene with rectangular landslides and a corner without data, shape ``(H, W)``."""
    rng = np.random.default_rng(3)
    probability = (0.05 + 0.1 * rng.random((height, width))).astype(np.float32)
    for number in range(landslides):
        row, column = rng.integers(0, height - 8), rng.integers(0, width - 8)
        size = 2 + number % 6
        probability[row : row + size, column : column + size // 2 + 1] = 0.5 + 0.45 * rng.random()
    probability[: height // 6, : width // 5] = np.nan
    return probability


def make_heights(height: int, width: int) -> np.ndarray:
    """Make ridges in two directions, in m, shape ``(H, W)``."""
    rows, columns = np.indices((height, width))
    return (300 + 90 * np.sin(columns / 23) * np.cos(rows / 31)).astype(np.float32)


def write_relief(folder: Path, values: np.ndarray) -> Path:
    """Write a relief as a file of its own, beside the map."""
    kept = Layer("float32", RELIEF.nodata, ("height",))
    with RasterWriter(folder, make_grid(*values.shape), {"relief": kept}, {}) as rasters:
        rasters.write("relief", 0, values)
        return rasters.finish()["relief"]


def write_folder(
    folder: Path,
    probability: np.ndarray,
    *,
    change: np.ndarray | None = None,
    relief: Path | None = None,
    columns: dict[str, Any] | None = None,
    **facts: Any,
) -> tuple[dict[str, Any], MapTotals]:
    """Write all files of a map but its page; return the summary and the totals.

    Args:
        folder: A new folder.
        probability: Shape ``(H, W)``, float32; NaN = no data.
        change: Change of both orbits in dB, shape ``(2, H, W)``, float32; without it nothing is measured at the landslides.
        relief: Raster of heights, to measure slopes.
        columns: Further or changed columns of the landslides.
        facts: Further facts of the summary, and changed ones.
    """
    mask = make_mask(probability, THRESHOLD)
    layers = {"probability": probability, "coverage": make_coverage(mask)}
    paths = write_map(folder, mask, **layers, **({} if change is None else {"change": change}))
    evidence = None if change is None else Evidence(THRESHOLD, paths["change"], relief)
    totals = write_polygons(
        *(folder, paths["mask"], paths["probability"]),
        coverage=paths["coverage"],
        evidence=evidence,
    )
    if columns:
        table = gpd.read_file(folder / "landslides.gpkg", layer="landslides").assign(**columns)
        table.to_file(folder / "landslides.gpkg", layer="landslides", driver="GPKG")
    about: dict[str, Any] = {"threshold": THRESHOLD, "title": "A map", "caption": "facts"}
    draw_quicklook(
        *(folder / "quicklook.png", read_preview(paths["probability"], paths["mask"])),
        **about,
        origin="origin",
    )
    summary = build_summary(totals, THRESHOLD, FACTS | facts)
    write_summary(folder / "summary.json", summary)
    return summary, totals


def write_whole(folder: Path, probability: np.ndarray, **facts: Any) -> Path:
    """Write a map with heights, change and page; return the page's file."""
    height, width = probability.shape
    relief = write_relief(folder.with_name(f"{folder.name}-relief"), make_heights(height, width))
    noise = np.random.default_rng(5).normal(size=(2, height, width))
    change = (noise - 3 * (probability > THRESHOLD)).astype(np.float32)
    summary, _ = write_folder(folder, probability, change=change, relief=relief, **facts)
    return write_page(folder, summary, relief)
