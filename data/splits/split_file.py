"""A user's own split: reading and checking its JSON or CSV file, and the stored copy.

    {"train": ["hokkaido_579", ...], "val": [...], "test": [...], "buffer": [...]}

or a table with the columns ``tile_id`` and ``part``. The buffer is optional.
"""

import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.io.digests import dump_parts, hash_parts
from data.io.errors import unknown_name
from data.io.safe_json import parse_json, read_text, show_value
from data.tiles import TILE_ID_RULE, is_tile_id

PARTS = ("train", "val", "test")
BUFFER = "buffer"
SUFFIXES = (".json", ".csv")

_COLUMNS = ("tile_id", "part")

Parts = dict[str, tuple[str, ...]]


def read_split_file(path: Path) -> Parts:
    """Read and check a user's split.

    Args:
        path: A ``.json`` or ``.csv`` file of 8 MiB at most, in the format described above.

    Returns:
        Sorted tile ids by part; ``buffer`` only if the file has one.

    Raises:
        ValueError: If the file cannot be read or has another format, or if it has an unknown or empty part, an
            invalid tile id, or a tile twice.
    """
    if path.suffix not in SUFFIXES:
        raise _error("A split file must end in .json or .csv", repr(path.name), path)
    try:
        text = read_text(path)
    except OSError as error:
        raise _error("A split file must be readable text", str(error), path) from error
    pairs = _parse_json(text, path) if path.suffix == ".json" else _parse_csv(text, path)
    return _check(pairs, path)


def write_split_copy(parts: Mapping[str, Sequence[str]], store: Path) -> str:
    """Write the canonical copy of a split to ``split-<hash>.json`` and return the hash."""
    digest = hash_parts(parts)
    path = _copy_path(digest, store)
    store.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(dump_parts(parts), encoding="utf-8")
    aside.replace(path)  # readers see the whole file or none
    return digest


def read_split_copy(digest: str, store: Path) -> Parts:
    """Read a stored split.

    Raises:
        ValueError: If there is no such copy, or its content does not match its hash.
    """
    path, remedy = _copy_path(digest, store), "Pass the split's own file again (--split FILE)."
    if not path.is_file():
        rule = f"The split file:{digest} must be stored as {path.name}"
        raise _error(rule, "no such file", store, remedy)
    if hashlib.sha256(read_text(path).encode()).hexdigest()[:12] != digest:
        raise _error("A stored split must match its hash", "another content", path, remedy)
    return read_split_file(path)


def _copy_path(digest: str, store: Path) -> Path:
    return store / f"split-{digest}.json"


def _parse_json(text: str, path: Path) -> list[tuple[str, list[Any]]]:
    """Return part and tile ids of each list of a JSON object."""
    content = parse_json(text, path, object_pairs_hook=list)  # a dict would drop a repeated part
    rule = 'A split file must be a JSON object such as {"train": ["hokkaido_579"], ...}'
    if not text.lstrip().startswith("{"):
        raise _error(rule, f"a {type(content).__name__}", path)
    for part, ids in content:
        if not isinstance(ids, list):
            raise _error(rule, f"{part[:20]}: {show_value(ids)}", path)
    return [(part, ids) for part, ids in content]


def _parse_csv(text: str, path: Path) -> list[tuple[str, list[Any]]]:
    """Return part and tile id of each row of a table."""
    try:
        table = csv.DictReader(text.splitlines())
        rows = list(table)
    except csv.Error as error:
        raise _error("A split table must be CSV", str(error), path) from error
    if missing := [name for name in _COLUMNS if name not in (table.fieldnames or ())]:
        rule = f"A split table must have the columns {','.join(_COLUMNS)}"
        raise _error(rule, f"no {' and no '.join(missing)}", path)
    return [(str(row["part"]), [row["tile_id"]]) for row in rows]


def _check(groups: list[tuple[str, list[Any]]], path: Path) -> Parts:
    """Return the sorted ids by part; raise ValueError for a repeated or invalid id, or an unknown or empty part."""
    known = (*PARTS, BUFFER)
    seen: dict[str, str] = {}
    for part, ids in groups:
        if part not in known:
            raise ValueError(f"{unknown_name('part', part, known)} Correct {path}.")
        for tile in ids:
            if not is_tile_id(tile):
                raise _error(TILE_ID_RULE, show_value(tile), path)
            if tile in seen:
                where = f"twice in {part}" if seen[tile] == part else f"in {seen[tile]} and {part}"
                raise _error("A tile must appear once in a split", f"{tile} {where}", path)
            seen[tile] = part
    parts = {part: tuple(sorted(t for t in seen if seen[t] == part)) for part in known}
    if empty := [part for part in PARTS if not parts[part]]:
        raise _error("Every part of a split must have a tile", f"no {' and no '.join(empty)}", path)
    return {part: ids for part, ids in parts.items() if ids}


def _error(rule: str, got: str, path: Path, remedy: str = "Correct the file.") -> ValueError:
    return ValueError(f"{rule}, but got {got} in {path}. {remedy}")
