"""A folder of tiles, or one tile, as a scene: each tile is a window, and windows over the seams blend them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from data.pack.tile_row import measure_slope
from data.scene.base import (
    InputSpec,
    Scene,
    SeriesDates,
    WindowData,
    measure_days,
    stack_channels,
)
from data.scene.change import measure_change
from data.scene.dates import choose_steps
from data.scene.row_cache import round_to_float16
from data.scene.tile_survey import Cell, find_tile_events, place_tiles, survey_tiles
from data.scene.windows import Window, combine_spans, make_tile_spans
from data.tiles import (
    BANDS,
    NODATA,
    ORBITS,
    TILE_PX,
    Tile,
    TileError,
    Units,
    compare_tiles,
    list_tiles,
    list_unpaired,
    open_tile,
    tile_id_of,
    tile_path,
)
from data.tiles.manifest import are_synthetic, read_manifest
from data.tiles.map_dates import DatesError
from data.values.coverage import Coverage, OrbitDates, count_acquisitions
from data.values.event_days import average_days

logger = logging.getLogger(__name__)

_CHECKED = 4  # tiles whose dates are checked on opening


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
        TileError: If some tiles are synthetic and others real.
    """
    root, chosen = (path, None) if path.is_dir() else (path.parent.parent, [tile_id_of(path)])
    source = read_manifest(root, units)
    tile_ids = list_tiles(root, spec.modalities) if chosen is None else chosen
    reason = f"It lacks a file of {' or '.join(spec.modalities)}."
    excluded = {} if chosen else dict.fromkeys(list_unpaired(root, spec.modalities), reason)
    surveys = survey_tiles(root, tile_ids, spec.modalities[0], excluded)
    notes: list[str] = []
    events = find_tile_events(surveys, spec, root, notes)
    grid, tiles = place_tiles(surveys, root)
    scene = Mosaic(
        grid=grid,
        spec=spec,
        synthetic=are_synthetic(surveys) or source.synthetic,
        events=tuple(sorted(set(events.values()))),
        notes=notes,
        excluded=excluded,
        root=root,
        units=source.units,
        tiles=tiles,
        tile_events=events,
    )
    if units is None and source.guessed:
        scene.notes.append(
            f"The unit of the backscatter, {source.units}, was found from its values."
        )
    if source.units == "linear":
        scene.notes.append("Backscatter was converted from linear power to dB.")
    scene.check_dates()
    return scene


@dataclass(frozen=True)
class _TileData:
    """The cached content of a tile; shapes as in ``WindowData``."""

    x: np.ndarray
    heights: np.ndarray
    coverage: Coverage
    days: np.ndarray
    change: np.ndarray


@dataclass(kw_only=True)
class Mosaic(Scene):
    """Adjacent tiles; a window covers one tile, the seam of two, or the corner of four.

    Attributes:
        root: Folder with a folder for each modality.
        units: Unit of the backscatter in the files.
        tiles: Tile ids by row and column in the mosaic.
        tile_events: Event of each tile, UTC.
        refused: Why the network cannot map the dates of tiles that were read so far.
    """

    root: Path
    units: Units
    tiles: dict[Cell, str]
    tile_events: dict[str, np.datetime64]
    refused: list[DatesError] = field(default_factory=list)

    def __post_init__(self) -> None:
        columns = self.grid.width // TILE_PX
        # Caches two rows of tiles, so that no tile is read twice.
        self._read_tile = lru_cache(2 * columns + 2)(self._read_or_exclude)

    def check_dates(self) -> None:
        """Raise DatesError if the network cannot map the dates of several tiles that are spread over the mosaic."""
        tiles = list(self.tiles.values())
        for tile_id in tiles[:: max(1, len(tiles) // _CHECKED)]:
            if self._read_tile(tile_id) is not None:
                return
        if self.refused:
            raise self.refused[0]

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
        valid = np.block([[tile.coverage.mapped for tile in row] for row in rows])[cut]
        counts = np.block([[tile.coverage.counts for tile in row] for row in rows])[cut]
        days = average_days(np.stack([tile.days for tile in tiles], axis=-1))
        change = np.block([[tile.change for tile in row] for row in rows])[cut]
        return WindowData(x, heights, valid, counts, days, change)

    def _read_or_exclude(self, tile_id: str) -> _TileData | None:
        """Read a tile; return None if it cannot be read, and add the reason to ``excluded``."""
        try:
            tile = self._load_tile(tile_id)
        except (TileError, FileNotFoundError, ValueError) as error:
            if isinstance(error, DatesError):
                self.refused.append(error)
            self.excluded[tile_id] = str(error)
            logger.warning("Excluded %s: %s", tile_id, error)
            return None
        self.filled.add(tile.coverage)
        return tile

    def _load_tile(self, tile_id: str) -> _TileData:
        modalities, event = self.spec.modalities, self.tile_events[tile_id]
        paths = [tile_path(self.root, tile_id, modality) for modality in modalities]
        tiles = [open_tile(path, self.units) for path in paths]
        compare_tiles(tiles)
        spec, event = self.spec.settle_event(event, [tile.times for tile in tiles], tile_id)
        if spec.placebo is not None:
            self.pretended.add(event)
        bands: dict[str, np.ndarray] = {}
        orbits: list[OrbitDates] = []
        chosen: dict[str, SeriesDates] = {}
        for tile in tiles:
            source = f"{tile_id}, {tile.modality}"
            steps = choose_steps(tile.times, spec, event, tile.modality, source)
            for band, tally in zip(BANDS[tile.modality], tile.tallies, strict=bool(tile.tallies)):
                if f"{tile.modality}:{band}" in spec.channels:
                    self.no_data.add(f"{tile.modality}:{band}", tile.times, tally, steps)
            dates = SeriesDates(spec.list_usable(tile.times), tile.times[steps], event)
            if tile.modality in ORBITS:
                least = spec.list_learnt(tile.modality).least_after
                orbits.append(OrbitDates(tile.modality, dates.chosen, event, least))
            self.dates.setdefault(tile.modality, []).append(dates)
            chosen[tile.modality] = dates
            bands |= _select_bands(tile, spec.channels, steps)
        heights = np.where(tiles[0].dem == NODATA, np.nan, tiles[0].dem.astype(np.float32))
        maps = {"DEM": heights, "slope": round_to_float16(measure_slope(heights))}
        x = stack_channels(spec.channels, bands, maps)
        coverage = count_acquisitions(spec.channels, x, orbits)
        days = measure_days(spec.channels, x, chosen)
        change = measure_change(spec.channels, x, orbits)
        return _TileData(x, heights.astype(np.float32), coverage, days, change)


def _select_bands(
    tile: Tile, channels: Sequence[str], steps: Sequence[int]
) -> dict[str, np.ndarray]:
    """Return the chosen acquisitions of the bands that the network reads."""
    names = [f"{tile.modality}:{band}" for band in BANDS[tile.modality]]
    return {
        name: tile.bands[list(steps), index] for index, name in enumerate(names) if name in channels
    }


def _list_cells(window: Window) -> list[Cell]:
    """List the tiles that a window covers, row by row."""
    rows, columns = (
        range(span.start // TILE_PX, (span.stop - 1) // TILE_PX + 1)
        for span in (window.rows, window.columns)
    )
    return [(row, column) for row in rows for column in columns]
