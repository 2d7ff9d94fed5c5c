"""Positions of the tiles that a campaign trained and validated on, as its ``splits.json`` has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.io.safe_json import is_number, read_json, refused_error, show_value
from data.splits import Split
from data.tiles import is_tile_id

SPLITS_FILE = "splits.json"
TILES, CORNERS = "tile_ids", "corners"  # keys beside those of `data.splits.audit`
PARTS = ("train", "val")
_FAR_M = 1e8  # beyond any coordinate of a projection in metres

Corners = Mapping[str, tuple[float, float]]


def describe_positions(split: Split) -> dict[str, list[str]]:
    """Return the ids of a split's train and val tiles, for ``splits.json``."""
    return {part: list(split.part(part)) for part in PARTS}


def read_untested(folder: Path, tested: set[str]) -> dict[str, Corners]:
    """Return west and north in m of the train and val tiles that no fold tests, by part; empty for a campaign of an earlier version.

    Args:
        folder: The report's folder.
        tested: The test tiles of all folds.

    Raises:
        ValueError: If the file lists anything but tiles and positions.
    """
    file = folder / SPLITS_FILE
    document = read_json(file) if file.is_file() else {}
    if CORNERS not in document:
        return {}
    try:
        corners = {str(tile): _check(tile, place) for tile, place in document[CORNERS].items()}
        parts: dict[str, dict[str, tuple[float, float]]] = {part: {} for part in PARTS}
        for split in document["splits"]:
            for part in PARTS:
                ids = [tile for tile in split[TILES][part] if tile not in tested]
                parts[part] |= {tile: corners[tile] for tile in ids}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        rule = f"The file must list train and val tiles with their {CORNERS}"
        raise refused_error(rule, show_value(str(error)), file) from error
    parts["val"] = {tile: at for tile, at in parts["val"].items() if tile not in parts["train"]}
    return dict(parts)


def _check(tile: str, place: Any) -> tuple[float, float]:
    valid = isinstance(place, list) and len(place) == 2 and is_tile_id(tile)
    if not valid or not all(is_number(one, -_FAR_M, _FAR_M) for one in place):
        raise ValueError(f"{show_value(place)} of {show_value(tile)}")
    return float(place[0]), float(place[1])


def stack_corners(tiles: Corners) -> np.ndarray:
    """Return corners as an array, shape ``(N, 2)``."""
    return np.array(list(tiles.values()), dtype=np.float64).reshape(-1, 2)
