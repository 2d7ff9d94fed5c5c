"""Names of tile ids, files and folders, and lists of the tiles in a folder.

A tile id is ``<region>_<number>``, such as ``hokkaido_579`` or ``usa_puertorico_12``; a tile's file is
``<root>/<modality>/<region>_<modality>_<number>.nc``.
"""

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from data.io.errors import list_first, unknown_name
from data.tiles.rules import MODALITIES, ORBITS, TileError

logger = logging.getLogger(__name__)

_REGION = r"([a-z][a-z0-9]*(?:_[a-z0-9]+)*?)"
_TILE_ID = re.compile(rf"{_REGION}_([0-9]{{1,9}})")
_FILE_NAME = re.compile(rf"{_REGION}_({'|'.join(MODALITIES)})_([0-9]{{1,9}})\.nc")
TILE_ID_RULE = "A tile id must look like hokkaido_579"
_SHOWN = 5  # names in a message


def is_tile_id(value: object) -> bool:
    """Return whether a value is a tile id, such as ``hokkaido_579``."""
    return isinstance(value, str) and _TILE_ID.fullmatch(value) is not None


def is_region(value: object) -> bool:
    """Return whether a value has the form of a region's name, such as ``usa_puertorico``."""
    return isinstance(value, str) and is_tile_id(f"{value}_1")


def is_tile_file(name: str, modality: str) -> bool:
    """Return whether a file name, without folders, is that of a tile of this modality."""
    match = _FILE_NAME.fullmatch(name)
    return match is not None and match[2] == modality


def parse_tile_path(path: Path) -> tuple[str, str]:
    """Return the modality and the tile id that a file's name stands for.

    Raises:
        TileError: If it is no tile's file name.
    """
    match = _FILE_NAME.fullmatch(Path(path).name)
    if match is None:
        raise TileError(
            f"A tile file must be named <region>_<modality>_<number>.nc, but got {path}. "
            "Restore its published name.",
            "misnamed",
        )
    return match[2], f"{match[1]}_{match[3]}"


def tile_id_of(path: Path) -> str:
    """Return the tile id in a file's name; raise TileError if it is no tile's file name."""
    return parse_tile_path(path)[1]


def region_of(tile_id: str) -> str:
    """Return the region in a tile id, such as ``hokkaido``; raise ValueError if it is none."""
    return _match(tile_id)[1]


def region_of_file(path: Path | str) -> str:
    """Return the region in a tile file's name; raise TileError if it is no tile's file name."""
    return region_of(tile_id_of(Path(path)))


def _match(tile_id: str) -> re.Match[str]:
    if not (match := _TILE_ID.fullmatch(tile_id)):
        raise ValueError(f"{TILE_ID_RULE}, but got {tile_id!r}.")
    return match


def tile_path(root: Path, tile_id: str, modality: str) -> Path:
    """Return the path of a tile's file in one modality.

    Raises:
        ValueError: If the modality is unknown or the tile id malformed.
    """
    if modality not in MODALITIES:
        raise ValueError(unknown_name("modality", modality, MODALITIES))
    region, number = _match(tile_id).groups()
    return Path(root) / modality / f"{region}_{modality}_{number}.nc"


def list_tiles(
    root: Path, modalities: Sequence[str] = ORBITS, regions: Collection[str] | None = None
) -> list[str]:
    """List the tiles that have a file in each of the modalities.

    Args:
        root: Folder with one subfolder per modality.
        modalities: Of :data:`MODALITIES`.
        regions: Regions to list; all if None.

    Returns:
        Tile ids, sorted as strings. Incomplete tiles are skipped with a warning.

    Raises:
        FileNotFoundError: If a subfolder is missing or no tile is complete.
    """
    ids = _list_subfolders(root, modalities, regions)
    if not (complete := set[str].intersection(*ids)):
        got = "no tile that has all files"
        if regions is not None and (found := list_regions(root)):
            got = f"no tile of {', '.join(sorted(regions))} (it has {', '.join(found)})"
        raise FileNotFoundError(_layout_error(root, modalities, got))
    if unpaired := set[str].union(*ids) - complete:
        names = ", ".join(modalities)
        logger.warning("Skipped tiles without a file in each of %s: %s.", names, _shorten(unpaired))
    return sorted(complete)


def list_unpaired(
    root: Path, modalities: Sequence[str] = ORBITS, regions: Collection[str] | None = None
) -> list[str]:
    """List the tiles that have files in some of the modalities but not in all, sorted as strings."""
    ids = _list_subfolders(root, modalities, regions)
    return sorted(set[str].union(*ids) - set[str].intersection(*ids))


def list_regions(root: Path) -> dict[str, int]:
    """Return the number of tiles of each region with a file in any modality, sorted by name."""
    present = [modality for modality in MODALITIES if (Path(root) / modality).is_dir()]
    tiles = set[str]().union(*_list_subfolders(root, present)) if present else set()
    return dict(sorted(Counter(map(region_of, tiles)).items()))


def _shorten(names: Iterable[str]) -> str:
    """List names, sorted; of many only the first and the count."""
    first = sorted(names)
    if len(first) <= 2 * _SHOWN:
        return ", ".join(first)
    return list_first(first, _SHOWN)


def _layout_error(root: Path, modalities: Sequence[str], got: str) -> str:
    files = " and ".join(f"{name}/<region>_{name}_<number>.nc" for name in modalities)
    return (
        f"A tile folder must hold {files}, but got {got} in {root}. Choose the folder above "
        f"{modalities[0]}/, or run `python -m tuning.run --data twin`, which needs no data."
    )


def _list_subfolders(
    root: Path, modalities: Sequence[str], regions: Collection[str] | None = None
) -> list[set[str]]:
    """Return the ids of the tiles in each modality's subfolder."""
    ids = []
    for modality in modalities:
        folder = Path(root) / modality
        if not folder.is_dir():
            raise FileNotFoundError(_layout_error(root, modalities, f"no folder {modality}/"))
        names = {path.name for path in folder.glob("*.nc")}
        tiles = {name for name in names if is_tile_file(name, modality)}
        if others := names - tiles:
            logger.warning(
                "Skipped files in %s that are not named like tiles: %s.", folder, _shorten(others)
            )
        found = {tile_id_of(Path(name)) for name in tiles}
        ids.append({t for t in found if regions is None or region_of(t) in regions})
    return ids
