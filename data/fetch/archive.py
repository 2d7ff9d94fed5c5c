"""One published archive, read as a stream: Hokkaido's tiles go to disk, all else is passed over.

An archive is not trusted. Its folders and links never decide where something is written: a tile gets its
published name in its modality's folder, and a Hokkaido member that is more than a plain file is refused.
"""

import gzip
import hashlib
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from data.fetch.listing import Archive, ArchiveError

# A tile is at most 15 x 128 x 128 px of eleven 16-bit bands, height, classes and mask: 6.1 MB. Five times
# that is no tile any more, and would only fill memory and disk.
MAX_TILE_BYTES = 32_000_000

# The data set has some 40,000 tiles in all. tarfile keeps a note of every member, and reads a long name or other
# extras of a header at once, however long they say they are.
MAX_MEMBERS = 100_000
MAX_EXTRA_BYTES = 1_000_000

_BLOCK = tarfile.BLOCKSIZE
_SPARSE_GOES_ON = 482  # byte of a GNU sparse header that says that more headers follow
_EXTRAS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_READ_BYTES = 1 << 16
_DAMAGES = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.DIRTYPE: "a folder",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}
_DAMAGED = (
    "Run the same command again; if it stays, the published file is damaged: choose another "
    "revision (--revision)."
)


@dataclass(frozen=True)
class Contents:
    """What one archive held.

    Attributes:
        sha256: Of the archive, in hexadecimal digits.
        tiles: SHA-256 of each Hokkaido tile by its path below the tile folder.
    """

    sha256: str
    tiles: dict[str, str]


def unpack(
    archive: Archive,
    pieces: Iterator[bytes],
    root: Path,
    holders: Mapping[str, tuple[str, str]],
    report: Callable[[int, int], None],
) -> Contents:
    """Write an archive's Hokkaido tiles below *root*, each at once or not at all.

    Args:
        archive: The archive as the hub lists it.
        pieces: Its bytes in order.
        root: The tile folder.
        holders: SHA-256 and archive of each tile that earlier archives held, by path below *root*.
        report: Is told the bytes of each piece, and how many tiles were found so far.

    Returns:
        The archive's hash and its tiles; of a tile that an earlier archive held too, nothing is written.

    Raises:
        ArchiveError: If the archive is damaged, is not the one that the hub lists, or holds a tile that must
            not be written. What it wrote is then removed.
        FetchError: If the connection is lost. What it wrote stays, to be written again.
        OSError: If the disk refuses.
    """
    written: dict[str, str] = {}
    source = _Source(pieces, lambda size: report(size, len(written)))
    try:
        with _name_damage(archive):
            for name, content in _read_tiles(archive, source):
                _keep(name, content, archive, root, holders, written)
        sha256 = source.digest.hexdigest()
        if archive.sha256 not in (None, sha256):
            rule = f"An archive must have the hub's SHA-256 {archive.sha256}"
            raise ArchiveError(f"{rule}, but got {sha256} for {archive.path}. {_DAMAGED}")
    except ArchiveError:
        for name in written:
            (root / name).unlink(missing_ok=True)
        raise
    return Contents(sha256, written)


class _Source:
    """The pieces as a file to read, hashed on the way."""

    def __init__(self, pieces: Iterator[bytes], report: Callable[[int], None]) -> None:
        self.digest = hashlib.sha256()
        self._pieces, self._report = pieces, report
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to *size* bytes; none at the end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
            self.digest.update(self._rest)
            self._report(len(self._rest))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class _Plain:
    """The gunzipped archive as a file to read, which remembers where its last byte other than zero was."""

    def __init__(self, source: _Source) -> None:
        self._file = gzip.GzipFile(fileobj=cast(IO[bytes], source))
        self.position = 0
        self.content_end = 0

    def read(self, size: int) -> bytes:
        """Return up to *size* bytes; none at the end, where length and checksum proved right."""
        piece = self._file.read(size)
        if content := piece.rstrip(b"\0"):
            self.content_end = self.position + len(content)
        self.position += len(piece)
        return piece


