"""One Sentinel-1 NetCDF tile: its path, its rules and warnings, its values."""

from data.tiles.paths import list_tiles, list_unpaired, tile_id_of, tile_path
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
    TILE_PX,
    Finding,
    TileError,
    Units,
)
from data.tiles.tile import Survey, Tile, compare_tiles, guess_units, hash_file, open_tile, survey

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
    "Finding",
    "Survey",
    "Tile",
    "TileError",
    "Units",
    "compare_tiles",
    "guess_units",
    "hash_file",
    "list_tiles",
    "list_unpaired",
    "open_tile",
    "survey",
    "tile_id_of",
    "tile_path",
]
