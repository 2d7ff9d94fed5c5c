"""Checksums of a pack, so that no damaged value is trained on or copied into another pack.

The manifest has a CRC-32 (as zip files and ext4 have) of each array of each tile, and one of itself. They find damage by
disks, power cuts and interrupted copies; they are no protection against intent. ``benchmarks/check_pack.py`` measures
how long a check takes.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from data.io.errors import list_first
from data.io.processes import count_cpus
from data.io.safe_json import is_string_map
from data.io.seals import sum_bytes
from data.pack.pack import Pack
from data.pack.tile_row import TileRow

FACTS = "facts"  # checksum of a tile's times, moments, event and position
REMEDY = "Delete the pack's folder; the next run builds it again."
_SHOWN = 5  # damaged tiles in a message


class DamagedPackError(ValueError):
    """The values of a pack are not those that were written.

    Attributes:
        tiles: The damaged arrays by tile.
    """

    def __init__(self, message: str, tiles: Mapping[str, Sequence[str]]) -> None:
        super().__init__(message)
        self.tiles = tiles


def sum_row(row: TileRow) -> dict[str, str]:
    """Return the checksum of each of a tile's arrays, by its name in the pack."""
    arrays = {**row.bands, "mask": row.mask, "dem": row.dem, "slope": row.slope}
    sums = {name: sum_bytes([_bytes_of(values)]) for name, values in arrays.items()}
    facts = (row.times, row.moments, np.asarray(row.event), row.corner)
    text = f"{row.crs} {row.synthetic}".encode()
    return sums | {FACTS: sum_bytes([*map(_bytes_of, facts), text])}


def _bytes_of(values: np.ndarray) -> memoryview:
    flat: np.ndarray = np.ascontiguousarray(values).reshape(-1)
    return flat.view(np.uint8).data


def is_sums(content: object) -> bool:
    """Return whether parsed JSON is a text by name by tile."""
    return isinstance(content, dict) and all(map(is_string_map, content.values()))


def find_damage(pack: Pack, tile_ids: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Return the names of the arrays whose values are not those that were written, by tile.

    Args:
        pack: The pack.
        tile_ids: The tiles to check; all if None.
    """

    def check(tile: str) -> list[str]:
        found, written = sum_row(pack.tile_row(tile)), pack.sums.get(tile, {})
        return [name for name in found if found[name] != written.get(name)]

    chosen = pack.tile_ids if tile_ids is None else tile_ids
    with ThreadPoolExecutor(count_cpus()) as pool:  # the sums release the GIL
        damage = dict(zip(chosen, pool.map(check, chosen), strict=True))
    return {tile: names for tile, names in damage.items() if names}


def check_pack(pack: Pack) -> Pack:
    """Return a pack after a check of every value; 0.5 s for 600 MB.

    Raises:
        DamagedPackError: If values are not those that were written.
    """
    if damage := find_damage(pack):
        named = [f"{tile} ({', '.join(names)})" for tile, names in damage.items()]
        raise DamagedPackError(
            f"A pack's values must be those that were written, but {len(damage)} of {len(pack.tile_ids)} tiles "
            f"are damaged in {pack.path}: {list_first(named, _SHOWN)}. {REMEDY} Check the disk.",
            damage,
        )
    return pack
