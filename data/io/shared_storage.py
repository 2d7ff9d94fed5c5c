"""A folder that every node of a cluster reaches: on a shared file system, or in an object store such as S3.

An object appears whole or not at all, and takes the place of one that had its name.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from data.io.errors import format_error, hide_password

_SCHEMES = "s3, gs, abfs, hdfs, file"
_CHUNK = 1 << 22  # bytes
MOST_SMALL_BYTES = 2**23  # of an object that is read at once


class SharedStorageError(OSError):
    """The depot cannot be used, or has not what it should have."""


@dataclass(frozen=True)
class SharedStorage:
    """A folder named by its path or URI; equal ones may be opened in any process.

    Attributes:
        uri: ``/folder``, ``file:///folder``, ``s3://bucket/folder``, … For a server that is not Amazon's own,
            ``s3://bucket/folder?scheme=http&endpoint_override=HOST:PORT``. Keys come from the environment of each node.
    """

    uri: str

    def below(self, folder: str) -> "SharedStorage":
        """Return the depot of a folder in it."""
        if "://" not in self.uri:  # a path may hold what means something in a URI
            return SharedStorage(f"{self.uri.rstrip('/')}/{folder}")
        parts = urlsplit(self.uri)
        return SharedStorage(parts._replace(path=f"{parts.path.rstrip('/')}/{folder}").geturl())

    def open(self) -> tuple[Any, str]:
        """Return its file system (a ``pyarrow.fs.FileSystem``), and its place there.

        Raises:
            DepotError: If the URI cannot be understood.
        """
        return _open(self.uri)

    def drop_all(self) -> None:
        """Remove all that is in it."""
        with self._naming(""):
            system, place = _open(self.uri)
            system.delete_dir_contents(place, missing_dir_ok=True)

    def is_folder(self, folder: Path) -> bool:
        """Tell whether the depot is a folder of this machine, and this one."""
        with self._naming(""):
            system, place = _open(self.uri)
        return isinstance(system, fs.LocalFileSystem) and Path(place).resolve() == folder.resolve()

    def put(self, source: Path, name: str) -> None:
        """Copy a file into the depot."""
        with source.open("rb") as file, self._writing(name) as stream:
            while chunk := file.read(_CHUNK):
                stream.write(chunk)

    def write(self, name: str, content: bytes) -> None:
        """Write a small object."""
        with self._writing(name) as stream:
            stream.write(content)

    def get(self, name: str, target: Path) -> None:
        """Copy an object to a file.

        Raises:
            DepotError: If there is no such object.
        """
        with self._naming(name):
            system, place = _open(self.uri)
            with (
                system.open_input_stream(f"{place}/{name}") as stream,
                target.open("wb") as file,
            ):
                while chunk := stream.read(_CHUNK):
                    file.write(chunk)

    def read(self, name: str) -> bytes | None:
        """Read a small object of at most 8 MiB; None where there is none.

        Raises:
            DepotError: If it is larger.
        """
        with self._naming(name):
            system, place = _open(self.uri)
            try:
                with system.open_input_stream(f"{place}/{name}") as stream:
                    content = bytes(stream.read(MOST_SMALL_BYTES + 1))
            except FileNotFoundError:
                return None
        if len(content) > MOST_SMALL_BYTES:
            raise SharedStorageError(
                f"An object that is read at once has at most {MOST_SMALL_BYTES:,} bytes, but got more in "
                f"{self._show(name)}. Remove it; it is made again."
            )
        return content

    def has(self, name: str) -> bool:
        """Tell whether there is an object of that name."""
        with self._naming(name):
            system, place = _open(self.uri)
            found = system.get_file_info(f"{place}/{name}").type
        return bool(found == fs.FileType.File)

    def drop(self, name: str) -> None:
        """Remove an object where there is one."""
        with self._naming(name):
            system, place = _open(self.uri)
            try:
                system.delete_file(f"{place}/{name}")
            except FileNotFoundError:
                return

    @contextmanager
    def _writing(self, name: str) -> Iterator[Any]:
        with self._naming(name):
            system, place = _open(self.uri)
            path = f"{place}/{name}"
            if not isinstance(
                system, fs.LocalFileSystem
            ):  # there a PUT shows the whole object at its end
                with system.open_output_stream(path) as stream:
                    yield stream
                return
            aside = Path(path).with_name(f".{os.getpid()}.{Path(path).name}")
            aside.parent.mkdir(parents=True, exist_ok=True)
            try:
                with aside.open("wb") as file:
                    yield file
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """Name the object in whatever the store says."""
        try:
            yield
        except SharedStorageError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise SharedStorageError(
                f"Every node must reach the storage, but {self._show(name)} gave: {format_error(error)} "
                "Check the address, and the keys in the environment of the node."
            ) from error

    def _show(self, name: str) -> str:
        return hide_password(f"{self.uri.partition('?')[0]}/{name}")


@lru_cache(maxsize=16)
def _open(uri: str) -> tuple[Any, str]:
    """Return the file system of a depot, and its place there."""
    try:
        if "://" not in uri:
            return fs.LocalFileSystem(), str(Path(uri).resolve())
        system, place = fs.FileSystem.from_uri(uri)
        if not place.strip("/"):
            raise ValueError("it names no folder.")
    except (pa.ArrowException, ValueError, OSError) as error:
        raise SharedStorageError(
            f"A storage is a folder or a URI of {_SCHEMES}, but got {hide_password(uri)}: {format_error(error)} "
            "Give one that every node reaches, such as s3://BUCKET/FOLDER."
        ) from error
    return system, str(place).rstrip("/")


def check_shared_storage(depot: SharedStorage) -> None:
    """Write, read and remove an object.

    Raises:
        DepotError: If that fails.
    """
    name = f".probe-{os.getpid()}"
    depot.write(name, b"probe")
    if depot.read(name) != b"probe":
        raise SharedStorageError(
            f"What is written to {hide_password(depot.uri)} must be read there."
        )
    depot.drop(name)
