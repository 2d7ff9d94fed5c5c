"""One tile as a row of a pack: its modalities are read, checked against each other and converted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.tiles import (
    NODATA,
    PIXEL_M,
    TileError,
    Units,
    compare_tiles,
    open_tile,
    tile_path,
)


@dataclass(frozen=True)
class TileRow:
    """A tile as the pack stores it; shapes as in :class:`data.pack.Pack`, without N.

    Attributes:
        bands: Per modality, shape ``(T, C, H, W)``, float16.
        mask: Shape ``(H, W)``, uint8.
        dem: Shape ``(H, W)``, int16.
        slope: Shape ``(H, W)``, float16.
        times: Shape ``(modalities, T)``.
        moments: Shape ``(channels, 3)``: bands in order, then height and slope.
        warnings: What is suspicious, one sentence each.
    """

    bands: dict[str, np.ndarray]
    mask: np.ndarray
    dem: np.ndarray
    slope: np.ndarray
    times: np.ndarray
    moments: np.ndarray
    warnings: tuple[str, ...]


def measure_slope(height_m: np.ndarray, pixel_m: float = PIXEL_M) -> np.ndarray:
    """Return the steepness in degrees, shape ``(H, W)``, float32; NaN next to a height without data."""
    south, east = np.gradient(height_m.astype(np.float32), pixel_m)
    slope: np.ndarray = np.degrees(np.arctan(np.hypot(south, east)))
    return slope.astype(np.float32)


def _moments(values: np.ndarray) -> list[float]:
    """Return count, sum and sum of squares of the finite values."""
    valid = values[np.isfinite(values)].astype(np.float64)
    return [float(valid.size), float(valid.sum()), float((valid * valid).sum())]


def read_tile_row(
    root: Path, modalities: Sequence[str], units: Units, tile_id: str
) -> TileRow | str:
    """Return a tile's row, or the reason why the tile is unusable."""
    try:
        tiles = [open_tile(tile_path(root, tile_id, name), units) for name in modalities]
        warnings = [f.text for tile in tiles for f in tile.warnings]
        warnings += [f.text for f in compare_tiles(tiles)]
    except (TileError, FileNotFoundError) as error:
        return str(error)
    first = tiles[0]
    height = np.where(first.dem == NODATA, np.nan, first.dem.astype(np.float32))
    slope = measure_slope(height)
    layers = [layer for tile in tiles for layer in np.moveaxis(tile.bands, 1, 0)]
    return TileRow(
        bands={tile.modality: tile.bands.astype(np.float16) for tile in tiles},
        mask=first.mask,
        dem=first.dem,
        slope=slope.astype(np.float16),
        times=np.stack([tile.times for tile in tiles]).astype("datetime64[s]"),
        moments=np.array([_moments(layer) for layer in (*layers, height, slope)]),
        warnings=tuple(warnings),
    )