class _Header(tarfile.TarInfo):
    """A member's header, refused before tarfile reads extras without end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        """Decode a header's block."""
        header = super().frombuf(buf, encoding, errors)
        endless = header.type == tarfile.GNUTYPE_SPARSE and buf[_SPARSE_GOES_ON]
        if endless or (header.type in _EXTRAS and header.size > MAX_EXTRA_BYTES):
            got = f"{header.size / 1e6:.0f} MB of type {header.type!r}"
            raise ArchiveError(
                f"A header's extras must have at most {MAX_EXTRA_BYTES / 1e6:.0f} MB, but got {got}. {_DAMAGED}"
            )
        return header


def _read_tiles(archive: Archive, source: _Source) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each Hokkaido tile, then read the archive to its end."""
    modality = archive.path.split("/")[1]
    plain = _Plain(source)
    stream = cast(IO[bytes], plain)
    with tarfile.open(fileobj=stream, mode="r|", bufsize=_READ_BYTES, tarinfo=_Header) as tar:
        for number, member in enumerate(tar):
            if number >= MAX_MEMBERS:
                raise ArchiveError(
                    f"An archive must have at most {MAX_MEMBERS:,} members, but got more in {archive.path}. "
                    f"{_DAMAGED}"
                )
            if name := _name_tile(member, modality, archive):
                with closing(cast(IO[bytes], tar.extractfile(member))) as file:
                    yield f"{modality}/{name}", file.read()
        end = tar.offset or 0
    while plain.read(_READ_BYTES):
        pass
    # tarfile takes a damaged header for the end: behind the real one are zeros alone.
    if plain.content_end > end or plain.position < end + _BLOCK:
        raise tarfile.ReadError(f"no end mark at byte {end}")


def _name_tile(member: tarfile.TarInfo, modality: str, archive: Archive) -> str | None:
    """Return a tile's published name, or None for what is no Hokkaido tile of this modality."""
    *folders, name = re.split(r"[/\\:]", member.name)
    if not re.fullmatch(rf"hokkaido_{modality}_[0-9]+\.nc", name):
        return None
    if not member.isreg() or member.issparse():
        got = _KINDS.get(member.type, "something else")
    elif re.match(r"[/\\]|[A-Za-z]:", member.name) or ".." in folders:
        got = "a path that leaves the folder"
    elif member.size > MAX_TILE_BYTES:
        got = f"{member.size / 1e6:.0f} MB"
    else:
        return name
    raise ArchiveError(
        f"A tile must be a plain file of at most {MAX_TILE_BYTES / 1e6:.0f} MB inside its archive, "
        f"but got {got} for {member.name!r} in {archive.path}. Choose another revision (--revision)."
    )


def _keep(
    name: str,
    content: bytes,
    archive: Archive,
    root: Path,
    holders: Mapping[str, tuple[str, str]],
    written: dict[str, str],
) -> None:
    """Write a tile, unless it was there before; then it must be the same."""
    sha256 = hashlib.sha256(content).hexdigest()
    known, holder = holders.get(name, (written.get(name), archive.path))
    if known is None:
        _write(content, root / name)
        written[name] = sha256
    elif known != sha256:
        raise ArchiveError(
            f"A tile must be the same in every archive, but got two contents of {name} in "
            f"{holder} and {archive.path}. Choose another revision (--revision)."
        )


def _write(content: bytes, path: Path) -> None:
    aside = path.with_name(f"{path.name}.part")  # not *.nc: a killed process's is no tile
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


@contextmanager
def _name_damage(archive: Archive) -> Iterator[None]:
    try:
        yield
    except _DAMAGES as error:
        rule = "An archive must be a whole gzip-compressed tar file"
        raise ArchiveError(f"{rule}, but got {error!r} in {archive.path}. {_DAMAGED}") from error
