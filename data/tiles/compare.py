"""Compare the files of one tile with each other, and a file with its hash."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.tiles.rules import TileError, TileWarning
from data.tiles.tile import Tile


def compare_tiles(tiles: Sequence[Tile]) -> tuple[TileWarning, ...]:
    """Compare the modalities of one tile with the first of them.

    Args:
        tiles: The same tile in one or more modalities.

    Returns:
        Warnings ``masks-differ``, ``heights-differ`` and ``events-differ``.

    Raises:
        TileError: If their grids differ (verdict ``grids-differ``), or one is synthetic and another real
            (``mixed-origin``).
    """
    warnings: list[TileWarning] = []
    for other in tiles[1:]:
        first = tiles[0]
        pair = f"{first.modality} and {other.modality}"
        if first.synthetic != other.synthetic:
            raise TileError(
                f"All files of a tile must be real, or all synthetic, but got one of each in {pair} of "
                f"{first.tile_id}. Keep the synthetic twin in a folder of its own.",
                "mixed-origin",
            )
        if first.event != other.event:
            text = f"The event dates differ between {pair}: {first.event} and {other.event}."
            warnings.append(TileWarning("events-differ", text))
        if first.crs != other.crs or not (
            np.array_equal(first.x, other.x) and np.array_equal(first.y, other.y)
        ):
            raise TileError(
                f"All files of a tile must have the same grid, but got upper left corners at "
                f"({first.x[0]:.0f}, {first.y[0]:.0f}) {first.crs} and "
                f"({other.x[0]:.0f}, {other.y[0]:.0f}) {other.crs} in {pair} of {first.tile_id}. Get the files again, or remove the tile.",
                "grids-differ",
            )
        if count := int((first.mask != other.mask).sum()):
            text = f"{count} mask pixels differ between {pair}."
            warnings.append(TileWarning("masks-differ", text))
        if count := int((first.dem != other.dem).sum()):
            text = f"{count} heights differ between {pair}."
            warnings.append(TileWarning("heights-differ", text))
    return tuple(warnings)


def hash_file(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
