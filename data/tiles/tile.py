"""Read one NetCDF tile of Sen12Landslides: 128 x 128 px, 15 acquisitions, one modality.

`data.tiles.rules` defines what a file must be, `data.tiles.netcdf` decodes it, `data.tiles.warnings` lists what is
suspicious about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from data.tiles.corner import find_corner_warnings, move_to_corners
from data.tiles.events import read_event_date
from data.tiles.netcdf import (
    SYNTHETIC,
    find_transform,
    open_netcdf,
    read_attribute,
    read_netcdf,
    read_values,
)
from data.tiles.paths import parse_tile_path, region_of
from data.tiles.rules import (
    BANDS,
    ORBITS,
    TileWarning,
    Units,
    check_dem,
    check_grid,
    check_repeats,
    check_tile_mask,
    check_times,
)
from data.tiles.values import (
    check_whole,
    convert_heights,
    measure_bright_share,
    settle_tile_units,
    stack_bands,
)
from data.tiles.warnings import (
    find_bright_warnings,
    find_date_warnings,
    find_fill_warnings,
    find_flat_bands,
    find_gap_warnings,
    find_mask_warnings,
    find_position_warnings,
    find_region_warnings,
    find_repeat_warnings,
    find_track_warnings,
    known_event,
)
from data.values.tally import Tally


@dataclass(frozen=True)
class Tile:
    """One modality of one tile, north up: rows run south, columns run east.

    Attributes:
        tile_id: Such as ``hokkaido_579``; the same in all modalities.
        modality: ``s1asc``, ``s1dsc`` or ``s2``.
        bands: Shape ``(T, C, H, W)``, float32, in the order of :data:`BANDS`: Sentinel-1 as gamma nought in dB,
            Sentinel-2 as stored reflectance numbers; NaN = no data.
        dem: Height in m, shape ``(H, W)``; -9999 = no data.
        mask: 1 = landslide, 0 = background, shape ``(H, W)``.
        times: Acquisition times in UTC, shape ``(T,)``, ascending.
        x: Easting of each column's left edge in m, shape ``(W,)``, ascending.
        y: Northing of each row's upper edge in m, shape ``(H,)``, descending.
        crs: Such as ``EPSG:32654``.
        event: Time of the event in UTC from the file's ``event_date``; None without one, as on tiles without
            landslides.
        synthetic: Whether the file is the synthetic twin's, which its attribute ``synthetic`` says.
        warnings: What is suspicious about the file.
        tallies: What was counted on reading, for each band of Sentinel-1.
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
    event: np.datetime64 | None = None
    synthetic: bool = False
    warnings: tuple[TileWarning, ...] = ()
    tallies: tuple[Tally, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class TileSurvey:
    """A tile's position and label, without its bands.

    Attributes:
        tile_id: Such as ``hokkaido_579``.
        west_m: Easting of the upper left corner.
        north_m: Northing of the upper left corner.
        annotated_px: Landslide pixels of its mask.
        crs: Such as ``EPSG:32654``.
        event: Time of the event in UTC from the file's ``event_date``; None without one.
        synthetic: Whether the file is the synthetic twin's.
    """

    tile_id: str
    west_m: float
    north_m: float
    annotated_px: int
    crs: str
    event: np.datetime64 | None = None
    synthetic: bool = False

    @property
    def region(self) -> str:
        """The tile's region, such as ``hokkaido``."""
        return region_of(self.tile_id)


def open_tile(path: Path, units: Units = "dB", content: bytes | None = None) -> Tile:
    """Read and check one file.

    Args:
        path: File named ``<region>_<modality>_<number>.nc``.
        units: Unit of a Sentinel-1 file: ``dB`` (harmonized release) or ``linear`` power (raw release). Ignored for
            Sentinel-2.
        content: The file's bytes, if they have been read.

    Returns:
        The tile, with Sentinel-1 in dB. What `data.values.backscatter` finds to be no data becomes NaN; values outside
        [-50, 0] dB are clipped, as in the harmonized release. Sentinel-2 is NaN where the scene classification (SCL) is "no data".

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file is unusable; its ``verdict`` names the broken rule.
        TransientError: If an error of the moment, such as of the disk or the memory, stays.
    """
    if units not in get_args(Units):
        raise ValueError(f"Units must be 'dB' or 'linear', but got {units!r}.")
    modality, tile_id = parse_tile_path(path)
    raw = read_netcdf(Path(path), modality, content)
    attributes: dict[str, str] = raw["attributes"]
    check_times(raw["time"], path, repeats=True)
    check_repeats(raw["time"], {name: raw[name] for name in BANDS[modality]}, path)
    check_grid(tile_id, raw["x"], raw["y"], path)
    x, y, corner = move_to_corners(raw["x"], raw["y"], raw["transform"], path)
    check_whole("MASK", raw["MASK"], path)
    check_tile_mask(raw["MASK"], path)
    dem = convert_heights(raw["DEM"][0])
    check_dem(dem, path)
    bands, tallies = stack_bands(raw, modality, units, path)
    tile = Tile(
        tile_id=tile_id,
        modality=modality,
        bands=bands,
        dem=np.ascontiguousarray(dem.T, np.int16),
        mask=np.ascontiguousarray(raw["MASK"][0].T, np.uint8),
        times=raw["time"],
        x=x,
        y=y,
        crs=attributes["crs"],
        event=read_event_date(attributes["event_date"], region_of(tile_id)),
        synthetic=bool(attributes[SYNTHETIC]),
        tallies=tallies,
    )
    warnings = (
        *raw["storage_warnings"],
        *find_corner_warnings(corner),
        *_warn(tile, attributes),
        *_warn_bright(raw, modality, units),
    )
    return replace(tile, warnings=warnings)


def survey_tile(path: Path) -> TileSurvey:
    """Read a file's position and label without its bands.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file is unreadable or its layout is not the published one.
    """
    modality, tile_id = parse_tile_path(path)
    with open_netcdf(Path(path), modality) as file:
        x, y, _ = move_to_corners(
            read_values(file["x"]), read_values(file["y"]), find_transform(file), path
        )
        return TileSurvey(
            tile_id=tile_id,
            west_m=float(x[0]),
            north_m=float(y[0]),
            annotated_px=int((read_values(file["MASK"], 0) == 1).sum()),
            crs=read_attribute(file, "crs"),
            event=read_event_date(read_attribute(file, "event_date"), region_of(tile_id)),
            synthetic=bool(read_attribute(file, SYNTHETIC)),
        )


def guess_units(path: Path) -> Units:
    """Return the unit of a Sentinel-1 file, from the distribution of its values.

    Raises:
        FileNotFoundError: If there is no such file.
        TileError: If the file is unreadable or its layout is not the published one, or if its values leave a doubt.
    """
    modality, _ = parse_tile_path(path)
    if modality not in ORBITS:
        raise ValueError(f"Units can be guessed for Sentinel-1 files only, but got {path}.")
    with open_netcdf(Path(path), modality) as file:
        bands = {name: read_values(file[name]) for name in BANDS[modality]}
    return settle_tile_units(bands, None, path)


def _warn(tile: Tile, attributes: Mapping[str, str]) -> list[TileWarning]:
    event = tile.event or known_event(tile.tile_id)
    return [
        *find_position_warnings(tile.tile_id, tile.x, tile.y),
        *find_gap_warnings(tile.bands, tile.dem, tile.times, tile.modality),
        *find_fill_warnings(tile.tallies, tile.times),
        *find_flat_bands(tile.bands, tile.modality),
        *find_mask_warnings(tile.tile_id, tile.mask, attributes["annotated"]),
        *find_region_warnings(tile.tile_id, tile.crs, attributes["event_date"]),
        *find_date_warnings(tile.times, event),
        *find_repeat_warnings(tile.times),
        *find_track_warnings(tile.times, tile.modality, event),
    ]


def _warn_bright(raw: Mapping[str, Any], modality: str, units: Units) -> list[TileWarning]:
    names = BANDS[modality] if modality in ORBITS else ()
    return [*find_bright_warnings({name: measure_bright_share(raw[name], units) for name in names})]
