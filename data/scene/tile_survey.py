"""The tiles of a mosaic: their positions on one grid, their events and their origin."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data.scene.base import InputSpec
from data.scene.dates import find_event
from data.scene.georeference import Grid
from data.tiles import PIXEL_M, TILE_PX, TileError, TileSurvey, survey_tile, tile_path
from data.tiles.events import NO_EVENT, fill_events
from data.tiles.regions import read_regions

MAX_TILES = 4096  # along a side of the mosaic, 5,243 km

Cell = tuple[int, int]  # row and column of a tile in the mosaic


def survey_tiles(
    root: Path, tile_ids: Sequence[str], modality: str, excluded: dict[str, str]
) -> dict[str, TileSurvey]:
    """Return each tile's position, event and mark; add unreadable tiles to *excluded*.

    Raises:
        ValueError: If no tile can be read, or tiles are in several coordinate systems.
    """
    surveys: dict[str, TileSurvey] = {}
    for tile_id in tile_ids:
        try:
            surveys[tile_id] = survey_tile(tile_path(root, tile_id, modality))
        except (TileError, FileNotFoundError) as error:
            excluded[tile_id] = str(error)
    if not surveys:
        reason = next(iter(excluded.values()))
        raise ValueError(
            f"A map needs a usable tile, but {root} has none. The first reason: {reason}"
        )
    systems = {survey.crs: tile_id for tile_id, survey in surveys.items()}
    if len(systems) > 1:
        got = " and ".join(f"{name} ({tile})" for name, tile in sorted(systems.items()))
        raise ValueError(
            f"Tiles must be in one coordinate system, but got {got} in {root}. Map the regions one by one."
        )
    return surveys


def find_tile_events(
    surveys: Mapping[str, TileSurvey], spec: InputSpec, root: Path, notes: list[str]
) -> dict[str, np.datetime64]:
    """Return the event of each tile, as in training; tiles of an unknown region get the network's.

    Raises:
        ValueError: If an event is unknown.
    """
    if spec.event is not None:
        return dict.fromkeys(surveys, spec.event)
    events: dict[str, np.datetime64] = {}
    for region in sorted({survey.region for survey in surveys.values()}):
        mine = {tile: s.event or NO_EVENT for tile, s in surveys.items() if s.region == region}
        times = np.array(list(mine.values()), "datetime64[s]")
        known = read_regions().get(region)
        if np.isnat(times).all() and (known is None or known.event is None):
            times[:] = find_event(spec, "", f"{region} in {root}", notes)
        events |= zip(mine, fill_events(times, [region] * len(times)), strict=True)
    return events


def place_tiles(surveys: Mapping[str, TileSurvey], root: Path) -> tuple[Grid, dict[Cell, str]]:
    """Return the mosaic's grid and each tile's row and column.

    Raises:
        ValueError: If tiles overlap or are not on one grid.
    """
    side = TILE_PX * PIXEL_M
    corners = {tile: (survey.west_m, survey.north_m) for tile, survey in surveys.items()}
    crs = next(iter(surveys.values())).crs
    west, north = min(x for x, _ in corners.values()), max(y for _, y in corners.values())
    tiles: dict[Cell, str] = {}
    for tile_id, (x, y) in corners.items():
        row, column = (north - y) / side, (x - west) / side
        if row % 1 or column % 1 or max(row, column) >= MAX_TILES:
            raise ValueError(
                f"Tiles must be on one grid of {side:g} m, but {tile_id} is {x - west:g} m east and "
                f"{north - y:g} m south of the mosaic's corner in {root}. Map it alone: pass its file."
            )
        if (other := tiles.setdefault((int(row), int(column)), tile_id)) != tile_id:
            raise ValueError(
                f"Tiles must not overlap, but {other} and {tile_id} have the same coordinates in {root}. "
                "Remove one of them."
            )
    rows, columns = (max(cell[axis] for cell in tiles) + 1 for axis in (0, 1))
    return Grid(crs, west, north, PIXEL_M, rows * TILE_PX, columns * TILE_PX), tiles
