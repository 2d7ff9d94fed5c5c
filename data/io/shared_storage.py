"""A folder that every node of a cluster reaches: on a shared file system, or in an object store such as S3.

Writes are atomic: an object appears whole or not at all, and replaces an object of the same name.
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
MAX_SMALL_BYTES = 2**23  # size limit of an object that is read into memory


class SharedStorageError(OSError):
    """The storage cannot be reached, or an object is missing or too large."""


@dataclass(frozen=True)
class SharedStorage:
    """A folder named by its path or URI; it can be pickled and used in any process.

    Attributes:
        uri: ``/folder``, ``file:///folder``, ``s3://bucket/folder``, … For a server other than Amazon's own:
            ``s3://bucket/folder?scheme=http&endpoint_override=HOST:PORT``. Each node takes the keys from its
            environment.
    """

    uri: str

    def subfolder(self, folder: str) -> "SharedStorage":
        """Return the storage of one of its subfolders."""
        if "://" not in self.uri:  # '?' and '#' are ordinary characters in a path
            return SharedStorage(f"{self.uri.rstrip('/')}/{folder}")
        parts = urlsplit(self.uri)
        return SharedStorage(parts._replace(path=f"{parts.path.rstrip('/')}/{folder}").geturl())

    def open(self) -> tuple[Any, str]:
        """Return its ``pyarrow.fs.FileSystem`` and the folder's path there.

        Raises:
            SharedStorageError: If the URI is invalid.
        """
        return _open(self.uri)

    def delete_all(self) -> None:
        """Delete everything in the folder."""
        with self._naming_errors(""):
            system, root = _open(self.uri)
            system.delete_dir_contents(root, missing_dir_ok=True)

    def is_folder(self, folder: Path) -> bool:
        """Return whether the storage is this very folder of the local file system."""
        with self._naming_errors(""):
            system, root = _open(self.uri)
        return isinstance(system, fs.LocalFileSystem) and Path(root).resolve() == folder.resolve()

    def upload(self, source: Path, name: str) -> None:
        """Copy a file into the storage."""
        with source.open("rb") as file, self._writing(name) as stream:
            while chunk := file.read(_CHUNK):
                stream.write(chunk)

    def write(self, name: str, content: bytes) -> None:
        """Write a small object."""
        with self._writing(name) as stream:
            stream.write(content)

    def download(self, name: str, target: Path) -> None:
        """Copy an object to a file.

        Raises:
            SharedStorageError: If the object does not exist.
        """
        with self._naming_errors(name):
            system, root = _open(self.uri)
            with system.open_input_stream(f"{root}/{name}") as stream, target.open("wb") as file:
                while chunk := stream.read(_CHUNK):
                    file.write(chunk)

    def read(self, name: str) -> bytes | None:
        """Read a small object of at most 8 MiB; return None if it does not exist.

        Raises:
            SharedStorageError: If it is larger.
        """
        with self._naming_errors(name):
            system, root = _open(self.uri)
            try:
                with system.open_input_stream(f"{root}/{name}") as stream:
                    content = bytes(stream.read(MAX_SMALL_BYTES + 1))
            except FileNotFoundError:
                return None
        if len(content) > MAX_SMALL_BYTES:
            raise SharedStorageError(
                f"A small object must have at most {MAX_SMALL_BYTES:,} bytes, but got more in "
                f"{self._format_uri(name)}. Delete it; the next run writes it again."
            )
        return content

    def exists(self, name: str) -> bool:
        """Return whether there is an object of this name."""
        with self._naming_errors(name):
            system, root = _open(self.uri)
            info = system.get_file_info(f"{root}/{name}")
        return bool(info.type == fs.FileType.File)

    def delete(self, name: str) -> None:
        """Delete an object if it exists."""
        with self._naming_errors(name):
            system, root = _open(self.uri)
            try:
                system.delete_file(f"{root}/{name}")
            except FileNotFoundError:
                return

    @contextmanager
    def _writing(self, name: str) -> Iterator[Any]:
        """Open an object for writing; it becomes visible when the block ends without an error."""
        with self._naming_errors(name):
            system, root = _open(self.uri)
            path = Path(root) / name
            if not isinstance(system, fs.LocalFileSystem):  # object stores publish on close
                with system.open_output_stream(f"{root}/{name}") as stream:
                    yield stream
                return
            temporary = path.with_name(f".{os.getpid()}.{path.name}")
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    yield file
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    @contextmanager
    def _naming_errors(self, name: str) -> Iterator[None]:
        """Turn the library's errors into a SharedStorageError that names the object."""
        try:
            yield
        except SharedStorageError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise SharedStorageError(
                f"Every node must reach the storage, but got this error for {self._format_uri(name)}: "
                f"{format_error(error)} Check the address, and the keys in the node's environment."
            ) from error

    def _format_uri(self, name: str) -> str:
        return hide_password(f"{self.uri.partition('?')[0]}/{name}")


@lru_cache(maxsize=16)
def _open(uri: str) -> tuple[Any, str]:
    """Return the file system of a path or URI, and the folder's path there."""
    try:
        if "://" not in uri:
            return fs.LocalFileSystem(), str(Path(uri).resolve())
        system, root = fs.FileSystem.from_uri(uri)
        if not root.strip("/"):
            raise ValueError("it names no folder.")
    except (pa.ArrowException, ValueError, OSError) as error:
        raise SharedStorageError(
            f"A storage must be a folder or a URI of {_SCHEMES}, but got {hide_password(uri)}: "
            f"{format_error(error)} Choose one that every node reaches, such as s3://BUCKET/FOLDER."
        ) from error
    return system, str(root).rstrip("/")


def check_shared_storage(storage: SharedStorage) -> None:
    """Write, read and delete a test object.

    Raises:
        SharedStorageError: If that fails.
    """
    name = f".probe-{os.getpid()}"
    storage.write(name, b"probe")
    if storage.read(name) != b"probe":
        raise SharedStorageError(
            f"The storage must return the bytes written to it, but got others in "
            f"{hide_password(storage.uri)}. Choose another storage."
        )
    storage.delete(name)
