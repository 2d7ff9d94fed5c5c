"""One NetCDF tile of Sen12Landslides: names, reading, and a light look.

The one door to the files: `data.tiles.rules` says what a file must be, `data.tiles.netcdf` decodes it. A tile is one 128 x 128 px
patch with 15 acquisitions of one modality; its files lie as
``<root>/<modality>/hokkaido_<modality>_<number>.nc``.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from data.tiles import rules
from data.tiles import warnings as findings
from data.tiles.netcdf import read, reading
from data.tiles.paths import list_tiles, list_unpaired, parse_name, tile_id_of, tile_path
from data.tiles.rules import (
    ACQUISITIONS,
    BANDS,
    DB_RANGE,
    DEM_RANGE,
    DIMS,
    EVENT,
    MODALITIES,
    NODATA,
    ORBITS,
    PIXEL_M,
    SCENE_CLASS,
    TILE_PX,
    TileError,
    TileWarning,
    Units,
)

__all__ = [
    "ACQUISITIONS",
    "BANDS",
    "DB_RANGE",
    "DEM_RANGE",
    "DIMS",
    "EVENT",
    "MODALITIES",
    "NODATA",
    "ORBITS",
    "PIXEL_M",
    "TILE_PX",
    "Tile",
    "TileError",
    "TileSurvey",
    "TileWarning",
    "Units",
    "compare_tiles",
    "guess_units",
    "hash_file",
    "list_tiles",
    "list_unpaired",
    "open_tile",
    "survey_tile",
    "tile_id_of",
    "tile_path",
]


@dataclass(frozen=True)
class Tile:
    """One modality of one tile, as a map: rows run south, columns run east.

    Attributes:
        tile_id: Such as ``hokkaido_579``; all modalities share it.
        modality: ``s1asc``, ``s1dsc`` or ``s2``.
        bands: Shape ``(T, C, H, W)``, float32, in the order of :data:`BANDS`: gamma nought in dB
            of Sentinel-1, the stored reflectance numbers of Sentinel-2; NaN = no data.
        dem: Height in m, shape ``(H, W)``; -9999 = no data.
        mask: 1 = landslide, 0 = background, shape ``(H, W)``.
        times: Acquisition times in UTC, shape ``(T,)``, ascending.
        x: Easting of each column's left edge in m, shape ``(W,)``, ascending.
        y: Northing of each row's upper edge in m, shape ``(H,)``, descending.
        crs: Such as ``EPSG:32654``.
        findings: What is suspicious about the file.
    """

    tile_id: str
    modality: str
    bands: np.ndarray
    dem: np.ndarray
    mask: np.ndarray
    times: np.ndarray
    x: np.ndarray
    y: np.ndarray
    crs: str
    findings: tuple[TileWarning, ...] = ()


@dataclass(frozen=True)
class TileSurvey:
    """A tile's place and label, without its bands.

    Attributes:
        tile_id: Such as ``hokkaido_579``.
        west_m: Easting of the upper left corner.
        north_m: Northing of the upper left corner.
        annotated_px: Landslide pixels of its mask.
    """

    tile_id: str
    west_m: float
    north_m: float
    annotated_px: int


def open_tile(path: Path, units: Units = "dB") -> Tile:
    """Read and check one file.

    Args:
        path: File named ``hokkaido_<modality>_<number>.nc``.
        units: What a Sentinel-1 file holds: ``dB`` (harmonized release) or ``linear`` power (raw
            release). Sentinel-2 has no choice.

    Returns:
        The tile, Sentinel-1 in dB. Linear power of zero becomes NaN; what lies beyond [-50, 10] dB
        is set to that bound, as in the harmonized release. Sentinel-2 is NaN where SCL says no data.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file cannot be used; its ``verdict`` names the broken rule.
    """
    if units not in get_args(Units):
        raise ValueError(f"Units must be 'dB' or 'linear', but got {units!r}.")
    modality, number = parse_name(path)
    tile_id, raw = f"hokkaido_{number}", read(Path(path), modality)
    rules.check_times(raw["time"], path)
    rules.check_grid(tile_id, raw["x"], raw["y"], path)
    rules.check_mask(raw["MASK"], path)
    rules.check_heights(raw["DEM"][0], path)
    tile = Tile(
        tile_id=tile_id,
        modality=modality,
        bands=_stack_bands(raw, modality, units, path),
        dem=np.ascontiguousarray(raw["DEM"][0].T, np.int16),
        mask=np.ascontiguousarray(raw["MASK"][0].T, np.uint8),
        times=raw["time"],
        x=raw["x"],
        y=raw["y"],
        crs=rules.CRS,
    )
    return replace(tile, findings=(*raw["storage"], *_suspect(tile, raw["annotated"])))


def survey_tile(path: Path) -> TileSurvey:
    """Read a file's place and label, and none of its bands.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file cannot be read or is not laid out as published.
    """
    modality, number = parse_name(path)
    with reading(Path(path), modality) as file:
        west_m, north_m = float(file["x"][0]), float(file["y"][0])
        return TileSurvey(f"hokkaido_{number}", west_m, north_m, int((file["MASK"][0] == 1).sum()))


def guess_units(path: Path) -> Units:
    """Tell the unit of a Sentinel-1 file: dB when it has negative values.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file cannot be read or is not laid out as published.
    """
    modality, _ = parse_name(path)
    if modality not in ORBITS:
        raise ValueError(f"A file with a unit to guess must be Sentinel-1, but got {path}.")
    with reading(Path(path), modality) as file:
        for name in BANDS[modality]:
            for step in range(ACQUISITIONS):  # the first one tells, in a file in dB
                values = file[name][step]
                if ((values < 0) & (values != NODATA)).any():
                    return "dB"
    return "linear"


def compare_tiles(tiles: Sequence[Tile]) -> tuple[TileWarning, ...]:
    """Compare the modalities of one tile with the first of them.

    Args:
        tiles: The same tile in one or more modalities.

    Returns:
        What differs: ``masks-differ``, ``heights-differ``.

    Raises:
        TileError: If they do not lie on one grid (verdict ``grids-differ``).
    """
    found: list[TileWarning] = []
    for other in tiles[1:]:
        first = tiles[0]
        pair = f"{first.modality} and {other.modality}"
        if not (np.array_equal(first.x, other.x) and np.array_equal(first.y, other.y)):
            raise TileError(
                f"All files of a tile must lie on one grid, but got upper left corners at "
                f"({first.x[0]:.0f}, {first.y[0]:.0f}) and ({other.x[0]:.0f}, {other.y[0]:.0f}) in "
                f"{pair} of {first.tile_id}. Get the files again, or remove the tile.",
                "grids-differ",
            )
        if count := int((first.mask != other.mask).sum()):
            found.append(TileWarning("masks-differ", f"{count} mask pixels differ between {pair}."))
        if count := int((first.dem != other.dem).sum()):
            found.append(TileWarning("heights-differ", f"{count} heights differ between {pair}."))
    return tuple(found)


def hash_file(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stack_bands(raw: dict[str, Any], modality: str, units: Units, path: Path) -> np.ndarray:
    bands = np.empty((ACQUISITIONS, len(BANDS[modality]), TILE_PX, TILE_PX), np.float32)
    for i, name in enumerate(BANDS[modality]):
        if modality in ORBITS:
            values = rules.check_power(raw[name], name, units, path)
        else:
            values = rules.check_reflectance(raw[name], raw[SCENE_CLASS], name, path)
        bands[:, i] = values.swapaxes(-1, -2)
    return bands


def _suspect(tile: Tile, annotated: str) -> Iterator[TileWarning]:
    yield from findings.find_place(tile.tile_id, tile.x, tile.y)
    yield from findings.find_gaps(tile.bands, tile.dem, tile.times, tile.modality)
    yield from findings.find_flat(tile.bands, tile.modality)
    yield from findings.find_mask(tile.tile_id, tile.mask, annotated)
    yield from findings.find_dates(tile.times)
