"""Extraction of the chosen regions' tiles from one published archive, read as a stream.

The archive is not trusted. A tile is written under its published name into the caller's folder; no path or link of
the archive is followed. A tile of a chosen region that is not a plain file is refused.
"""

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, cast

from data.fetch.hub import HubArchive
from data.fetch.stream import FetchError
from data.tiles import is_tile_file
from data.tiles.paths import region_of_file
from data.tiles.regions import ALL_REGIONS

# A tile has at most 15 x 128 x 128 px of eleven 16-bit bands, height, classes and mask: 6.1 MB.
MAX_TILE_BYTES = 32_000_000
# The whole data set has some 40,000 tiles. tarfile keeps an entry per member in memory.
MAX_MEMBERS = 100_000
# Of long names and pax headers, which tarfile reads into memory at once.
MAX_HEADER_BYTES = 1_000_000

_SPARSE_CONTINUES = 482  # byte of a GNU sparse header: whether another header follows
_LONG_HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_READ_BYTES = 1 << 16
_DAMAGED = (
    "Run the same command again. If the error stays, the published file is damaged: choose another "
    "revision (--revision)."
)


def extract_tiles(
    archive: HubArchive,
    chunks: Iterator[bytes],
    folder: Path,
    known: Mapping[str, tuple[str, str]],
    regions: Collection[str],
) -> tuple[str, dict[str, str]]:
    """Write the chosen regions' tiles of an archive into a folder and verify the archive.

    Args:
        archive: The archive as the hub lists it.
        chunks: Its bytes in order.
        folder: An empty folder. Its files may be used only if this function returns.
        known: SHA-256 and archive of each tile of earlier archives, by path (``s1asc/hokkaido_s1asc_1.nc``). These
            tiles are compared and not written.
        regions: Regions to extract; ``all`` for every one.

    Returns:
        The archive's SHA-256, and the SHA-256 of each tile written, by path.

    Raises:
        FetchError: If the archive is damaged, differs from the one that the hub lists, or holds a forbidden tile.
        OSError: If a tile cannot be written.
    """
    source = _HashedReader(chunks)
    tiles: dict[str, str] = {}
    try:
        for path, content in _read_tiles(archive, source, regions):
            sha256 = hashlib.sha256(content).hexdigest()
            earlier, holder = known.get(path, (tiles.get(path), archive.path))
            if earlier is None:
                (folder / Path(path).name).write_bytes(content)
                tiles[path] = sha256
            elif earlier != sha256:
                raise FetchError(
                    f"A tile must be the same in every archive, but got two contents of {path} in {holder} and "
                    f"{archive.path}. Choose another revision (--revision)."
                )
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        rule = "An archive must be a whole gzip-compressed tar file"
        raise FetchError(f"{rule}, but got {error!r} in {archive.path}. {_DAMAGED}") from error
    sha256 = source.digest.hexdigest()
    if archive.sha256 not in (None, sha256):
        rule = f"An archive must have the hub's SHA-256 {archive.sha256}"
        raise FetchError(f"{rule}, but got {sha256} for {archive.path}. {_DAMAGED}")
    return sha256, tiles


class _HashedReader:
    """Chunks of bytes as a file object that computes their SHA-256."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.digest = hashlib.sha256()
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to *size* bytes, none at the end."""
        if not self._rest:
            self._rest = next(self._chunks, b"")
            self.digest.update(self._rest)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _Header(tarfile.TarInfo):
    """A tar header that is refused if it is damaged or too long."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        """Decode one header block."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:  # tarfile would take it for the end of the archive
            raise tarfile.ReadError(f"bad header: {error}") from error
        is_endless = header.type == tarfile.GNUTYPE_SPARSE and buf[_SPARSE_CONTINUES]
        if is_endless or (header.type in _LONG_HEADERS and header.size > MAX_HEADER_BYTES):
            raise FetchError(
                f"A tar header must have at most {MAX_HEADER_BYTES / 1e6:.0f} MB, but got {header.size / 1e6:.0f} MB "
                f"of type {header.type!r}. {_DAMAGED}"
            )
        return header


def _read_tiles(
    archive: HubArchive, source: _HashedReader, regions: Collection[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each tile of the regions, then read the archive to its end."""
    plain = gzip.GzipFile(fileobj=cast(IO[bytes], source))
    with tarfile.open(fileobj=plain, mode="r|", bufsize=_READ_BYTES, tarinfo=_Header) as tar:
        for number, member in enumerate(tar):
            if number >= MAX_MEMBERS:
                raise FetchError(
                    f"An archive must have at most {MAX_MEMBERS:,} members, but got more in {archive.path}. {_DAMAGED}"
                )
            if name := _get_tile_name(member, archive, regions):
                yield f"{archive.modality}/{name}", cast(IO[bytes], tar.extractfile(member)).read()
        stream = cast(IO[bytes], tar.fileobj)
        while rest := stream.read(_READ_BYTES):  # gzip verifies length and checksum at the end
            if rest.strip(b"\0"):
                raise tarfile.ReadError("data after the end mark")


def _get_tile_name(
    member: tarfile.TarInfo, archive: HubArchive, regions: Collection[str]
) -> str | None:
    """Return a tile's published name, None for a member that is no tile of the regions in the archive's modality."""
    *folders, name = re.split(r"[/\\:]", member.name)
    if not is_tile_file(name, archive.modality):
        return None
    if ALL_REGIONS not in regions and region_of_file(name) not in regions:
        return None
    if not member.isreg() or member.issparse():
        got = f"a link, folder or device (type {member.type!r})"
    elif re.match(r"[/\\]|[A-Za-z]:", member.name) or ".." in folders:
        got = "a path that leaves the folder"
    elif member.size > MAX_TILE_BYTES:
        got = f"{member.size / 1e6:.0f} MB"
    else:
        return name
    raise FetchError(
        f"A tile must be a plain file of at most {MAX_TILE_BYTES / 1e6:.0f} MB inside its archive, "
        f"but got {got} for {member.name!r} in {archive.path}. Choose another revision (--revision)."
    )
