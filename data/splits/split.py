"""Which tiles train, validate and test: named splits, folds, a user's own, and their hash.

    python -m data.splits PATH [--split NAME_OR_FILE ...] [--map FILE.png] [--json]

audits splits on the tiles in PATH: how large and how rich each part is, and which tiles touch which.
"""

import json
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.io.errors import unknown_name
from data.splits.folds import FOLDS, make_fold
from data.splits.split_file import BUFFER, PARTS, hash_parts, keep_copy, read_copy, read_split_file
from data.tiles.catalogue import read_catalogue

__all__ = [
    "PARTS",
    "SPLITS",
    "Split",
    "check_split",
    "fold_names",
    "list_parts",
    "make_split",
    "restrict",
    "store_split",
]

SPLITS = ("blocks", "seed42", "s12ls-ld")
CHOICES = (*SPLITS, "blocks:K/F", "file:HASH")  # every form of a split's name

_BLOCKS = Path(__file__).with_name("split_blocks.json")
_FOLD = re.compile(r"blocks:([0-9]{1,4})(?:/([0-9]{1,4}))?")
_KEPT = re.compile(r"file:([0-9a-f]{12})")


@dataclass(frozen=True)
class Split:
    """Tile ids by part, with the tiles that the data has and no part uses.

    Attributes:
        name: Name under which the split was asked for.
        train: Sorted ids that fit weights and normalisation.
        val: Sorted ids that choose epoch, threshold and hyperparameters.
        test: Sorted ids that are read once per repeat trial.
        buffer: Ids set aside between test and train: the data has them, no part uses them.
        unused: Ids present in the data that the split does not name.
        missing: Ids of the parts that the data lacks.
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
        """Twelve hex digits of the parts' contents, whatever the split is called."""
        return hash_parts({part: self.part(part) for part in PARTS})

    def part(self, name: str) -> tuple[str, ...]:
        """Return the ids of the part *name* (``train``, ``val`` or ``test``)."""
        if name not in PARTS:
            raise ValueError(unknown_name("part", name, PARTS))
        ids: tuple[str, ...] = getattr(self, name)
        return ids


def make_split(
    name: str, available: Collection[str] | None = None, store: Path | None = None
) -> Split:
    """Make a named split of the tiles that are available.

    Args:
        name: ``blocks`` (no test tile touches a train tile by edge or corner), ``seed42`` (the
            published study's random split), ``s12ls-ld`` (the data set's official split),
            ``blocks:K/F`` (fold F of K, see :mod:`data.splits.folds`) or ``file:<hash>`` (what
            :func:`store_split` returned).
        available: Tile ids of the data at hand; the catalogue's 290 when left out.
        store: Folder that keeps users' splits; needed for ``file:<hash>`` alone.

    Returns:
        The split, restricted to *available*, with what is unused or missing by name.

    Raises:
        ValueError: If the name is unknown, a kept split is gone or changed, or a part would hold no
            tile.
    """
    parts = list_parts(name, store)
    split = restrict(name, parts, available)
    for part in PARTS:
        if not split.part(part):
            here = len(read_catalogue() if available is None else available)
            raise ValueError(
                f"Every part of a split needs a tile, but none of the {len(parts[part])} {part} "
                f"tiles of split {name!r} is among the {here} tiles at hand. "
                "Choose another split or add tiles."
            )
    return split


def list_parts(name: str, store: Path | None = None) -> Mapping[str, Sequence[str]]:
    """List all tiles of a named split by part, ``buffer`` where it has one; see :func:`make_split`."""
    check_split(name)
    if fold := _FOLD.fullmatch(name):
        return make_fold(int(fold[1]), int(fold[2]))
    if kept := _KEPT.fullmatch(name):
        if store is None:
            raise ValueError(f"A split from a file needs the folder that keeps it, got {name!r}.")
        return read_copy(kept[1], store)
    return {"blocks": _blocks, "seed42": _seed42, "s12ls-ld": _official}[name]()


def restrict(
    name: str, parts: Mapping[str, Sequence[str]], available: Collection[str] | None = None
) -> Split:
    """Restrict a split's parts to the tiles at hand; unlike in :func:`make_split` a part may be empty.

    Args:
        name: What to call the split.
        parts: Tile ids by part: ``train``, ``val``, ``test`` and perhaps ``buffer``.
        available: Tile ids of the data at hand; the catalogue's 290 when left out.

    Returns:
        The split of the tiles that are in both.
    """
    here = set(read_catalogue() if available is None else available)
    listed = {tile for part in PARTS for tile in parts[part]}
    return Split(
        name,
        **{
            part: tuple(sorted(here.intersection(parts.get(part, ())))) for part in (*PARTS, BUFFER)
        },
        unused=tuple(sorted(here - listed - set(parts.get(BUFFER, ())))),
        missing=tuple(sorted(listed - here)),
    )


def check_split(name: str) -> None:
    """Check a split's name; whether a ``file:<hash>`` is kept anywhere is not looked up.

    Raises:
        ValueError: If there is no such split, with the names that there are.
    """
    if name in SPLITS or _KEPT.fullmatch(name):
        return
    if name.startswith("file:"):
        raise ValueError(f"A kept split must be file:<12 hexadecimal digits>, but got {name!r}.")
    fold = _FOLD.fullmatch(name)
    if fold is None:
        raise ValueError(unknown_name("split", name, CHOICES))
    folds = _list_folds(int(fold[1]), name)
    if name not in folds:
        raise ValueError(
            f"A fold of blocks:{fold[1]} must be one of {', '.join(folds)}, but got {name!r}."
        )


def fold_names(name: str) -> tuple[str, ...]:
    """List the folds of a cross-validation, such as ``blocks:5/1`` to ``blocks:5/5`` of ``blocks:5``.

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
    """Check a user's split and keep a copy of it under its hash.

    Args:
        path: JSON ``{"train": [...], "val": [...], "test": [...], "buffer": [...]}``, the buffer
            left out or not, or CSV with the columns ``tile_id`` and ``part``. Tiles that are not in
            the catalogue are allowed.
        store: Folder that keeps the copy, ``split-<hash>.json``; it is made if missing.

    Returns:
        The split's name, ``file:<hash>``.

    Raises:
        ValueError: If the file cannot be read, has another format, names an unknown part, leaves a part
            empty, or has a tile twice or under a name that is no tile id.
        OSError: If the copy cannot be written.
    """
    return f"file:{keep_copy(read_split_file(Path(path)), Path(store))}"


def _seed42() -> dict[str, list[str]]:
    """Shuffle the sorted ids as the published study does: 80 % train, 10 % val, rest test."""
    ids = sorted(read_catalogue())
    random.Random(42).shuffle(ids)  # noqa: S311 - no secret: a split that anyone can make again
    train, val = int(0.8 * len(ids)), int(0.1 * len(ids))
    return {"train": ids[:train], "val": ids[train : train + val], "test": ids[train + val :]}


def _official() -> dict[str, list[str]]:
    tiles = read_catalogue().values()
    return {part: [tile.tile_id for tile in tiles if tile.official == part] for part in PARTS}


def _blocks() -> dict[str, list[str]]:
    """Read the spatial blocks: test in the north-west, val the belt between it and train."""
    parts: dict[str, list[str]] = json.loads(_BLOCKS.read_text())
    return parts
