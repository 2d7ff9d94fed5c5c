"""One Sentinel-1 NetCDF tile: its path, its rules and warnings, its values."""

from data.tiles.compare import compare_tiles, hash_file
from data.tiles.paths import (
    TILE_ID_RULE,
    is_tile_file,
    is_tile_id,
    list_tiles,
    list_unpaired,
    tile_id_of,
    tile_path,
)
from data.tiles.rules import (
    ACQUISITIONS,
    BANDS,
    DB_RANGE,
    DEM_RANGE,
    DIMS,
    MODALITIES,
    NODATA,
    ORBITS,
    PIXEL_M,
    TILE_PX,
    TileError,
    TileWarning,
    Units,
)
from data.tiles.tile import (
    Tile,
    TileSurvey,
    guess_units,
    open_tile,
    survey_tile,
)

__all__ = [
    "ACQUISITIONS",
    "BANDS",
    "DB_RANGE",
    "DEM_RANGE",
    "DIMS",
    "MODALITIES",
    "NODATA",
    "ORBITS",
    "PIXEL_M",
    "TILE_ID_RULE",
    "TILE_PX",
    "Tile",
    "TileError",
    "TileSurvey",
    "TileWarning",
    "Units",
    "compare_tiles",
    "guess_units",
    "hash_file",
    "is_tile_file",
    "is_tile_id",
    "list_tiles",
    "list_unpaired",
    "open_tile",
    "survey_tile",
    "tile_id_of",
    "tile_path",
]
