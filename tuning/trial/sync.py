"""Copies of trial folders on shared storage, for clusters whose nodes share no file system.

A worker trains in a folder of its own node and uploads it after each epoch. The driver downloads what it sends to MLflow,
and the next worker downloads what it resumes from. A trial's ``index.json`` lists its files with their hashes and is
written last, so that the listed files always belong to one epoch.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.io.durable import write_atomically
from data.io.safe_json import is_safe_name, is_string_map, parse_object, refused_error
from data.io.shared_storage import SharedStorage, SharedStorageError
from data.tiles import hash_file

logger = logging.getLogger(__name__)

INDEX = "index.json"
DRIVERS = frozenset({"trial.json"})  # written by the driver, never uploaded
RESUME = frozenset({"last.pt", "next.pt", "next_counts.npy"})  # needed only to resume
LARGE = frozenset({"best.pt"})  # downloaded only for trials that become models
TRIES = 5  # reads of an index whose files a worker is replacing


@dataclass(frozen=True)
class TrialSync:
    """The trials of one campaign on shared storage.

    Attributes:
        storage: The storage folder with one folder per trial key.
    """

    storage: SharedStorage

    @property
    def name(self) -> str:
        """Name of the folder of this campaign's trials in a node's cache."""
        return hashlib.sha256(self.storage.uri.encode()).hexdigest()[:12]

    @property
    def stop(self) -> "StopMarker":
        """The file that makes the trials end after their epoch."""
        return StopMarker(self.storage)

    def push(self, key: str, folder: Path) -> None:
        """Upload a trial's folder.

        Raises:
            SharedStorageError: If the storage cannot be written.
        """
        before = self._index(key)
        found = {file.name: hash_file(file) for file in _list_files(folder)}
        for name, digest in found.items():
            if before.get(name) != digest:
                self.storage.upload(folder / name, _place(key, name, digest))
        self.storage.write(f"{key}/{INDEX}", json.dumps(found).encode())
        for name, digest in before.items():
            if found.get(name) != digest:
                self.storage.delete(_place(key, name, digest))

    def fetch(self, key: str, folder: Path) -> None:
        """Download the trial's latest files into a folder; leave it empty if there are none."""
        folder.mkdir(parents=True, exist_ok=True)
        index = self._take(key, folder, frozenset())
        for file in _list_files(folder):
            if file.name not in index:
                file.unlink()

    def pull(self, key: str, folder: Path, *, large: bool) -> None:
        """Download a trial's new files for the driver.

        Args:
            key: The trial's key.
            folder: The trial's folder in the campaign's folder.
            large: Whether to download its best checkpoint, too.
        """
        self._take(key, folder, RESUME if large else RESUME | LARGE)

    def clear(self, key: str) -> None:
        """Delete the trial's remaining files from shared storage."""
        index = self._index(key)
        self.storage.delete(f"{key}/{INDEX}")
        for name, digest in index.items():
            self.storage.delete(_place(key, name, digest))

    def _take(self, key: str, folder: Path, without: frozenset[str]) -> dict[str, str]:
        for left in range(TRIES, 0, -1):
            index = self._index(key)
            try:
                for name, digest in index.items():
                    if name not in without and not _is(folder / name, digest):
                        self._get(_place(key, name, digest), folder / name, digest)
            except SharedStorageError:
                if left == 1 or index == self._index(key):
                    raise
                continue
            return index
        raise AssertionError  # the last try returns or raises

    def _get(self, place: str, target: Path, digest: str) -> None:
        def write(aside: Path) -> None:
            self.storage.download(place, aside)
            if (got := hash_file(aside)) != digest:
                raise SharedStorageError(
                    f"A trial's file must have the hash {digest[:12]}, but got {got[:12]} for {place} of "
                    f"{self.storage.uri.partition('?')[0]}. Remove the trial's folder there; it is trained again."
                )

        write_atomically(target, write)

    def _index(self, key: str) -> dict[str, str]:
        """Read and check the hashes of a trial's files, by file name: others may have written the index."""
        content = self.storage.read(f"{key}/{INDEX}")
        if content is None:
            return {}
        index = parse_object(content.decode(errors="replace"), f"{key}/{INDEX}")
        if not is_string_map(index) or not all(is_safe_name(name) for name in index):
            rule = "A trial's index must hold a hash by file name"
            raise refused_error(rule, "another", f"{self.storage.uri.partition('?')[0]}/{key}")
        return index


@dataclass(frozen=True)
class StopMarker:
    """A marker file on shared storage, used like a `Path`."""

    storage: SharedStorage

    def exists(self) -> bool:
        """Return whether the marker exists."""
        return self.storage.exists("stop")

    def touch(self) -> None:
        """Create the marker."""
        self.storage.write("stop", b"stop")

    def unlink(self, missing_ok: bool = True) -> None:
        """Delete the marker if it exists."""
        self.storage.delete("stop")


@contextmanager
def working_copy(sync: TrialSync, key: str, cache: Path) -> Iterator[Path]:
    """Download a trial's folder to this node for a worker, and upload it at the end.

    Args:
        sync: The campaign's trials on shared storage.
        key: The trial's key.
        cache: The node's cache folder.

    Raises:
        SharedStorageError: If the storage cannot be used.
    """
    folder = cache / "trials" / sync.name / key
    sync.fetch(key, folder)
    yield folder
    sync.push(key, folder)
    for file in _list_files(folder):
        file.unlink()


def _list_files(folder: Path) -> list[Path]:
    """List the files to upload: all but the driver's and temporary ones."""
    every = (entry.name for entry in os.scandir(folder) if entry.is_file())
    return [folder / name for name in sorted(every) if name[0] != "." and name not in DRIVERS]


def _place(key: str, name: str, digest: str) -> str:
    return f"{key}/{digest[:16]}-{name}"


def _is(file: Path, digest: str) -> bool:
    return file.is_file() and hash_file(file) == digest
