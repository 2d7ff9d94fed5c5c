"""The landslides of a map's folder: rows of the page's table, and shapes of its map."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.scene.georeference import Grid
from tuning.predict.landslides.confidence import BOTH, NEITHER, ONE_ORBIT
from tuning.predict.landslides.polygons import LAYER

MOST_ROWS = 20  # of the table: with the picture it fits on three printed pages
# Heading of each column that a table may have, and how its values are written; those that a table lacks are left out.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "area_m2": ("hectares", "ha"),
    "mean_probability": ("mean probability", ".2f"),
    "max_probability": ("highest probability", ".2f"),
    "mean_spread": ("spread over seeds", ".2f"),
    "slope_deg": ("slope, degrees", ".0f"),
    "confidence": ("confidence", "text"),
    "orbits_agree": ("change seen by", "orbits"),
    "change_s1asc_db": ("change ascending, dB", "+.1f"),
    "change_s1dsc_db": ("change descending, dB", "+.1f"),
}
IN_TABLE = ("area_m2", "mean_probability", "slope_deg", "confidence", "orbits_agree")
_SHOWN_BY = {  # words of `tuning.predict.landslides.confidence`
    BOTH: "both orbits",
    "s1asc only": "ascending only",
    "s1dsc only": "descending only",
    NEITHER: "neither orbit",
    ONE_ORBIT: "data of one orbit",
}
PLACE = "latitude, longitude"


@dataclass(frozen=True)
class Landslides:
    """The landslides of a map, largest first.

    Attributes:
        columns: Headings of the facts of each one.
        facts: Facts of each one as texts, its number first, its place last.
        rings: Outlines of each one in pixels of the grid: per ring ``[x, y, dx, dy, dx, dy, …]``, the first corner and the steps
            to the next ones; rings of a polygon together, its shell first.
    """

    columns: list[str]
    facts: list[list[str]]
    rings: list[list[list[list[int]]]]

    def shorten(self, most_bytes: int) -> "Landslides":
        """Return those of the largest whose facts and shapes take at most so many bytes as JSON."""
        total, count = 0, 0
        for facts, rings in zip(self.facts, self.rings, strict=True):
            total += len(str(facts).encode()) + len(str(rings).replace(" ", ""))
            if total > most_bytes:
                break
            count += 1
        return Landslides(self.columns, self.facts[:count], self.rings[:count])


def read_landslides(folder: Path, grid: Grid) -> Landslides:
    """Read ``landslides.gpkg`` of a map's folder.

    Args:
        folder: The map's folder.
        grid: The grid of its rasters.

    Raises:
        pyogrio.errors.DataSourceError: If the file cannot be read.
    """
    table = gpd.read_file(folder / "landslides.gpkg", layer=LAYER)
    known = [name for name in COLUMNS if name in table.columns]
    facts = [[str(number) for number in table["id"]]]
    facts += [[format_value(value, COLUMNS[name][1]) for value in table[name]] for name in known]
    facts.append([format_place(*pair) for pair in zip(table["lat"], table["lon"], strict=True)])
    headings = ["number", *(COLUMNS[name][0] for name in known), PLACE]
    rows = [list(row) for row in zip(*facts, strict=True)]
    return Landslides(headings, rows, [trace(shape, grid) for shape in table.geometry])


def list_rows(landslides: Landslides) -> tuple[list[str], list[list[str]]]:
    """Return the columns of the page's table and the rows of the largest landslides."""
    wanted = {COLUMNS[name][0] for name in IN_TABLE} | {"number", PLACE}
    kept = [at for at, name in enumerate(landslides.columns) if name in wanted]
    rows = [[facts[at] for at in kept] for facts in landslides.facts[:MOST_ROWS]]
    return [landslides.columns[at] for at in kept], rows


def format_value(value: Any, kind: str) -> str:
    """Format a fact: ``ha`` hectares of m2, ``orbits`` which orbits, ``text`` a text, else a number's format; a dash if missing."""
    if pd.isna(value):
        return "\N{EN DASH}"
    if kind == "ha":
        return f"{value / 1e4:,.2f}"
    if kind == "orbits":
        return _SHOWN_BY.get(str(value), str(value))
    return str(value) if kind == "text" else f"{value:{kind}}"


def format_place(latitude: float, longitude: float) -> str:
    """Return a place in degrees, to a metre, such as ``42.76123, 141.91234``; a dash where it is not known."""
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return "\N{EN DASH}"
    return f"{latitude:.5f}, {longitude:.5f}"


def trace(shape: shapely.MultiPolygon, grid: Grid) -> list[list[list[int]]]:
    """Return a shape's polygons, each the list of its rings, in pixels of a grid."""
    polygons = []
    for polygon in shapely.get_parts(shape):
        rings = [polygon.exterior, *polygon.interiors]
        polygons.append([_trace_ring(shapely.get_coordinates(ring), grid) for ring in rings])
    return polygons


def _trace_ring(corners: np.ndarray, grid: Grid) -> list[int]:
    x = (corners[:-1, 0] - grid.west_m) / grid.pixel_m
    y = (grid.north_m - corners[:-1, 1]) / grid.pixel_m
    pixels = np.rint(np.stack([x, y], axis=1)).astype(int)
    steps: Sequence[int] = np.diff(pixels, axis=0, prepend=0).ravel().tolist()
    return list(steps)
