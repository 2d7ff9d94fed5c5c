"""Checksums (CRC-32, as of zip files) of bytes and of JSON objects: they find damage, and are no protection against intent."""

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data.io.safe_json import refused_error

SEAL = "seal"  # entry of a sealed object


def sum_bytes(content: Iterable[bytes | memoryview]) -> str:
    """Return the CRC-32 of the joined bytes, as 8 hex digits."""
    value = 0
    for part in content:
        value = zlib.crc32(part, value)
    return f"{value:08x}"


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of plain JSON values with its own checksum."""
    return {**content, SEAL: _sum_object(content)}


def has_seal(content: Mapping[str, Any]) -> bool:
    """Return whether an object has its own checksum."""
    return bool(content.get(SEAL) == _sum_object(content))


def unseal(content: dict[str, Any], place: Path | str, remedy: str) -> dict[str, Any]:
    """Return an object without its checksum; one of an earlier version, which has none, as it is.

    Args:
        content: The parsed object.
        place: Its file or line, for the message.
        remedy: What to do if it is damaged.

    Raises:
        RefusedError: If its checksum is another one.
    """
    if SEAL not in content:
        return content
    if not has_seal(content):
        rule = "Its values must have the checksum with which they were written"
        raise refused_error(rule, "another: a bit has changed", place, f"{remedy} Check the disk.")
    return {name: value for name, value in content.items() if name != SEAL}


def _sum_object(content: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in content.items() if name != SEAL}
    return sum_bytes([json.dumps(plain, sort_keys=True).encode()])
