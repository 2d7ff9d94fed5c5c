"""The catalogue of the 290 Hokkaido tiles of Sen12Landslides: their positions and landslide pixels.

Source and licence: ``ATTRIBUTION.md``.
"""

import csv
from collections.abc import Iterable, Mapping
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


def read_places() -> dict[str, tuple[int, int]]:
    """Return the column and row of each catalogue tile."""
    return {tile.tile_id: (tile.column, tile.row) for tile in read_catalogue().values()}


def find_touching(
    first: Iterable[str],
    second: Iterable[str],
    *,
    corner: bool = True,
    places: Mapping[str, tuple[int, int]] | None = None,
) -> list[str]:
    """Return the tiles of *first* that touch a tile of *second*.

    Args:
        first: Tile ids, such as the test tiles.
        second: Tile ids, such as the train tiles.
        corner: Whether a shared corner counts as touching; otherwise only a shared edge does.
        places: Column and row of each tile; by default the catalogue's.

    Returns:
        Sorted ids of tiles in *first*.
    """
    positions = read_places() if places is None else places
    occupied = {positions[tile] for tile in second}
    steps = [
        (x, y)
        for x in (-1, 0, 1)
        for y in (-1, 0, 1)
        if 0 < abs(x) + abs(y) <= (2 if corner else 1)
    ]

    def touches(tile: str) -> bool:
        column, row = positions[tile]
        return any((column + x, row + y) in occupied for x, y in steps)

    return sorted(filter(touches, first))
