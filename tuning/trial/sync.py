"""Trials' folders on storage that every node reaches, for clusters whose nodes share no file system.

A worker trains in a folder of its own node and puts it here after each epoch; the driver takes from here what it tells
MLflow, and the next worker what it continues. An ``index.json`` names a trial's files by their hashes and is written
last, so that what it names is always of one epoch.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.io.safe_json import is_safe_name, is_string_map, parse_object, refused_error
from data.io.shared_storage import SharedStorage, SharedStorageError
from data.tiles import hash_file
from tuning.trial.folder import write_atomically

logger = logging.getLogger(__name__)

INDEX = "index.json"
DRIVERS = frozenset({"trial.json", "sent.json"})  # the driver's own notes
RESUME = frozenset({"last.pt", "next.pt", "next_counts.npy"})  # which serve to continue alone
LARGE = frozenset({"best.pt"})  # what only a trial that becomes a model is asked for
TRIES = 5  # of a read, while a worker replaces what is read


@dataclass(frozen=True)
class TrialSync:
    """The trials of one campaign on shared storage.

    Attributes:
        storage: The folder that holds a folder per trial key.
    """

    storage: SharedStorage

    @property
    def name(self) -> str:
        """A name for this campaign's trials on a node."""
        return hashlib.sha256(self.storage.uri.encode()).hexdigest()[:12]

    @property
    def stop(self) -> "StopMarker":
        """The mark that asks the trials to end after their epoch."""
        return StopMarker(self.storage)

    def push(self, key: str, folder: Path) -> None:
        """Put a trial's folder here, as it is now.

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
        """Make a folder what was put here last; empty where nothing was."""
        folder.mkdir(parents=True, exist_ok=True)
        index = self._take(key, folder, frozenset())
        for file in _list_files(folder):
            if file.name not in index:
                file.unlink()

    def pull(self, key: str, folder: Path, *, large: bool) -> None:
        """Take for the driver what is new of a trial.

        Args:
            key: The trial's key.
            folder: The trial's folder in the campaign's.
            large: Whether its best checkpoint is wanted.
        """
        self._take(key, folder, RESUME if large else RESUME | LARGE)

    def clear(self, key: str) -> None:
        """Remove a trial of which nothing is wanted any more."""
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
        """Read the names and hashes of a trial's files; what others may have written there is checked."""
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
    """A mark on shared storage, used like a file's path."""

    storage: SharedStorage

    def exists(self) -> bool:
        """Tell whether it is there."""
        return self.storage.exists("stop")

    def touch(self) -> None:
        """Make it."""
        self.storage.write("stop", b"stop")

    def unlink(self, missing_ok: bool = True) -> None:
        """Remove it."""
        self.storage.delete("stop")


@contextmanager
def working_copy(sync: TrialSync, key: str, cache: Path) -> Iterator[Path]:
    """Give a worker a trial's folder on its own node; what it holds in the end goes back.

    Args:
        sync: The campaign's trials.
        key: The trial's key.
        cache: The node's folder.

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
    """List the files that travel: neither the driver's notes nor half-written ones."""
    every = (entry.name for entry in os.scandir(folder) if entry.is_file())
    return [folder / name for name in sorted(every) if name[0] != "." and name not in DRIVERS]


def _place(key: str, name: str, digest: str) -> str:
    return f"{key}/{digest[:16]}-{name}"


def _is(file: Path, digest: str) -> bool:
    return file.is_file() and hash_file(file) == digest
