"""A folder of tiles, or one tile, as a scene: each tile mapped on its own, seams blended by windows that lie over them."""

import logging
from collections.abc import Sequence
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
from data.tiles.rules import CRS

logger = logging.getLogger(__name__)

_MOST_SIDE = 4096  # tiles between the outermost of a folder, 5,243 km

Cell = tuple[int, int]  # row and column of a tile in the mosaic


def open_mosaic(path: Path, spec: InputSpec, units: Units | None = None) -> "Mosaic":
    """Look where a folder's tiles lie.

    Args:
        path: Folder with a folder for each modality, or a file of one tile in such a folder.
        spec: What the network reads.
        units: Unit of the backscatter; what the folder's manifest says, or its first file, when left out.

    Returns:
        The scene. A tile that lacks a modality or cannot be opened is in its ``excluded``.

    Raises:
        FileNotFoundError: If no tile has all that is needed.
        ValueError: If no tile can be opened, or they do not lie on one grid of tiles.
    """
    root, wanted = (path, None) if path.is_dir() else (path.parent.parent, [tile_id_of(path)])
    source = read_manifest(root, units)
    found = list_tiles(root, spec.modalities) if wanted is None else wanted
    lack = f"It lacks a file of {' or '.join(spec.modalities)}."
    excluded = {} if wanted else dict.fromkeys(list_unpaired(root, spec.modalities), lack)
    corners: dict[str, tuple[float, float]] = {}
    for tile_id in found:
        try:
            place = survey_tile(tile_path(root, tile_id, spec.modalities[0]))
            corners[tile_id] = place.west_m, place.north_m
        except (TileError, FileNotFoundError) as error:
            excluded[tile_id] = str(error)
    if not corners:
        reason = next(iter(excluded.values()))
        raise ValueError(
            f"A map needs a tile, but none of {root} can be used. The first reason: {reason}"
        )
    grid, tiles = _place_tiles(corners, root)
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
    corners: dict[str, tuple[float, float]], root: Path
) -> tuple[Grid, dict[Cell, str]]:
    """Give each tile its row and column."""
    side = TILE_PX * PIXEL_M
    west, north = min(x for x, _ in corners.values()), max(y for _, y in corners.values())
    tiles: dict[Cell, str] = {}
    for tile_id, (x, y) in corners.items():
        row, column = (north - y) / side, (x - west) / side
        if row % 1 or column % 1 or max(row, column) >= _MOST_SIDE:
            raise ValueError(
                f"Tiles must lie on one grid of {side:g} m, but {tile_id} is {x - west:g} m east and "
                f"{north - y:g} m south of the corner of the others in {root}. Map it alone, by its file."
            )
        if (other := tiles.setdefault((int(row), int(column)), tile_id)) != tile_id:
            raise ValueError(
                f"Tiles must lie side by side, but {other} and {tile_id} lie in one place in {root}. "
                "Remove one of them."
            )
    rows, columns = (max(place[axis] for place in tiles) + 1 for axis in (0, 1))
    return Grid(CRS, west, north, PIXEL_M, rows * TILE_PX, columns * TILE_PX), tiles


@dataclass(frozen=True)
class _Part:
    """A tile as it is kept; shapes as in a `Patch`."""

    x: np.ndarray
    heights: np.ndarray


@dataclass(kw_only=True)
class Mosaic(Scene):
    """Tiles side by side; a window is a tile, or lies over the seam of two or the corner of four.

    Attributes:
        root: Folder with a folder for each modality.
        units: Unit of the backscatter in the files.
        tiles: Ids by row and column in the mosaic.
    """

    root: Path
    units: Units
    tiles: dict[Cell, str]

    def __post_init__(self) -> None:
        columns = self.grid.width // TILE_PX
        # A row of tiles and the next, so that none is read twice.
        self._read_tile = lru_cache(2 * columns + 2)(self._open)

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """Lay a window over each tile and each seam; *side* is the tiles', whatever is asked for.

        Half of *overlap* lies on either side of a seam; beyond it a tile is mapped as it is alone.

        Raises:
            ValueError: If *overlap* is not from 2 to the tiles' side.
        """
        if not 2 <= overlap <= TILE_PX:
            raise ValueError(
                f"Tiles are blended over 2 to {TILE_PX} px at a seam, but got an overlap of {overlap}. Choose another."
            )
        rows, columns = (size // TILE_PX for size in (self.grid.height, self.grid.width))
        windows = combine_spans(
            make_tile_spans(rows, TILE_PX, overlap // 2),
            make_tile_spans(columns, TILE_PX, overlap // 2),
        )
        return [window for window in windows if self.tiles.keys() >= set(_list_places(window))]

    def read(self, window: Window) -> WindowData | None:
        """Read a window; None where one of its tiles cannot be used."""
        places = _list_places(window)
        parts = [self._read_tile(self.tiles[place]) for place in places]
        if any(part is None for part in parts):
            return None
        found = [part for part in parts if part is not None]
        rows, columns = (len({place[axis] for place in places}) for axis in (0, 1))
        top, left = window.rows.start % TILE_PX, window.columns.start % TILE_PX
        cut = (..., slice(top, top + TILE_PX), slice(left, left + TILE_PX))
        x, heights = (
            _join([getattr(part, name) for part in found], rows, columns)[cut]
            for name in ("x", "heights")
        )
        return WindowData(x, heights, find_backscatter(self.spec.channels, x))

    def _open(self, tile_id: str) -> _Part | None:
        """Read a tile; None where it cannot be used, with the reason in ``excluded``."""
        try:
            return self._make_part(tile_id)
        except (TileError, FileNotFoundError, ValueError) as error:
            self.excluded[tile_id] = str(error)
            logger.warning("Left out: %s. %s", tile_id, error)
            return None

    def _make_part(self, tile_id: str) -> _Part:
        spec = self.spec
        paths = [tile_path(self.root, tile_id, modality) for modality in spec.modalities]
        tiles = [open_tile(path, self.units) for path in paths]
        compare_tiles(tiles)
        bands = {name: band for tile in tiles for name, band in _pick_bands(tile, spec).items()}
        heights = np.where(tiles[0].dem == NODATA, np.nan, tiles[0].dem.astype(np.float32))
        maps = {"DEM": heights, "slope": round_to_float16(measure_slope(heights))}
        return _Part(stack_channels(spec.channels, bands, maps), heights.astype(np.float32))


def _pick_bands(tile: Tile, spec: InputSpec) -> dict[str, np.ndarray]:
    """Take a tile's bands that are needed, and of those the chosen acquisitions."""
    steps = choose_steps(tile.times, spec, f"{tile.tile_id}, {tile.modality}")
    names = [f"{tile.modality}:{band}" for band in BANDS[tile.modality]]
    return {
        name: tile.bands[steps, place] for place, name in enumerate(names) if name in spec.channels
    }


def _list_places(window: Window) -> list[Cell]:
    """List the tiles that a window lies on, row by row."""
    rows, columns = (
        range(span.start // TILE_PX, (span.stop - 1) // TILE_PX + 1)
        for span in (window.rows, window.columns)
    )
    return [(row, column) for row in rows for column in columns]


def _join(parts: Sequence[np.ndarray], rows: int, columns: int) -> np.ndarray:
    """Join tiles, given row by row."""
    if len(parts) == 1:
        return parts[0]
    lines = [np.concatenate(parts[row * columns : (row + 1) * columns], -1) for row in range(rows)]
    return np.concatenate(lines, -2)
