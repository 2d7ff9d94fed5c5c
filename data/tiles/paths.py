"""Where tiles lie: the names of files and folders, and what a folder holds.

A file is ``<root>/<modality>/hokkaido_<modality>_<number>.nc``.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from data.io.errors import unknown_name
from data.tiles.rules import MODALITIES, ORBITS, TileError

logger = logging.getLogger(__name__)

_NAME = re.compile(rf"hokkaido_({'|'.join(MODALITIES)})_(\d+)\.nc")


def parse_name(path: Path) -> tuple[str, str]:
    """Read modality and number off a file's name, or raise TileError."""
    match = _NAME.fullmatch(Path(path).name)
    if match is None:
        raise TileError(
            f"A tile file must be named hokkaido_<modality>_<number>.nc, but got {path}. "
            "Give it the name it was published under.",
            "misnamed",
        )
    return match[1], match[2]


def tile_path(root: Path, tile_id: str, modality: str) -> Path:
    """Name the file of one modality of a tile."""
    if modality not in MODALITIES:
        raise ValueError(unknown_name("modality", modality, MODALITIES))
    if not re.fullmatch(r"hokkaido_\d+", tile_id):
        raise ValueError(f"A tile id must look like hokkaido_579, but got {tile_id!r}.")
    return Path(root) / modality / f"hokkaido_{modality}_{tile_id.removeprefix('hokkaido_')}.nc"


def tile_id_of(path: Path) -> str:
    """Read the tile id off a file's name."""
    return f"hokkaido_{parse_name(path)[1]}"


def list_tiles(root: Path, modalities: Sequence[str] = ORBITS) -> list[str]:
    """List the tiles that have all of the modalities.

    Args:
        root: Folder that holds one folder for each modality.
        modalities: Of :data:`MODALITIES`.

    Returns:
        Tile ids, sorted as strings. Files left out are named in a warning.

    Raises:
        FileNotFoundError: If a folder is missing or no tile has all modalities.
    """
    found = _list_folders(root, modalities)
    if not (whole := set[str].intersection(*found)):
        raise FileNotFoundError(_explain_layout(root, modalities, "no tile that has all files"))
    if unpaired := sorted(set[str].union(*found) - whole):
        names = ", ".join(modalities)
        logger.warning("Left out, without a file of each of %s: %s", names, ", ".join(unpaired))
    return sorted(whole)


def list_unpaired(root: Path, modalities: Sequence[str] = ORBITS) -> list[str]:
    """List the tiles that have some of the modalities but not all, sorted as strings."""
    found = _list_folders(root, modalities)
    return sorted(set[str].union(*found) - set[str].intersection(*found))


def _explain_layout(root: Path, modalities: Sequence[str], found: str) -> str:
    files = " and ".join(f"{name}/hokkaido_{name}_<number>.nc" for name in modalities)
    return (
        f"A tile folder must hold {files}, but got {found} in {root}. Give the folder above "
        f"{modalities[0]}/; `python -m tuning.run --data twin` works without any data."
    )


def _list_folders(root: Path, modalities: Sequence[str]) -> list[set[str]]:
    """List the tiles of each modality's folder."""
    found = []
    for modality in modalities:
        folder = tile_path(root, "hokkaido_0", modality).parent
        if not folder.is_dir():
            raise FileNotFoundError(_explain_layout(root, modalities, f"no folder {modality}/"))
        matches = {path.name: _NAME.fullmatch(path.name) for path in folder.glob("*.nc")}
        tiles = {name: f"hokkaido_{m[2]}" for name, m in matches.items() if m and m[1] == modality}
        if strange := sorted(set(matches) - set(tiles)):
            logger.warning("Left out of %s, not a tile's name: %s", folder, ", ".join(strange))
        found.append(set(tiles.values()))
    return found
