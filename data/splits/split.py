"""Splits into train, val and test tiles: named splits, folds, a user's own split, and their hash.

``python -m data.splits`` audits them (:mod:`data.splits.audit`).
"""

import json
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.io.errors import unknown_name
from data.splits.folds import FOLDS, make_fold
from data.splits.split_file import (
    BUFFER,
    PARTS,
    hash_parts,
    read_split_copy,
    read_split_file,
    write_split_copy,
)
from data.tiles.catalogue import read_catalogue

SPLITS = ("blocks", "seed42", "s12ls-ld")
CHOICES = (*SPLITS, "blocks:K/F", "file:HASH")  # every form of a split's name

_BLOCKS = Path(__file__).with_name("split_blocks.json")
_FOLD = re.compile(r"blocks:([0-9]{1,4})(?:/([0-9]{1,4}))?")
_STORED = re.compile(r"file:([0-9a-f]{12})")


@dataclass(frozen=True)
class Split:
    """Tile ids by part, and the available tiles that no part uses. All ids are sorted.

    Attributes:
        name: The split's name, such as ``blocks``.
        train: Tiles that fit weights and normalisation.
        val: Tiles that choose epoch, threshold and hyperparameters.
        test: Tiles that measure the final score, once per repeat trial.
        buffer: Available tiles between test and train that no part uses.
        unused: Available tiles that the split does not list.
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


def make_split(
    name: str, available: Collection[str] | None = None, store: Path | None = None
) -> Split:
    """Return a named split, restricted to the available tiles.

    Args:
        name: ``blocks`` (no test tile touches a train tile by edge or corner), ``seed42`` (the
            published study's random split), ``s12ls-ld`` (the data set's official split),
            ``blocks:K/F`` (fold F of K, see :mod:`data.splits.folds`) or ``file:<hash>`` (a user's
            split, stored by :func:`store_split`).
        available: Ids of the available tiles; the catalogue's 290 if None.
        store: Folder of the stored splits; only ``file:<hash>`` needs it.

    Raises:
        ValueError: If the name is unknown, a stored split is missing or changed, or a part has no
            available tile.
    """
    parts = list_parts(name, store)
    split = restrict_split(name, parts, available)
    for part in PARTS:
        if not split.part(part):
            count = len(read_catalogue() if available is None else available)
            raise ValueError(
                f"Every part of a split needs a tile, but none of the {len(parts[part])} {part} "
                f"tiles of split {name!r} is among the {count} available tiles. "
                "Choose another split or add tiles."
            )
    return split


def list_parts(name: str, store: Path | None = None) -> Mapping[str, Sequence[str]]:
    """Return all tiles of a named split by part, including ``buffer`` if it has one; see :func:`make_split`."""
    check_split(name)
    if fold := _FOLD.fullmatch(name):
        return make_fold(int(fold[1]), int(fold[2]))
    if stored := _STORED.fullmatch(name):
        if store is None:
            raise ValueError(
                f"A stored split needs the folder that holds it, but got none for {name!r}. "
                "Pass the split's own file instead."
            )
        return read_split_copy(stored[1], store)
    return {"blocks": _blocks, "seed42": _seed42, "s12ls-ld": _official}[name]()


def restrict_split(
    name: str, parts: Mapping[str, Sequence[str]], available: Collection[str] | None = None
) -> Split:
    """Return a split of the parts' available tiles; unlike in :func:`make_split`, a part may be empty.

    Args:
        name: The split's name.
        parts: Tile ids by part: ``train``, ``val``, ``test`` and optionally ``buffer``.
        available: Ids of the available tiles; the catalogue's 290 if None.
    """
    tiles = set(read_catalogue() if available is None else available)
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


def check_split(name: str) -> None:
    """Check a split's name, but not whether a ``file:<hash>`` is stored anywhere.

    Raises:
        ValueError: If there is no such split; the message lists the names.
    """
    if name in SPLITS or _STORED.fullmatch(name):
        return
    if name.startswith("file:"):
        raise ValueError(f"A stored split must be file:<12 hexadecimal digits>, but got {name!r}.")
    fold = _FOLD.fullmatch(name)
    if fold is None:
        raise ValueError(unknown_name("split", name, CHOICES))
    folds = _list_folds(int(fold[1]), name)
    if name not in folds:
        raise ValueError(
            f"A fold of blocks:{fold[1]} must be one of {', '.join(folds)}, but got {name!r}."
        )


def list_fold_names(name: str) -> tuple[str, ...]:
    """Return the names of a cross-validation's folds, such as ``blocks:5/1`` to ``blocks:5/5`` of ``blocks:5``.

    Raises:
        ValueError: If *name* is not ``blocks:K`` with a K from 2 to 10.
    """
    match = _FOLD.fullmatch(name)
    if match is None or match[2]:
        raise ValueError(f"A cross-validation must be named blocks:K, but got {name!r}.")
    return _list_folds(int(match[1]), name)


def _list_folds(count: int, name: str) -> tuple[str, ...]:
    if count not in FOLDS:
        raise ValueError(
            f"K of blocks:K/F must be from {FOLDS[0]} to {FOLDS[-1]}, but got {count} in {name!r}."
        )
    return tuple(f"blocks:{count}/{fold}" for fold in range(1, count + 1))


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


def _seed42() -> dict[str, list[str]]:
    """Shuffle the sorted ids like the published study: 80 % train, 10 % val, the rest test."""
    ids = sorted(read_catalogue())
    random.Random(42).shuffle(ids)  # noqa: S311 - a reproducible split, no secret
    train, val = int(0.8 * len(ids)), int(0.1 * len(ids))
    return {"train": ids[:train], "val": ids[train : train + val], "test": ids[train + val :]}


def _official() -> dict[str, list[str]]:
    tiles = read_catalogue().values()
    return {part: [tile.tile_id for tile in tiles if tile.official == part] for part in PARTS}


def _blocks() -> dict[str, list[str]]:
    """Return the spatial blocks: test in the north-west, val as the belt between test and train."""
    parts: dict[str, list[str]] = json.loads(_BLOCKS.read_text())
    return parts
