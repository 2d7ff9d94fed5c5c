"""One tile's share of a pack: its modalities read, checked against each other and made ready to store."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.tiles import (
    NODATA,
    PIXEL_M,
    TileError,
    TileWarning,
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
        findings: What is suspicious, one sentence each.
    """

    bands: dict[str, np.ndarray]
    mask: np.ndarray
    dem: np.ndarray
    slope: np.ndarray
    times: np.ndarray
    moments: np.ndarray
    findings: tuple[str, ...]


def measure_slope(height_m: np.ndarray, pixel_m: float = PIXEL_M) -> np.ndarray:
    """Return the steepness in degrees, shape ``(H, W)``, float32; NaN beside a height without data."""
    south, east = np.gradient(height_m.astype(np.float32), pixel_m)
    slope: np.ndarray = np.degrees(np.arctan(np.hypot(south, east)))
    return slope.astype(np.float32)


def _moments(values: np.ndarray) -> list[float]:
    """Return count, sum and sum of squares of the finite values."""
    seen = values[np.isfinite(values)].astype(np.float64)
    return [float(seen.size), float(seen.sum()), float((seen * seen).sum())]


def _sentences(findings: Sequence[TileWarning]) -> tuple[str, ...]:
    return tuple(finding.text for finding in findings)


def read_tile_row(
    root: Path, modalities: Sequence[str], units: Units, tile_id: str
) -> TileRow | str:
    """Read the modalities of a tile, or say why it cannot be used."""
    try:
        tiles = [open_tile(tile_path(root, tile_id, name), units) for name in modalities]
        findings = (*(f for tile in tiles for f in tile.warnings), *compare_tiles(tiles))
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
        findings=_sentences(findings),
    )
