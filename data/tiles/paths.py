"""Names of tile ids, files and folders, and lists of the tiles in a folder.

A tile id is ``hokkaido_<number>``; a tile's file is ``<root>/<modality>/hokkaido_<modality>_<number>.nc``.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from data.io.errors import unknown_name
from data.tiles.rules import MODALITIES, ORBITS, TileError

logger = logging.getLogger(__name__)

_TILE_ID = re.compile(r"hokkaido_([0-9]{1,9})")
_FILE_NAME = re.compile(rf"hokkaido_({'|'.join(MODALITIES)})_([0-9]{{1,9}})\.nc")
TILE_ID_RULE = "A tile id must look like hokkaido_579"


def is_tile_id(value: object) -> bool:
    """Return whether a value is a tile id, such as ``hokkaido_579``."""
    return isinstance(value, str) and _TILE_ID.fullmatch(value) is not None


def is_tile_file(name: str, modality: str) -> bool:
    """Return whether a file name, without folders, is that of a tile of this modality."""
    match = _FILE_NAME.fullmatch(name)
    return match is not None and match[1] == modality


def parse_tile_path(path: Path) -> tuple[str, str]:
    """Return the modality and the tile id that a file's name stands for.

    Raises:
        TileError: If it is no tile's file name.
    """
    match = _FILE_NAME.fullmatch(Path(path).name)
    if match is None:
        raise TileError(
            f"A tile file must be named hokkaido_<modality>_<number>.nc, but got {path}. "
            "Restore its published name.",
            "misnamed",
        )
    return match[1], f"hokkaido_{match[2]}"


def tile_id_of(path: Path) -> str:
    """Return the tile id in a file's name; raise TileError if it is no tile's file name."""
    return parse_tile_path(path)[1]


def tile_number(tile_id: str) -> int:
    """Return the number in a tile id."""
    return int(tile_id.removeprefix("hokkaido_"))


def tile_path(root: Path, tile_id: str, modality: str) -> Path:
    """Return the path of a tile's file in one modality.

    Raises:
        ValueError: If the modality is unknown or the tile id malformed.
    """
    if modality not in MODALITIES:
        raise ValueError(unknown_name("modality", modality, MODALITIES))
    if not (match := _TILE_ID.fullmatch(tile_id)):
        raise ValueError(f"{TILE_ID_RULE}, but got {tile_id!r}.")
    return Path(root) / modality / f"hokkaido_{modality}_{match[1]}.nc"


def list_tiles(root: Path, modalities: Sequence[str] = ORBITS) -> list[str]:
    """List the tiles that have a file in each of the modalities.

    Args:
        root: Folder with one subfolder per modality.
        modalities: Of :data:`MODALITIES`.

    Returns:
        Tile ids, sorted as strings. Incomplete tiles are skipped with a warning.

    Raises:
        FileNotFoundError: If a subfolder is missing or no tile is complete.
    """
    ids = _list_subfolders(root, modalities)
    if not (complete := set[str].intersection(*ids)):
        raise FileNotFoundError(_layout_error(root, modalities, "no tile that has all files"))
    if unpaired := sorted(set[str].union(*ids) - complete):
        names = ", ".join(modalities)
        logger.warning("Skipped tiles without a file in each of %s: %s", names, ", ".join(unpaired))
    return sorted(complete)


def list_unpaired(root: Path, modalities: Sequence[str] = ORBITS) -> list[str]:
    """List the tiles that have files in some of the modalities but not in all, sorted as strings."""
    ids = _list_subfolders(root, modalities)
    return sorted(set[str].union(*ids) - set[str].intersection(*ids))


def _layout_error(root: Path, modalities: Sequence[str], got: str) -> str:
    files = " and ".join(f"{name}/hokkaido_{name}_<number>.nc" for name in modalities)
    return (
        f"A tile folder must hold {files}, but got {got} in {root}. Choose the folder above "
        f"{modalities[0]}/, or run `python -m tuning.run --data twin`, which needs no data."
    )


def _list_subfolders(root: Path, modalities: Sequence[str]) -> list[set[str]]:
    """Return the ids of the tiles in each modality's subfolder."""
    ids = []
    for modality in modalities:
        folder = tile_path(root, "hokkaido_0", modality).parent
        if not folder.is_dir():
            raise FileNotFoundError(_layout_error(root, modalities, f"no folder {modality}/"))
        names = {path.name for path in folder.glob("*.nc")}
        tiles = {name for name in names if is_tile_file(name, modality)}
        if others := sorted(names - tiles):
            logger.warning(
                "Skipped files in %s that are not named like tiles: %s", folder, ", ".join(others)
            )
        ids.append({tile_id_of(Path(name)) for name in tiles})
    return ids
