"""Copies a pack from shared storage to each node of a cluster once, and checks every file's hash.

Without the copy, each epoch of each trial would read the pack over the network.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from data.io.lock import wait_for_lock
from data.io.shared_storage import SharedStorage, SharedStorageError
from data.pack.file_format import load_pack
from data.pack.pack import Pack
from data.tiles import hash_file

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "LANDSLIDE_CACHE"
PACKS = "packs"  # subfolder of the shared storage and of a node's cache


@dataclass(frozen=True)
class PackSource:
    """Location of a pack on shared storage, and the hashes of its files.

    Attributes:
        storage: Storage that every node can reach.
        pack: Name of the pack's folder.
        files: SHA-256 of each file of the pack and of each split file, by its path below the storage's ``packs``.
    """

    storage: SharedStorage
    pack: str
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Twelve hex digits of the hash of all files."""
        text = json.dumps(self.files, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def hash_pack_files(pack: Pack, beside: Iterable[Path] = ()) -> dict[str, str]:
    """Return the hash of every file that a trial reads, by its path below the folder of the packs.

    These are the pack's files, the split files and those *beside* it, but not the ``norm-*.json``, which no code reads.
    """
    own = [file for file in pack.path.iterdir() if file.is_file() and file.name[0] != "."]
    own = [file for file in own if not file.name.startswith("norm-")]
    splits = [*pack.path.parent.glob("split-*.json"), *beside]
    files = {
        file.relative_to(pack.path.parent).as_posix(): hash_file(file) for file in own + splits
    }
    return dict(sorted(files.items()))


def publish_pack(pack: Pack, storage: SharedStorage, beside: Iterable[Path] = ()) -> PackSource:
    """Upload a pack to shared storage, unless it is there already, as below a shared output folder.

    Args:
        pack: The pack.
        storage: Storage that every node can reach.
        beside: Other files in the folder of the packs that a trial reads: weights that it starts from.

    Raises:
        SharedStorageError: If the storage cannot be written.
    """
    source = PackSource(storage, pack.path.name, hash_pack_files(pack, beside))
    packs = storage.subfolder(PACKS)
    if packs.is_folder(pack.path.parent):
        return source
    for name, digest in source.files.items():
        hash_file_name = f"{name}.sha256"
        if packs.read(hash_file_name) != digest.encode() or not packs.exists(name):
            packs.upload(pack.path.parent / name, name)
            packs.write(hash_file_name, digest.encode())
    return source


def cache_folder() -> Path:
    """Return this node's folder of pack copies; it can be deleted while no trial runs."""
    if folder := os.environ.get(CACHE_VARIABLE):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "landslide-benchmark"


def fetch_pack(source: PackSource, cache: Path | None = None) -> Path:
    """Return this node's copy of a pack; one process makes the copy while the node's others wait.

    An existing copy is checked value by value, and made anew if it is damaged.

    Args:
        source: Location of the pack.
        cache: Folder of this node's copies; by default :func:`cache_folder`.

    Returns:
        The pack's folder.

    Raises:
        SharedStorageError: If the storage lacks a file, or a file has another hash.
        OSError: If the cache cannot be written.
    """
    folder = (cache or cache_folder()) / PACKS
    final = folder / source.digest
    folder.mkdir(parents=True, exist_ok=True)
    with wait_for_lock(folder / f".{source.digest}.lock"):
        if final.is_dir():
            _drop_if_damaged(final / source.pack)
        if not final.is_dir():
            _copy(source, final)
    return final / source.pack


def _drop_if_damaged(pack: Path) -> None:
    try:
        load_pack(pack)
    except (ValueError, OSError) as error:
        logger.warning("The pack is copied to this node again. %s", error)
        shutil.rmtree(pack.parent)


def _copy(source: PackSource, final: Path) -> None:
    temporary = final.with_name(f".{final.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a killed process
    packs = source.storage.subfolder(PACKS)
    try:
        for name, digest in source.files.items():
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            packs.download(name, target)
            if (got := hash_file(target)) != digest:
                raise SharedStorageError(
                    f"A copy of a pack must have the hash {digest[:12]}, but got {got[:12]} for {name} of "
                    f"{packs.uri.partition('?')[0]}. Delete it there; the next start uploads it again."
                )
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    logger.info("Copied the pack %s to %s.", source.pack, final)
