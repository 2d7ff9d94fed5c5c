"""A folder of tiles, or one tile, as a scene: each tile is a window, and windows over the seams blend them."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from data.pack.tile_row import measure_slope
from data.scene.base import (
    InputSpec,
    Scene,
    WindowData,
    choose_steps,
    find_backscatter,
    round_to_float16,
    stack_channels,
)
from data.scene.georeference import Grid
from data.scene.windows import Window, combine_spans, make_tile_spans
from data.tiles import (
    BANDS,
    NODATA,
    PIXEL_M,
    TILE_PX,
    Tile,
    TileError,
    Units,
    compare_tiles,
    list_tiles,
    list_unpaired,
    open_tile,
    survey_tile,
    tile_id_of,
    tile_path,
)
from data.tiles.manifest import read_manifest

logger = logging.getLogger(__name__)

MAX_TILES = 4096  # along a side of the mosaic, 5,243 km

Cell = tuple[int, int]  # row and column of a tile in the mosaic


def open_mosaic(path: Path, spec: InputSpec, units: Units | None = None) -> "Mosaic":
    """Open a folder of tiles; reads their coordinates.

    Args:
        path: Folder with a folder for each modality, or a file of one tile in such a folder.
        spec: The network's input.
        units: Unit of the backscatter; by default the manifest's, or detected from the first file.

    Returns:
        The scene. Tiles that lack a modality or cannot be opened are in its ``excluded``.

    Raises:
        FileNotFoundError: If no tile has all modalities.
        ValueError: If no tile can be opened, or the tiles are not on a common grid.
    """
    root, chosen = (path, None) if path.is_dir() else (path.parent.parent, [tile_id_of(path)])
    source = read_manifest(root, units)
    tile_ids = list_tiles(root, spec.modalities) if chosen is None else chosen
    reason = f"It lacks a file of {' or '.join(spec.modalities)}."
    excluded = {} if chosen else dict.fromkeys(list_unpaired(root, spec.modalities), reason)
    corners: dict[str, tuple[float, float]] = {}
    crs: dict[str, str] = {}  # an example tile by coordinate system
    for tile_id in tile_ids:
        try:
            survey = survey_tile(tile_path(root, tile_id, spec.modalities[0]))
            corners[tile_id] = survey.west_m, survey.north_m
            crs.setdefault(survey.crs, tile_id)
        except (TileError, FileNotFoundError) as error:
            excluded[tile_id] = str(error)
    if not corners:
        reason = next(iter(excluded.values()))
        raise ValueError(
            f"A map needs a usable tile, but {root} has none. The first reason: {reason}"
        )
    if len(crs) > 1:
        got = " and ".join(f"{name} ({tile})" for name, tile in sorted(crs.items()))
        raise ValueError(
            f"Tiles must be in one coordinate system, but got {got} in {root}. Map the regions one by one."
        )
    grid, tiles = _place_tiles(corners, root, next(iter(crs)))
    scene = Mosaic(
        grid=grid,
        spec=spec,
        synthetic=source.synthetic,
        excluded=excluded,
        root=root,
        units=source.units,
        tiles=tiles,
    )
    if source.units == "linear":
        scene.notes.append("Backscatter was converted from linear power to dB.")
    return scene


def _place_tiles(
    corners: dict[str, tuple[float, float]], root: Path, crs: str
) -> tuple[Grid, dict[Cell, str]]:
    """Return the mosaic's grid and each tile's row and column."""
    side = TILE_PX * PIXEL_M
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


@dataclass(frozen=True)
class _TileData:
    """The cached content of a tile; shapes as in ``WindowData``."""

    x: np.ndarray
    heights: np.ndarray


@dataclass(kw_only=True)
class Mosaic(Scene):
    """Adjacent tiles; a window covers one tile, the seam of two, or the corner of four.

    Attributes:
        root: Folder with a folder for each modality.
        units: Unit of the backscatter in the files.
        tiles: Tile ids by row and column in the mosaic.
    """

    root: Path
    units: Units
    tiles: dict[Cell, str]

    def __post_init__(self) -> None:
        columns = self.grid.width // TILE_PX
        # Caches two rows of tiles, so that no tile is read twice.
        self._read_tile = lru_cache(2 * columns + 2)(self._read_or_exclude)

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """List a window per tile and per seam; *side* is ignored, since windows have the tiles' size.

        Half of *overlap* is blended on either side of a seam; elsewhere the map equals the tile's own.

        Raises:
            ValueError: If *overlap* is not between 2 and the tiles' side.
        """
        if not 2 <= overlap <= TILE_PX:
            raise ValueError(
                f"The overlap of tiles must be 2 to {TILE_PX} px, but got {overlap}. Choose another with --overlap."
            )
        rows, columns = (size // TILE_PX for size in (self.grid.height, self.grid.width))
        windows = combine_spans(
            make_tile_spans(rows, TILE_PX, overlap // 2),
            make_tile_spans(columns, TILE_PX, overlap // 2),
        )
        return [window for window in windows if self.tiles.keys() >= set(_list_cells(window))]

    def read(self, window: Window) -> WindowData | None:
        """Read a window; return None if one of its tiles cannot be read."""
        cells = _list_cells(window)
        tiles = [tile for cell in cells if (tile := self._read_tile(self.tiles[cell])) is not None]
        if len(tiles) < len(cells):
            return None
        columns = len({column for _, column in cells})
        rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
        top, left = window.rows.start % TILE_PX, window.columns.start % TILE_PX
        cut = (..., slice(top, top + TILE_PX), slice(left, left + TILE_PX))
        x = np.block([[tile.x for tile in row] for row in rows])[cut]
        heights = np.block([[tile.heights for tile in row] for row in rows])[cut]
        return WindowData(x, heights, find_backscatter(self.spec.channels, x))

    def _read_or_exclude(self, tile_id: str) -> _TileData | None:
        """Read a tile; return None if it cannot be read, and add the reason to ``excluded``."""
        try:
            return self._load_tile(tile_id)
        except (TileError, FileNotFoundError, ValueError) as error:
            self.excluded[tile_id] = str(error)
            logger.warning("Excluded %s: %s", tile_id, error)
            return None

    def _load_tile(self, tile_id: str) -> _TileData:
        spec = self.spec
        paths = [tile_path(self.root, tile_id, modality) for modality in spec.modalities]
        tiles = [open_tile(path, self.units) for path in paths]
        compare_tiles(tiles)
        bands = {name: band for tile in tiles for name, band in _select_bands(tile, spec).items()}
        heights = np.where(tiles[0].dem == NODATA, np.nan, tiles[0].dem.astype(np.float32))
        maps = {"DEM": heights, "slope": round_to_float16(measure_slope(heights))}
        return _TileData(stack_channels(spec.channels, bands, maps), heights.astype(np.float32))


def _select_bands(tile: Tile, spec: InputSpec) -> dict[str, np.ndarray]:
    """Return the chosen acquisitions of the bands that the network reads."""
    steps = choose_steps(tile.times, spec, tile.modality, f"{tile.tile_id}, {tile.modality}")
    names = [f"{tile.modality}:{band}" for band in BANDS[tile.modality]]
    return {
        name: tile.bands[steps, index] for index, name in enumerate(names) if name in spec.channels
    }


def _list_cells(window: Window) -> list[Cell]:
    """List the tiles that a window covers, row by row."""
    rows, columns = (
        range(span.start // TILE_PX, (span.stop - 1) // TILE_PX + 1)
        for span in (window.rows, window.columns)
    )
    return [(row, column) for row in rows for column in columns]
