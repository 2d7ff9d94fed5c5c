"""The zip file of a bundle: written with the same bytes every time, and opened as a file from anybody.

``manifest.json`` names the format, its version, and the size and SHA-256 of every other file.
"""

import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.io.errors import list_first
from data.io.safe_arrays import MAX_ARRAY_BYTES
from data.io.safe_json import (
    RefusedError,
    check_file_size,
    is_number,
    parse_object,
    refused_error,
    show_value,
)

FORMAT, VERSION = "landslide-benchmark-bundle", 1
MANIFEST = "manifest.json"
MAX_BUNDLE_BYTES = 2**27  # 36 runs on 79 test tiles have 5 MB
MAX_UNPACKED_BYTES = 2**30  # of all files together
MAX_FILES = 10_000
_NAME = re.compile(r"(?:[a-z]{1,20}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")  # at most one folder
_HASH = re.compile(r"[0-9a-f]{64}")
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest of a zip file
_ENCRYPTED = 1  # bit of a member's flags
_SHOWN = 3


def zip_files(files: Mapping[str, bytes], *, packed: bool = True) -> bytes:
    """Return a zip file of these files in the order of their names, without times: equal files make equal bytes."""
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr, entry.create_system = 0o644 << 16, 3  # a file that all may read
            entry.compress_type = method
            archive.writestr(entry, files[name], compresslevel=9)
    return content.getvalue()


def add_manifest(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a bundle with their manifest."""
    listed = {
        name: {"bytes": len(files[name]), "sha256": hash_bytes(files[name])}
        for name in sorted(files)
    }
    manifest = {"format": FORMAT, "version": VERSION, "files": listed}
    return {**files, MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()}


def hash_bytes(content: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def open_archive(path: Path) -> Iterator[Path]:
    """Yield a temporary folder with a bundle's files, each of which has the size and the SHA-256 of the manifest.

    Args:
        path: The zip file, of at most ``MAX_BUNDLE_BYTES``.

    Raises:
        RefusedError: If it is no bundle or one of another version, too large when unpacked, or a file in it is damaged,
            missing or not listed; the message names the file.
        OSError: If it cannot be read.
    """
    check_file_size(path, MAX_BUNDLE_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise refused_error("A bundle must be a zip file", error, path) from error
        with archive:
            _extract(archive, path, Path(folder))
        yield Path(folder)


def _extract(archive: zipfile.ZipFile, path: Path, folder: Path) -> None:
    members = _list_members(archive, path)
    if MANIFEST not in members:
        raise refused_error(f"A bundle must have {MANIFEST}", "none", path)
    listed = _parse_manifest(_read(archive, members[MANIFEST], path), path)
    if missing := sorted(listed.keys() - members.keys()):
        got = f"no {list_first(missing, _SHOWN)}"
        raise refused_error(f"A bundle must have every file of {MANIFEST}", got, path)
    if more := sorted(members.keys() - listed.keys() - {MANIFEST}):
        raise refused_error(f"A bundle must have the files of {MANIFEST} alone", more[0], path)
    for name, digest in listed.items():
        content = _read(archive, members[name], path)
        if (found := hash_bytes(content)) != digest:
            raise refused_error(f"{name} must have the SHA-256 {digest}", found, path)
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)


def _list_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return a zip's members by name, after a check of names and of the sizes that it declares."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename
        if _NAME.fullmatch(name) is None or name in members:
            rule = "Files of a bundle must have plain names, each once"
            raise refused_error(rule, show_value(name), path)
        members[name] = member
    total = sum(member.file_size for member in members.values())
    if len(members) > MAX_FILES or total > MAX_UNPACKED_BYTES:
        rule = (
            f"A bundle must have at most {MAX_FILES:,} files and {MAX_UNPACKED_BYTES:,} bytes when "
            "unpacked"
        )
        raise refused_error(rule, f"{len(members):,} files and {total:,} bytes", path)
    return members


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    """Read one file, never more than its declared size."""
    name, size = member.filename, member.file_size
    if size > MAX_ARRAY_BYTES or member.flag_bits & _ENCRYPTED:
        rule = f"{name} must be unencrypted, of at most {MAX_ARRAY_BYTES:,} bytes"
        raise refused_error(rule, f"{size:,}", path)
    try:
        with archive.open(member) as file:
            content = file.read(size)
            rest = file.read(1)  # its end, where the zip's own checksum is compared
    except RefusedError:
        raise
    except Exception as error:  # damaged content raises almost any type
        raise refused_error(f"{name} must be as it was written", show_value(error), path) from error
    if rest or len(content) != size:
        raise refused_error(f"{name} must have {size:,} bytes", "another size", path)
    return content


def _parse_manifest(content: bytes, path: Path) -> dict[str, str]:
    """Return the SHA-256 of each listed file, after a check of format and version."""
    place = f"{MANIFEST} of {path}"
    manifest: dict[str, Any] = parse_object(content.decode("utf-8", "replace"), place)
    if manifest.get("format") != FORMAT:
        got = show_value(manifest.get("format"))
        raise refused_error(f"A bundle's format must be {FORMAT}", got, place)
    if manifest.get("version") != VERSION:
        remedy = "Verify it with the release of this project that wrote it."
        got = show_value(manifest.get("version"))
        raise refused_error(f"A bundle's version must be {VERSION}", got, place, remedy)
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(map(_is_entry, files.values())):
        rule = "Every file must have its bytes and its SHA-256"
        raise refused_error(rule, show_value(files), place)
    return {str(name): str(entry["sha256"]) for name, entry in files.items()}


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and is_number(entry.get("bytes"), 0, MAX_ARRAY_BYTES, whole=True)
        and _HASH.fullmatch(str(entry.get("sha256"))) is not None
    )
