"""What a folder of fetched tiles holds: ``fetch.json``.

It is written before the first tile and after each archive, so a killed fetch loses one archive at most.
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypedDict

from data.fetch.archive import Contents
from data.fetch.hub import REPO, resolve_revision
from data.fetch.listing import ARCHIVE, Archive, FetchError
from data.io.safe_json import is_number, is_string_map, read_json, show_value
from data.tiles import MODALITIES, hash_file

logger = logging.getLogger(__name__)

MANIFEST = "fetch.json"

_TWIN = "twin.json"
_NAMES_SHOWN = 10
_TILE = re.compile(rf"({'|'.join(MODALITIES)})/hokkaido_\1_[0-9]+\.nc")
# For the check of free space: more tiles than Hokkaido has in any modality, at their size without
# compression.
_TILES = 320
_PIXELS = 15 * 128 * 128
_S1_BYTES = _PIXELS * (2 * 4 + 1 + 2)  # VV and VH as float32, mask, height: 2.7 MB
_S2_BYTES = _PIXELS * (11 * 2 + 1 + 2)  # ten bands and the classes as int16, mask, height: 6.1 MB
_TILE_BYTES = {"s1asc": _S1_BYTES, "s1dsc": _S1_BYTES, "s2": _S2_BYTES}


class ArchiveEntry(TypedDict):
    """One finished archive: its SHA-256, its bytes, and how many Hokkaido tiles it held."""

    sha256: str
    bytes: int
    tiles: int


class Manifest(TypedDict):
    """The content of ``fetch.json``.

    ``files`` has each tile's SHA-256 and ``holders`` its archive, by path below the folder;
    ``asked_revision`` is what ``--revision`` said when ``revision``, a commit, was chosen;
    ``begun`` are the modalities of which a tile may be there, ``modalities`` those of which every
    archive is finished.
    """

    synthetic: bool
    repo: str
    revision: str
    asked_revision: str | None
    version: str
    archives: dict[str, ArchiveEntry]
    files: dict[str, str]
    holders: dict[str, str]
    begun: list[str]
    modalities: list[str]


def new_manifest(version: str, revision: str, asked_revision: str | None) -> Manifest:
    """Return the manifest of a folder that holds nothing so far."""
    return {
        "synthetic": False,
        "repo": REPO,
        "revision": revision,
        "asked_revision": asked_revision,
        "version": version,
        "archives": {},
        "files": {},
        "holders": {},
        "begun": [],
        "modalities": [],
    }


def read_manifest(root: Path) -> Manifest | None:
    """Read a folder's manifest; None if it has none.

    Raises:
        FetchError: If it is there and cannot be used.
    """
    path = root / MANIFEST
    if not path.is_file():
        return None
    try:
        raw = read_json(path)
        manifest: Manifest = {key: raw[key] for key in Manifest.__annotations__}  # type: ignore[assignment]
        _check_manifest(manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(
            f"A {MANIFEST} must be as a fetch wrote it, but got {error!r} in {path}. Move the folder "
            "away, or give another one (--to)."
        ) from error
    return manifest


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, whole or not at all."""
    aside = root / f"{MANIFEST}.part"
    aside.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(aside, root / MANIFEST)


def add_archive(manifest: Manifest, archive: Archive, contents: Contents) -> None:
    """Enter a finished archive."""
    manifest["archives"][archive.path] = {
        "sha256": contents.sha256,
        "bytes": archive.size,
        "tiles": len(contents.tiles),
    }
    manifest["files"] |= contents.tiles
    manifest["holders"] |= dict.fromkeys(contents.tiles, archive.path)


def count_tiles(manifest: Manifest, modality: str) -> int:
    """Count the tiles of one modality in finished archives."""
    return sum(name.startswith(f"{modality}/") for name in manifest["files"])


def check_space(root: Path, modalities: Sequence[str]) -> None:
    """Raise FetchError if the disk has no room for what these modalities may still need."""
    there = {m: len(list((root / m).glob("*.nc"))) for m in modalities}
    need = sum(max(0, _TILES - there[m]) * _TILE_BYTES[m] for m in modalities)
    if (free := shutil.disk_usage(root).free) < need:
        raise FetchError(
            f"A tile folder must have {need / 1e9:.1f} GB free for {', '.join(modalities)}, but got "
            f"{free / 1e9:.1f} GB for {root}. Free space there, or give another folder (--to)."
        )


