"""One tile as a row of a pack: its modalities are read, checked against each other and converted."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.io.read_file import try_patiently
from data.tiles import (
    NODATA,
    PIXEL_M,
    Tile,
    TileError,
    Units,
    compare_tiles,
    open_tile,
    tile_path,
)
from data.tiles.events import NO_EVENT
from data.tiles.netcdf import read_tile_file

_WEIGHTS = np.array([1, 2, 3, 2, 1], np.float32) / 9  # two averages over 3 px
_REACH = 2  # px on each side
SLOPE_REACH_PX = _REACH + 1  # heights within this distance change a pixel's slope


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
        event: Time of the event from the files' ``event_date``, datetime64[s]; NaT without one.
        corner: West and north of the upper left corner in m, shape ``(2,)``, float64.
        crs: Such as ``EPSG:32654``.
        synthetic: Whether the files are the synthetic twin's.
        warnings: What is suspicious, one sentence each.
    """

    bands: dict[str, np.ndarray]
    mask: np.ndarray
    dem: np.ndarray
    slope: np.ndarray
    times: np.ndarray
    moments: np.ndarray
    event: np.datetime64
    corner: np.ndarray
    crs: str
    synthetic: bool
    warnings: tuple[str, ...]


def measure_slope(height_m: np.ndarray, pixel_m: float = PIXEL_M) -> np.ndarray:
    """Return the steepness of :func:`smooth_heights` in degrees.

    Published heights are a 30 m model, rounded to metres and repeated on the 10 m grid, so that 57 to 74 % of neighbours
    are equal. Where hills have a mean slope of 20 degrees, the gradient of those steps is off by 9 to 11 degrees (root
    mean square). After smoothing it differs from the true slope at 30 m by 0.4 degrees if the model's cells are whole
    squares of the grid, and by 1.8 degrees if they are arc seconds (`tests/data/pack/test_tile_row_slope.py`).

    Args:
        height_m: Height in m, shape ``(H, W)``; NaN = no data.
        pixel_m: Size of a pixel in m.

    Returns:
        Shape ``(H, W)``, float32; NaN next to a height without data.
    """
    slope: np.ndarray = np.degrees(np.arctan(np.hypot(*measure_rise(height_m, pixel_m))))
    return slope.astype(np.float32)


def measure_rise(height_m: np.ndarray, pixel_m: float = PIXEL_M) -> tuple[np.ndarray, np.ndarray]:
    """Return how much :func:`smooth_heights` rise down the rows and along the columns, in m per m; shapes as above."""
    down, along = np.gradient(smooth_heights(height_m), pixel_m)
    gaps = np.isnan(height_m) | np.isnan(sum(np.gradient(height_m.astype(np.float32))))
    down[gaps] = along[gaps] = np.nan
    return down, along


def smooth_heights(height_m: np.ndarray) -> np.ndarray:
    """Average heights of a 30 m model on a 10 m grid twice over 3 x 3 px, which turns its steps into slopes.

    Args:
        height_m: Height in m, shape ``(H, W)``; NaN = no data, which has no weight.

    Returns:
        Shape ``(H, W)``, float32; a plane stays as it is, up to the edges.
    """
    # A plane is continued beyond the edges: each pixel outside mirrors one inside through the edge's own height.
    padded = np.pad(height_m.astype(np.float32), _REACH, mode="reflect", reflect_type="odd")
    known = np.isfinite(padded)
    total = _convolve(np.where(known, padded, np.float32(0)))
    with np.errstate(invalid="ignore"):  # 0 / 0 far from any height
        smooth: np.ndarray = total / _convolve(known.astype(np.float32))
    return smooth


def _convolve(values: np.ndarray) -> np.ndarray:
    """Weight rows, then columns, by 1, 2, 3, 2, 1 ninths; the result is smaller by ``_REACH`` on each side."""
    height, width = (size - 2 * _REACH for size in values.shape)
    rows = sum(weight * values[at : at + height] for at, weight in enumerate(_WEIGHTS))
    smooth: np.ndarray = sum(w * rows[:, at : at + width] for at, w in enumerate(_WEIGHTS))
    return smooth


def _moments(values: np.ndarray) -> list[float]:
    """Return count, sum and sum of squares of the finite values."""
    valid = values[np.isfinite(values)].astype(np.float64)
    return [float(valid.size), float(valid.sum()), float((valid * valid).sum())]


Content = bytes | TileError | FileNotFoundError  # of a file, or what is the matter with it


@dataclass(frozen=True)
class TileRequest:
    """The tiles to pack, and how to read them.

    Attributes:
        root: Data folder with a subfolder per modality.
        modalities: Modalities to read.
        units: Unit of the files' backscatter.
        tile_ids: The tiles.
        version: Version of the rows' layout.
    """

    root: Path
    modalities: tuple[str, ...]
    units: Units
    tile_ids: tuple[str, ...]
    version: int

    def hash_tiles(self, threads: int) -> dict[str, str]:
        """Return the hash of everything that determines a tile's row, by id.

        Raises:
            TransientError: If an error of the moment stays.
        """
        with ThreadPoolExecutor(threads) as pool:  # hashing releases the GIL
            digests = pool.map(lambda tile: self._hash(self._read(tile)), self.tile_ids)
            return dict(zip(self.tile_ids, digests, strict=True))

    def read(self, tile_id: str) -> tuple[str, TileRow | str]:
        """Read a tile's files once.

        Returns:
            Their hash; and the tile's row, or the reason why the tile is unusable.

        Raises:
            TransientError: If an error of the moment stays.
        """
        contents = self._read(tile_id)
        what = f"The tile {tile_id} of {self.root}"  # there may be too little memory for its values
        row = try_patiently(lambda: self._make_row(tile_id, contents), what)
        return self._hash(contents), row

    def _read(self, tile_id: str) -> list[Content]:
        contents: list[Content] = []
        for modality in self.modalities:
            try:
                contents.append(read_tile_file(tile_path(self.root, tile_id, modality)))
            except (TileError, FileNotFoundError) as error:
                contents.append(error)
        return contents

    def _hash(self, contents: Sequence[Content]) -> str:
        files = [
            hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else "unreadable"
            for content in contents
        ]
        text = json.dumps([self.version, self.units, self.modalities, files])
        return hashlib.sha256(text.encode()).hexdigest()

    def _open(self, tile_id: str, contents: Sequence[Content]) -> list[Tile]:
        tiles = []
        for modality, content in zip(self.modalities, contents, strict=True):
            if not isinstance(content, bytes):
                raise content
            path = tile_path(self.root, tile_id, modality)
            tiles.append(open_tile(path, self.units, content))
        return tiles

    def _make_row(self, tile_id: str, contents: Sequence[Content]) -> TileRow | str:
        try:
            tiles = self._open(tile_id, contents)
            warnings = [f.text for tile in tiles for f in tile.warnings]
            warnings += [f.text for f in compare_tiles(tiles)]
        except (TileError, FileNotFoundError) as error:
            return str(error)
        return _make_row(tiles, warnings)


def _make_row(tiles: Sequence[Tile], warnings: Sequence[str]) -> TileRow:
    first, own = tiles[0], [tile.event for tile in tiles if tile.event is not None]
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
        event=own[0].astype("datetime64[s]") if own else NO_EVENT,
        corner=np.array([first.x[0], first.y[0]], np.float64),
        crs=first.crs,
        synthetic=first.synthetic,
        warnings=tuple(warnings),
    )
