"""Which tiles train, validate and test: named splits, their hash, and the audit of their borders."""

import hashlib
import json
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from data.catalogue import read_catalogue
from data.names import unknown

PARTS = ("train", "val", "test")
SPLITS = ("blocks", "seed42", "s12ls-ld")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Split:
    """Tile ids by part, with the tiles that the data has and no part uses.

    Attributes:
        name: Name under which the split was asked for.
        train: Sorted ids that fit weights and normalisation.
        val: Sorted ids that choose epoch, threshold and hyperparameters.
        test: Sorted ids that are read once per repeat trial.
        unused: Ids present in the data that belong to no part.
        missing: Ids of the full split that the data lacks.
    """

    name: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    unused: tuple[str, ...] = field(default=())
    missing: tuple[str, ...] = field(default=())

    @property
    def hash(self) -> str:
        """Twelve hex digits of the parts' contents, whatever the split is called."""
        parts = {part: list(self.part(part)) for part in PARTS}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    def part(self, name: str) -> tuple[str, ...]:
        """Return the ids of the part *name* (``train``, ``val`` or ``test``)."""
        if name not in PARTS:
            raise ValueError(unknown("part", name, PARTS))
        ids: tuple[str, ...] = getattr(self, name)
        return ids


def _seed42() -> dict[str, list[str]]:
    """Shuffle the sorted ids as the published study does: 80 % train, 10 % val, rest test."""
    ids = sorted(read_catalogue())
    random.Random(42).shuffle(ids)
    train, val = int(0.8 * len(ids)), int(0.1 * len(ids))
    return {"train": ids[:train], "val": ids[train : train + val], "test": ids[train + val :]}


def _official() -> dict[str, list[str]]:
    tiles = read_catalogue().values()
    return {part: [tile.tile_id for tile in tiles if tile.official == part] for part in PARTS}


def _blocks() -> dict[str, list[str]]:
    """Read the spatial blocks: test in the north-west, val the belt between it and train."""
    parts: dict[str, list[str]] = json.loads((_HERE / "split_blocks.json").read_text())
    return parts


def make_split(name: str, available: Collection[str] | None = None) -> Split:
    """Make a named split of the tiles that are available.

    Args:
        name: ``blocks`` (no test tile touches a train tile by edge or corner), ``seed42`` (the
            published study's random split) or ``s12ls-ld`` (the data set's official split).
        available: Tile ids of the data at hand; all 290 when left out.

    Returns:
        The split, restricted to *available*, with what is unused or missing by name.

    Raises:
        ValueError: If the name is unknown, or a part would hold no tile.
    """
    if name not in SPLITS:
        raise ValueError(unknown("split", name, SPLITS))
    full = {"blocks": _blocks, "seed42": _seed42, "s12ls-ld": _official}[name]()
    here = set(read_catalogue() if available is None else available)
    parts = {part: tuple(sorted(here.intersection(ids))) for part, ids in full.items()}
    for part, ids in parts.items():
        if not ids:
            raise ValueError(
                f"Every part of a split needs a tile, but none of the {len(full[part])} {part} "
                f"tiles of split {name!r} is among the {len(here)} tiles at hand. "
                "Choose another split or add tiles."
            )
    listed = {tile for ids in full.values() for tile in ids}
    return Split(
        name, **parts, unused=tuple(sorted(here - listed)), missing=tuple(sorted(listed - here))
    )
