"""The 290 Hokkaido tiles of Sen12Landslides: where each lies, and how many landslide pixels it has.

Source and licence: ``ATTRIBUTION.md``.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GRID_M = 1280  # tiles lie on a grid of this step in UTM 54N, so neighbours share an edge
CATALOGUE_FILE = Path(__file__).with_name("hokkaido_tiles.csv")


@dataclass(frozen=True)
class CatalogueTile:
    """One row of ``hokkaido_tiles.csv``.

    Attributes:
        tile_id: Such as ``hokkaido_579``.
        column: Tiles east of the grid's origin.
        row: Tiles north of the grid's origin.
        annotated_px: Landslide pixels of the tile's mask.
        official: Part in the data set's S12LS-LD split, empty where the tile is not in it.
    """

    tile_id: str
    column: int
    row: int
    annotated_px: int
    official: str


@cache
def read_catalogue() -> dict[str, CatalogueTile]:
    """Read the 290 Hokkaido tiles, by id in the file's order."""
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


def count_positives(tile_ids: Iterable[str]) -> int:
    """Sum the annotated landslide pixels of catalogue tiles."""
    return sum(read_catalogue()[tile].annotated_px for tile in tile_ids)


def read_places() -> dict[str, tuple[int, int]]:
    """Return each catalogue tile's column and row on the grid."""
    return {tile.tile_id: (tile.column, tile.row) for tile in read_catalogue().values()}


def find_touching(
    first: Iterable[str],
    second: Iterable[str],
    *,
    corner: bool = True,
    places: Mapping[str, tuple[int, int]] | None = None,
) -> list[str]:
    """List the tiles of *first* that border a tile of *second*.

    Args:
        first: Tile ids, such as a test part.
        second: Tile ids, such as a train part.
        corner: Whether a shared corner counts, or only a shared edge.
        places: Column and row of every such tile on the grid; the catalogue's when left out.

    Returns:
        Sorted ids of *first* with at least one such neighbour.
    """
    at = read_places() if places is None else places
    taken = {at[tile] for tile in second}
    reach = 2 if corner else 1
    steps = [
        (right, up)
        for right in (-1, 0, 1)
        for up in (-1, 0, 1)
        if 0 < abs(right) + abs(up) <= reach
    ]
    return sorted(
        tile for tile in first if any((at[tile][0] + x, at[tile][1] + y) in taken for x, y in steps)
    )
