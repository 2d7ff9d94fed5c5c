"""Positions and landslide counts of invented regions, shaped like the inventories of the data set."""

import random
from collections.abc import Iterable
from functools import cache

from pyproj import Transformer

from data.splits import Split, survey_catalogue
from data.splits.split_file import PARTS
from data.tiles import TileSurvey
from data.tiles.catalogue import GRID_M

# Tiles of each inventory in S12LS-LD harmonized, of the orbit direction that has more (NETWORKS.md does not list places).
INVENTORIES = {
    "italy": 1805,
    "kyrgyzstan1": 709,
    "newzealand": 558,
    "dominicamaria": 348,
    "chimanimani": 348,
    "hiroshima": 322,
    "indonesia": 266,
    "thrissur": 183,
    "kyrgyzstan2": 170,
    "itogon": 82,
    "china": 54,
    "usa_puertorico": 28,
}


def make_survey(
    region: str, count: int, *, seed: int = 0, clusters: int = 1, zones: int = 1, bare: float = 0.2
) -> dict[str, TileSurvey]:
    """Grow clusters of tiles, with landslides that are dense around a few centres.

    Args:
        region: Name of the region.
        count: Number of tiles.
        seed: Of the generator.
        clusters: Number of separate groups of tiles.
        zones: 1, or 2: the tiles east of the middle are given in the next UTM zone.
        bare: Share of tiles without landslides.
    """
    rng = random.Random(f"{region} {seed}")  # noqa: S311 - an invented region, no secret
    cells: list[tuple[int, int]] = []
    south = 3000 + 200 * sorted(INVENTORIES).index(region)  # regions are far from each other
    for cluster in range(clusters):
        size = count * (cluster + 1) // clusters - count * cluster // clusters
        cells += _grow(rng, (550 + 60 * cluster, south + rng.randrange(80)), size)
    centres = rng.sample(cells, max(2, count // 60))
    return {
        tile.tile_id: tile
        for number, cell in enumerate(cells)
        for tile in [_make_tile(rng, f"{region}_{number}", cell, centres, zones, bare)]
    }


def _grow(rng: random.Random, start: tuple[int, int], size: int) -> list[tuple[int, int]]:
    """Grow a connected, ragged group of cells."""
    group = {start: None}
    while len(group) < size:
        column, row = rng.choice(list(group)[-40:])
        group[(column + rng.choice((-1, 0, 1)), row + rng.choice((-1, 0, 1)))] = None
    return list(group)


def _make_tile(
    rng: random.Random,
    tile_id: str,
    cell: tuple[int, int],
    centres: list[tuple[int, int]],
    zones: int,
    bare: float,
) -> TileSurvey:
    near = min(max(abs(cell[0] - x), abs(cell[1] - y)) for x, y in centres)
    px = int(min(9000, rng.lognormvariate(6.5 - 0.15 * near, 1.2))) if rng.random() > bare else 0
    west, north, crs = cell[0] * GRID_M, cell[1] * GRID_M, "EPSG:32632"
    if zones == 2 and cell[0] >= 555:
        west, north, crs = _to_next_zone(west, north)
    return TileSurvey(tile_id=tile_id, west_m=west, north_m=north, annotated_px=px, crs=crs)


def _to_next_zone(west: float, north: float) -> tuple[float, float, str]:
    """Return the tile of the next zone's grid that is nearest."""
    x, y = _make_transformer().transform(west + GRID_M / 2, north - GRID_M / 2)
    column, row = round(x / GRID_M - 0.5), round(y / GRID_M + 0.5)
    return column * GRID_M, row * GRID_M, "EPSG:32633"


@cache
def _make_transformer() -> Transformer:
    return Transformer.from_crs("EPSG:32632", "EPSG:32633", always_xy=True)


def list_ratios(split: Split, tiles: dict[str, TileSurvey]) -> list[float]:
    """Return the landslide share of train, val and test, relative to all tiles'."""
    whole = sum(tile.annotated_px for tile in tiles.values()) / len(tiles)
    return [
        sum(tiles[tile].annotated_px for tile in split.part(part)) / len(split.part(part)) / whole
        for part in PARTS
    ]


def place_tiles(*tile_ids: str) -> dict[str, TileSurvey]:
    """Put tiles with landslides in a row from west to east."""
    return {
        tile_id: TileSurvey(
            tile_id=tile_id,
            west_m=column * GRID_M,
            north_m=3600 * GRID_M,
            annotated_px=100,
            crs="EPSG:32654",
        )
        for column, tile_id in enumerate(tile_ids, 400)
    }


def survey_tiles(tile_ids: Iterable[str]) -> dict[str, TileSurvey]:
    """Return position and landslide pixels of some catalogue tiles."""
    return {tile: survey_catalogue()[tile] for tile in tile_ids}