def open_folder(
    root: Path,
    version: str,
    revision: str | None,
    endpoint: str | None,
    modalities: Sequence[str],
) -> Manifest | None:
    """Look at a folder before a fetch.

    Args:
        root: The tile folder.
        version: The version asked for.
        revision: The revision asked for; None takes what the folder has.
        endpoint: The hub's address, to learn which commit *revision* is.
        modalities: Those asked for.

    Returns:
        What it holds whole of *modalities*; None for a new folder.

    Raises:
        FetchError: If the folder is not for this request, or its files are not a fetch's.
    """
    if (root / _TWIN).is_file():
        raise FetchError(
            f"Real tiles must have a folder of their own, but got the synthetic twin's {root}. "
            "Give another folder (--to)."
        )
    manifest = read_manifest(root)
    if manifest is None:
        _check_new(root, MODALITIES)
        return None
    if manifest["version"] != version:
        raise FetchError(
            f"A folder must hold one version, but got {version} for {root}, which holds "
            f"{manifest['version']}. Give another folder (--to)."
        )
    if revision not in (None, manifest["asked_revision"], manifest["revision"]):
        is_commit = re.fullmatch(r"[0-9a-f]{40}", str(revision))
        commit = revision if is_commit else resolve_revision(revision, endpoint)
        if commit != manifest["revision"]:
            raise FetchError(
                f"A folder must hold one revision, but got {revision} for {root}, which holds "
                f"{manifest['revision']}. Leave --revision out, or give another folder (--to)."
            )
    _check_new(root, [modality for modality in modalities if modality not in manifest["begun"]])
    _drop_damaged(root, manifest, modalities)
    return manifest


def _check_new(root: Path, modalities: Sequence[str]) -> None:
    """Refuse files that no fetch wrote: they are the user's."""
    for folder in (root / modality for modality in modalities):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FetchError(
                f"A fetch must not touch files of others, but got some in {folder}. "
                "Give another folder (--to)."
            )


def _drop_damaged(root: Path, manifest: Manifest, modalities: Collection[str]) -> None:
    """Strike the archives of which a tile is missing or changed, so that they are fetched again."""
    looked_at = [name for name in manifest["files"] if name.split("/")[0] in modalities]
    damaged = [name for name in looked_at if not _is_whole(root / name, manifest["files"][name])]
    if not damaged:
        return
    archives = {manifest["holders"][name] for name in damaged}
    more = f" and {len(damaged) - _NAMES_SHOWN} more" if len(damaged) > _NAMES_SHOWN else ""
    logger.warning(
        "Missing or changed in %s: %s%s; fetched again with %s",
        root,
        ", ".join(damaged[:_NAMES_SHOWN]),
        more,
        ", ".join(sorted(archives)),
    )
    for path in archives:
        del manifest["archives"][path]
        if (modality := path.split("/")[1]) in manifest["modalities"]:
            manifest["modalities"].remove(modality)
    for name in [name for name, holder in manifest["holders"].items() if holder in archives]:
        del manifest["files"][name], manifest["holders"][name]


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and hash_file(path) == sha256


def _check_manifest(manifest: Manifest) -> None:
    """Raise ValueError unless every value is of its kind, and no name in it leaves the folder."""
    texts = (manifest[name] for name in ("repo", "revision", "version"))
    files, holders, archives = manifest["files"], manifest["holders"], manifest["archives"]
    if not all(isinstance(text, str) for text in (*texts, manifest["asked_revision"] or "")):
        raise ValueError("a version or revision that is no text")
    if not (is_string_map(files) and is_string_map(holders)):
        raise ValueError("files without their SHA-256")
    if strange := [name for name in files if not _TILE.fullmatch(name)]:
        raise ValueError(f"{show_value(strange[0])}, which no fetch writes")
    for name, entry in archives.items():
        if not ARCHIVE.fullmatch(name) or not is_number(entry["bytes"], 0, 2**63, whole=True):
            raise ValueError(f"the archive {show_value(name)}")
    if not set(holders.values()) <= archives.keys() or holders.keys() != files.keys():
        raise ValueError("files without their archive")
    for name in (*manifest["begun"], *manifest["modalities"]):
        if name not in MODALITIES:
            raise ValueError(f"the modality {show_value(name)}")
