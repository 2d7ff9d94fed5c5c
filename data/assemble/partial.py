"""The folder in which a scene is assembled, hidden beside its name: what was asked, what was found, and which blocks are done.

The same command continues there. A line of its journal is written when the files of a block are on the disk, so a block
counts as loaded also where all of its chunks are NaN, which Zarr does not store.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.assemble.blocks import Block
from data.assemble.request import from_json, list_differences, to_json
from data.io.durable import sync_file, write_atomically
from data.io.lock import LockHeldError, try_lock
from data.io.safe_json import RefusedError, parse_object, read_json, read_text, refused_error

if TYPE_CHECKING:
    from data.search.acquisitions import Found

_REQUEST, _FOUND, _JOURNAL, _STORE = "request.json", "found.json", "loaded.txt", "scene"
_MOST_BYTES = 1 << 26  # of found.json: footprints of a few thousand bursts


def find_partial(to: Path) -> Path:
    """Return the folder in which a scene is assembled, such as ``.SCENE.zarr.partial``."""
    return to.with_name(f".{to.name}.partial")


class Partial:
    """A scene that is being assembled.

    Attributes:
        folder: The hidden folder.
        to: The scene's name in the end.
    """

    def __init__(self, to: Path) -> None:
        self.to, self.folder = to, find_partial(to)

    @property
    def store(self) -> Path:
        """The Zarr store."""
        return self.folder / _STORE

    def read_found(self, request: Mapping[str, Any]) -> Found | None:
        """Return the acquisitions that an interrupted command with the same request found; None without one.

        Raises:
            ValueError: If another request was begun, or its files are damaged.
        """
        if not (self.folder / _FOUND).is_file():
            return None
        if changed := list_differences(request, read_json(self.folder / _REQUEST)):
            rule = f"{self.to} was begun with another request"
            raise refused_error(rule, "; ".join(changed), self.folder, self._remedy("Repeat that"))
        text = read_text(self.folder / _FOUND, _MOST_BYTES)
        try:
            return from_json(parse_object(text, self.folder))
        except (LookupError, TypeError, ValueError) as error:
            raise self._damaged(_FOUND, error) from error

    def _damaged(self, name: str, error: object) -> RefusedError:
        rule = "The files of an interrupted scene must be as they were written"
        return refused_error(rule, error, self.folder / name, self._remedy("Begin anew"))

    def _remedy(self, first: str) -> str:
        return f"{first}, choose another --to, or delete {self.folder}."

    def begin(self, request: Mapping[str, Any], found: Found) -> None:
        """Write down what was asked and found, before anything is loaded."""
        write_atomically(
            self.folder / _REQUEST, lambda file: file.write_text(json.dumps(dict(request)))
        )
        write_atomically(self.folder / _FOUND, lambda file: file.write_text(to_json(found)))

    @property
    def is_laid_out(self) -> bool:
        """Whether the store's arrays have been created: the journal begins after that."""
        return (self.folder / _JOURNAL).is_file()

    def start_journal(self) -> None:
        """Note that the store's arrays have been created."""
        (self.folder / _JOURNAL).touch()
        sync_file(self.folder)

    def read_loaded(self) -> set[Block]:
        """Return the blocks that have been loaded; none before the store's arrays have been created.

        Raises:
            ValueError: If the journal is damaged.
        """
        if not self.is_laid_out:
            return set()
        journal = self.folder / _JOURNAL
        text = read_text(journal, _MOST_BYTES)
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # a power cut left half a line; its block is loaded again
            os.truncate(journal, len(whole.encode()))
        try:
            words = [line.split() for line in whole.splitlines()]
            return {Block(orbit, int(step), int(y), int(x)) for orbit, step, y, x in words}
        except ValueError as error:
            raise self._damaged(_JOURNAL, error) from error

    def add_loaded(self, block: Block) -> None:
        """Note that a block's files are on the disk."""
        with (self.folder / _JOURNAL).open("ab") as file:
            file.write(" ".join(map(str, block)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """Give the scene its name, and remove what it was assembled with."""
        sync_file(self.store)
        self.store.rename(self.to)
        sync_file(self.to.parent)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def working_on(to: Path) -> Iterator[Partial]:
    """Hold the folder in which a scene is assembled; it is created if it is missing, and stays unless the scene was finished.

    Raises:
        ValueError: If another process is at work on the same scene.
    """
    partial = Partial(to)
    while True:
        partial.folder.mkdir(parents=True, exist_ok=True)
        locked = partial.folder.stat().st_ino
        try:
            with try_lock(partial.folder):
                if not _is_same(partial.folder, locked):
                    continue  # the process before has finished just now, and removed it
                try:
                    yield partial
                finally:
                    if partial.folder.is_dir() and not any(partial.folder.iterdir()):
                        partial.folder.rmdir()
                return
        except LockHeldError as error:
            rule = "A scene is assembled by one process at a time"
            remedy = "Wait for it, or choose another --to."
            raise refused_error(rule, "another process at work", partial.folder, remedy) from error


def _is_same(folder: Path, number: int) -> bool:
    """Return whether a folder is there, and has this inode."""
    try:
        return folder.stat().st_ino == number
    except FileNotFoundError:
        return False
