"""A pack's way to the nodes of a cluster: copied once to each, every file checked by its hash.

A pack on shared storage would be read over the network by each epoch of each trial.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.io.lock import wait_for_lock
from data.io.shared_storage import SharedStorage, SharedStorageError
from data.pack.file_format import Pack
from data.tiles import hash_file

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "LANDSLIDE_CACHE"
PACKS = "packs"  # of the depot, and of a node's cache


@dataclass(frozen=True)
class PackSource:
    """Where the nodes find a pack, and what they must find there.

    Attributes:
        depot: Storage that every node reaches.
        pack: Name of the pack's folder.
        files: SHA-256 of each file, by its path below the depot's ``packs``: the pack's, and splits from files.
    """

    depot: SharedStorage
    pack: str
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Twelve hex digits over all files."""
        text = json.dumps(self.files, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def hash_pack_files(pack: Pack) -> dict[str, str]:
    """Hash what a trial reads of a pack, by path below the folder of the packs.

    That is the pack, and the splits from files that lie beside it; not the norms, which are kept for people.
    """
    own = [file for file in pack.path.iterdir() if file.is_file() and file.name[0] != "."]
    own = [file for file in own if not file.name.startswith("norm-")]
    splits = list(pack.path.parent.glob("split-*.json"))
    files = {
        file.relative_to(pack.path.parent).as_posix(): hash_file(file) for file in own + splits
    }
    return dict(sorted(files.items()))


def publish_pack(pack: Pack, depot: SharedStorage) -> PackSource:
    """Put a pack where every node finds it, unless it is there already, as below a shared output folder.

    Args:
        pack: The pack.
        depot: Storage that every node reaches.

    Raises:
        DepotError: If it cannot be written.
    """
    source = PackSource(depot, pack.path.name, hash_pack_files(pack))
    packs = depot.subfolder(PACKS)
    if packs.is_folder(pack.path.parent):
        return source
    for name, digest in source.files.items():
        told = f"{name}.sha256"
        if packs.read(told) != digest.encode() or not packs.exists(name):
            packs.upload(pack.path.parent / name, name)
            packs.write(told, digest.encode())
    return source


def cache_folder() -> Path:
    """Return the folder of this node that keeps copies of packs; it may be removed when no trial runs."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "landslide-benchmark"


def fetch_pack(source: PackSource, cache: Path | None = None) -> Path:
    """Return this node's copy of a pack; the first of its processes makes it, and the others wait.

    Args:
        source: Where the pack is.
        cache: Folder of this node's copies; :func:`cache_folder` when left out.

    Returns:
        The pack's folder.

    Raises:
        DepotError: If the storage lacks a file, or a file is not what it should be.
        OSError: If the cache cannot be written.
    """
    folder = (cache or cache_folder()) / PACKS
    final = folder / source.digest
    folder.mkdir(parents=True, exist_ok=True)
    with wait_for_lock(folder / f".{source.digest}.lock"):
        if not final.is_dir():
            _copy(source, final)
    return final / source.pack


def _copy(source: PackSource, final: Path) -> None:
    aside = final.with_name(f".{final.name}.part")
    shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed
    packs = source.depot.subfolder(PACKS)
    try:
        for name, digest in source.files.items():
            target = aside / name
            target.parent.mkdir(parents=True, exist_ok=True)
            packs.download(name, target)
            if (got := hash_file(target)) != digest:
                raise SharedStorageError(
                    f"A copy of a pack must have the hash {digest[:12]}, but got {got[:12]} for {name} of "
                    f"{packs.uri.partition('?')[0]}. Remove it there; the next start puts it again."
                )
        aside.rename(final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    logger.info("Copied the pack %s to %s.", source.pack, final)
