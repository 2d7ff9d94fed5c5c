"""One tile's share of a pack: both orbits read, checked against each other and stacked into channels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.tiles import ORBITS, POLARISATIONS, TileError, Units, open_tile, tile_path

SAR_CHANNELS = tuple(
    f"{orbit}:{polarisation}" for orbit in ORBITS for polarisation in POLARISATIONS
)
CHANNELS = (*SAR_CHANNELS, "DEM")


@dataclass(frozen=True)
class TileRow:
    """A tile as the pack stores it; shapes as in :class:`data.pack.Pack`, without N.

    Attributes:
        x: Backscatter in dB, shape ``(T, C, H, W)``, float16.
        mask: Shape ``(H, W)``, uint8.
        dem: Shape ``(H, W)``, int16.
        times: Shape ``(orbits, T)``.
        moments: Shape ``(C + 1, 3)``.
        warning: What differs between the orbits, empty where nothing does.
    """

    x: np.ndarray
    mask: np.ndarray
    dem: np.ndarray
    times: np.ndarray
    moments: np.ndarray
    warning: str = ""


def _moments(values: np.ndarray) -> list[float]:
    seen = values[np.isfinite(values)].astype(np.float64)
    return [float(seen.size), float(seen.sum()), float((seen * seen).sum())]


def read_row(root: Path, units: Units, tile_id: str) -> TileRow | str:
    """Read both orbits of a tile, or say why it cannot be used."""
    try:
        tiles = [open_tile(tile_path(root, tile_id, orbit), units) for orbit in ORBITS]
    except TileError as error:
        return str(error)
    first, second = tiles
    if not (np.array_equal(first.x, second.x) and np.array_equal(first.y, second.y)):
        return (
            f"Both orbits of a tile must lie on one grid, but {tile_id} starts at "
            f"({first.x[0]:.0f}, {first.y[0]:.0f}) in {ORBITS[0]} and at "
            f"({second.x[0]:.0f}, {second.y[0]:.0f}) in {ORBITS[1]}. Get both files again."
        )
    x = np.concatenate([tile.backscatter for tile in tiles], axis=1)
    layers = [*np.moveaxis(x, 1, 0), first.dem.astype(np.float32)]
    differing = int((first.mask != second.mask).sum())
    return TileRow(
        x=x.astype(np.float16),
        mask=first.mask,
        dem=first.dem,
        times=np.stack([tile.times for tile in tiles]).astype("datetime64[s]"),
        moments=np.array([_moments(layer) for layer in layers]),
        warning=f"{differing} mask pixels differ between its orbits" if differing else "",
    )
