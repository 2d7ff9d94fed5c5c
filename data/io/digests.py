"""Short hashes of tile ids by part of a split: twelve hexadecimal digits of SHA-256."""

import hashlib
import json
from collections.abc import Mapping, Sequence

DIGITS = 12


def dump_parts(parts: Mapping[str, Sequence[str]]) -> str:
    """Return the canonical JSON of tile ids by part."""
    return json.dumps({part: list(ids) for part, ids in parts.items()}, sort_keys=True)


def hash_parts(parts: Mapping[str, Sequence[str]]) -> str:
    """Return twelve hexadecimal digits that identify the tiles of each part."""
    return hashlib.sha256(dump_parts(parts).encode()).hexdigest()[:DIGITS]


def join_hashes(hashes: Sequence[str]) -> str:
    """Return one split's hash, or for the folds of a cross-validation twelve hexadecimal digits over their hashes."""
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()[:DIGITS]
