"""Splits into train, val and test tiles: named splits, splits across events, a user's own split, and their hash.

``python -m data.splits`` audits them (:mod:`data.splits.audit`).
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.io.digests import hash_parts, join_hashes
from data.io.errors import unknown_name
from data.splits.blocks import make_blocks, make_folds
from data.splits.events import make_event_split
from data.splits.grid import group_by_region
from data.splits.names import (
    HOKKAIDO_SPLITS,
    check_split,
    parse_event,
    parse_fold,
    parse_stored,
)
from data.splits.split_file import (
    BUFFER,
    PARTS,
    read_split_copy,
    read_split_file,
    write_split_copy,
)
from data.tiles import TileSurvey
from data.tiles.catalogue import CATALOGUE_REGION, read_catalogue


@dataclass(frozen=True)
class Split:
    """Tile ids by part, and the available tiles that no part uses. All ids are sorted.

    Attributes:
        name: The split's name, such as ``blocks``.
        train: Tiles that fit weights and normalisation.
        val: Tiles that choose epoch, threshold and hyperparameters.
        test: Tiles that measure the final score, once per repeat trial.
        buffer: Available tiles between test and train that no part uses.
        unused: Available tiles that the split does not list, or that a share of train leaves out.
        missing: Tiles of the parts that are not available.
    """

    name: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    buffer: tuple[str, ...] = field(default=())
    unused: tuple[str, ...] = field(default=())
    missing: tuple[str, ...] = field(default=())

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that depend on the parts' tiles only, not on the name."""
        return hash_parts({part: self.part(part) for part in PARTS})

    def part(self, name: str) -> tuple[str, ...]:
        """Return the ids of ``train``, ``val`` or ``test``; raise ValueError for another name."""
        if name not in PARTS:
            raise ValueError(unknown_name("part", name, PARTS))
        ids: tuple[str, ...] = getattr(self, name)
        return ids


def make_split(name: str, available: Mapping[str, TileSurvey], store: Path | None = None) -> Split:
    """Return a named split of the available tiles.

    Args:
        name: ``blocks`` (no test tile touches a train tile by edge or corner), ``blocks:K/F`` (fold F of K),
            ``events:REGION`` or ``events:REGION/SHOTS`` (test on one region, train on the others),
            ``seed42`` (the published study's random split), ``s12ls-ld`` (the data set's official split) or
            ``file:HASH`` (a user's split, stored by :func:`store_split`). See :mod:`data.splits.names`.
        available: Position and landslide pixels of the available tiles, by id. Parts that are computed depend on
            these tiles; lists that are fixed (Hokkaido's, a user's) are restricted to them.
        store: Folder of the stored splits; only ``file:HASH`` needs it.

    Raises:
        ValueError: If the name is unknown, the tiles cannot be split so, a stored split is missing or changed, or a
            part has no available tile.
    """
    parts = list_parts(name, available, store)
    split = restrict_split(name, parts, available)
    for part in PARTS:
        if not split.part(part):
            raise ValueError(
                f"Every part of a split needs a tile, but none of the {len(parts[part])} {part} "
                f"tiles of split {name!r} is among the {len(available)} available tiles. "
                "Choose another split or add tiles."
            )
    return split


def hash_splits(splits: Sequence[Split]) -> str:
    """Return the split's hash; for the folds of a cross-validation, twelve hexadecimal digits over their hashes."""
    return join_hashes([split.hash for split in splits])


def list_parts(
    name: str, available: Mapping[str, TileSurvey], store: Path | None = None
) -> Mapping[str, Sequence[str]]:
    """Return all tiles of a named split by part, including ``buffer`` if it has one; see :func:`make_split`."""
    check_split(name)
    if fold := parse_fold(name):
        return make_folds(available, *fold)
    if event := parse_event(name):
        return make_event_split(available, *event)
    if digest := parse_stored(name):
        if store is None:
            raise ValueError(
                f"A stored split needs the folder that holds it, but got none for {name!r}. "
                "Pass the split's own file instead."
            )
        return read_split_copy(digest, store)
    if name in HOKKAIDO_SPLITS:
        _check_hokkaido(name, available)
        return _seed42() if name == "seed42" else _official()
    return make_blocks(available)


def restrict_split(
    name: str, parts: Mapping[str, Sequence[str]], available: Collection[str]
) -> Split:
    """Return a split of the parts' available tiles; unlike in :func:`make_split`, a part may be empty.

    Args:
        name: The split's name.
        parts: Tile ids by part: ``train``, ``val``, ``test`` and optionally ``buffer``.
        available: Ids of the available tiles.
    """
    tiles = set(available)
    listed = {tile for part in PARTS for tile in parts[part]}
    return Split(
        name,
        **{
            part: tuple(sorted(tiles.intersection(parts.get(part, ()))))
            for part in (*PARTS, BUFFER)
        },
        unused=tuple(sorted(tiles - listed - set(parts.get(BUFFER, ())))),
        missing=tuple(sorted(listed - tiles)),
    )


def store_split(path: Path, store: Path) -> str:
    """Check a user's split and store a copy of it under its hash.

    Args:
        path: JSON ``{"train": [...], "val": [...], "test": [...], "buffer": [...]}`` with an optional buffer,
            or CSV with the columns ``tile_id`` and ``part``. Tiles that are not in the catalogue are allowed.
        store: Folder of the copy, ``split-<hash>.json``; created if missing.

    Returns:
        The split's name, ``file:<hash>``.

    Raises:
        ValueError: If the file cannot be read or has another format, or if it has an unknown or empty part, an
            invalid tile id, or a tile twice.
        OSError: If the copy cannot be written.
    """
    return f"file:{write_split_copy(read_split_file(Path(path)), Path(store))}"


def _check_hokkaido(name: str, available: Mapping[str, TileSurvey]) -> None:
    """Raise ValueError if the data have no tile of Hokkaido."""
    regions = group_by_region(available)
    if CATALOGUE_REGION not in regions:
        raise ValueError(
            f"Split {name!r} is a published list of Hokkaido's tiles, but the data hold "
            f"{', '.join(regions) or 'no tile'}. Choose --split blocks, or add --region hokkaido."
        )


def _seed42() -> dict[str, list[str]]:
    """Shuffle the sorted ids like the published study: 80 % train, 10 % val, the rest test."""
    ids = sorted(read_catalogue())
    random.Random(42).shuffle(ids)  # noqa: S311 - a reproducible split, no secret
    train, val = int(0.8 * len(ids)), int(0.1 * len(ids))
    return {"train": ids[:train], "val": ids[train : train + val], "test": ids[train + val :]}


def _official() -> dict[str, list[str]]:
    tiles = read_catalogue().values()
    return {part: [tile.tile_id for tile in tiles if tile.official == part] for part in PARTS}
