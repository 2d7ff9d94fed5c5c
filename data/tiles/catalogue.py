"""The catalogue of the 290 Hokkaido tiles of Sen12Landslides: their positions and landslide pixels.

Source and licence: ``ATTRIBUTION.md``.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GRID_M = 1280  # step of the tile grid in UTM 54N; neighbouring tiles share an edge
CATALOGUE_REGION = "hokkaido"
CATALOGUE_CRS = "EPSG:32654"  # UTM 54N
CATALOGUE_FILE = Path(__file__).with_name("hokkaido_tiles.csv")


@dataclass(frozen=True)
class CatalogueTile:
    """One row of ``hokkaido_tiles.csv``.

    Attributes:
        tile_id: Such as ``hokkaido_579``.
        column: Tiles east of the grid's origin.
        row: Tiles north of the grid's origin.
        annotated_px: Landslide pixels of the tile's mask.
        official: Split part in the data set's S12LS-LD split; empty if the tile is not in it.
    """

    tile_id: str
    column: int
    row: int
    annotated_px: int
    official: str


@cache
def read_catalogue() -> dict[str, CatalogueTile]:
    """Return the 290 Hokkaido tiles by id, in the order of the file."""
    with CATALOGUE_FILE.open(newline="") as lines:
        return {row["tile_id"]: _catalogue_tile(row) for row in csv.DictReader(lines)}


def _catalogue_tile(row: dict[str, str]) -> CatalogueTile:
    return CatalogueTile(
        tile_id=row["tile_id"],
        column=int(row["easting_m"]) // GRID_M,
        row=int(row["northing_m"]) // GRID_M,
        annotated_px=int(row["annotated_px"]),
        official=row["split_s12ls_ld"],
    )
