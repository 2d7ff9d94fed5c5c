"""What a hub lists, which is not trusted: an archive's path, length and hash, and the errors of a fetch."""

import re
from dataclasses import dataclass

from data.io.safe_json import show_value
from data.tiles.rules import MODALITIES

# Part of the path becomes a folder, so it holds no '..' and no further '/'.
ARCHIVE = re.compile(
    rf"data_(?:harmonized|raw)/(?:{'|'.join(MODALITIES)})/[A-Za-z0-9_][A-Za-z0-9_.-]{{0,99}}\.tar\.gz"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FetchError(Exception):
    """A fetch that could not be finished; the message names the place and the remedy."""


class ArchiveError(FetchError):
    """An archive of which nothing may be kept."""


@dataclass(frozen=True)
class Archive:
    """One archive as the hub lists it.

    Attributes:
        path: Path in the data set, such as ``data_harmonized/s1asc/part01.tar.gz``.
        size: Length in bytes.
        sha256: SHA-256 in hexadecimal digits; None where the hub does not state it.
    """

    path: str
    size: int
    sha256: str | None


def check_archive(path: object, size: object, sha256: object, folder: str) -> Archive:
    """Return a listed file as an archive.

    Args:
        path: Path as listed.
        size: Length in bytes as listed.
        sha256: Hash as listed, None where there is none.
        folder: Where it must lie, such as ``data_harmonized/s1asc``.

    Raises:
        FetchError: If one of them is not what it must be.
    """
    if not (isinstance(path, str) and ARCHIVE.fullmatch(path) and path.startswith(f"{folder}/")):
        rule, got = f"A hub must list {folder}/<name>.tar.gz", show_value(path)
    elif not isinstance(size, int) or size < 0:
        rule, got = "A hub must list an archive's length", f"{show_value(size)} for {path}"
    elif sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        rule, got = "A hub must list a SHA-256 of 64 digits", f"{show_value(sha256)} for {path}"
    else:
        return Archive(path, size, sha256)
    raise FetchError(
        f"{rule}, but got {got}. Check proxy and HF_ENDPOINT, or choose another revision (--revision)."
    )
