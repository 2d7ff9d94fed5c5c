"""Arrays out of files that somebody else may have written: ``.npy`` and ``.npz``, without pickle and within limits.

``numpy.load`` makes room for what a file's header declares, and unpacks a member to whatever size it grows to. Here the
declared sizes are compared with a limit and with each other first.
"""

import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from data.io.safe_json import RefusedError, get_file_size, refused_error, show_value

# The largest arrays of this project, of the ground of 290 test tiles, have 28 MB.
MOST_ARRAY_BYTES = 2**27  # of a file, and of all arrays in it

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What zipfile, zlib and a header's parser raise of damage.
_DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError),
    *(ValueError, TypeError, SyntaxError, MemoryError, OverflowError),
)


@dataclass(frozen=True)
class ArraySpec:
    """What an array must be.

    Attributes:
        dtype: Such as ``uint16``; ``str`` for texts of any length.
        shape: Its lengths, None where any will do.
    """

    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.dtype} of shape ({sizes})"

    def fits(self, dtype: "np.dtype[Any]", shape: tuple[int, ...]) -> bool:
        """Tell whether type and shape are as wanted."""
        if not (dtype.kind == "U" if self.dtype == "str" else dtype == np.dtype(self.dtype)):
            return False
        return len(shape) == len(self.shape) and all(
            found >= 0 and wanted in (None, found)
            for found, wanted in zip(shape, self.shape, strict=True)
        )


def read_array(path: Path, wanted: ArraySpec) -> np.ndarray:
    """Read one array, ``.npy``, of at most ``MOST_ARRAY_BYTES``.

    Raises:
        RefusedError: If the file is too large or damaged, or holds another array or a pickle.
        OSError: If it cannot be read.
    """
    size = get_file_size(path, MOST_ARRAY_BYTES)
    try:
        with path.open("rb") as file:
            return _read(file, size, wanted, "the array", path)
    except RefusedError:
        raise
    except _DAMAGES as error:
        raise refused_error("The file must be a whole array", show_value(error), path) from error


def read_arrays(path: Path, wanted: Mapping[str, ArraySpec]) -> dict[str, np.ndarray]:
    """Read arrays by name, ``.npz``; what the file holds besides is not looked at.

    Args:
        path: A file of at most ``MOST_ARRAY_BYTES``, whose arrays have no more together when unpacked.
        wanted: What each array must be.

    Raises:
        RefusedError: If the file is too large or damaged, would grow beyond the limit, lacks an array, or
            holds another one or a pickle in its place.
        OSError: If it cannot be read.
    """
    get_file_size(path, MOST_ARRAY_BYTES)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            members = _find_members(archive, wanted, path)
            found = {}
            for name, member in members.items():
                with archive.open(member) as stream:
                    found[name] = _read(stream, member.file_size, wanted[name], name, path)
            return found
    except RefusedError:
        raise
    except _DAMAGES as error:
        raise refused_error(
            "The file must be a whole archive of arrays", show_value(error), path
        ) from error


def _find_members(
    archive: zipfile.ZipFile, wanted: Mapping[str, ArraySpec], path: Path
) -> dict[str, zipfile.ZipInfo]:
    """Find the arrays' members, and compare what they declare with the limit; none is read for that."""
    there = {member.filename: member for member in archive.infolist()}
    if missing := [name for name in wanted if f"{name}.npy" not in there]:
        raise refused_error(f"The file must hold {', '.join(wanted)}", f"no {missing[0]}", path)
    members = {name: there[f"{name}.npy"] for name in wanted}
    if (total := sum(member.file_size for member in members.values())) > MOST_ARRAY_BYTES:
        rule = f"Arrays must have at most {MOST_ARRAY_BYTES:,} bytes when unpacked"
        raise refused_error(rule, f"{total:,}", path)
    return members


def _read(stream: IO[bytes], size: int, wanted: ArraySpec, name: str, path: Path) -> np.ndarray:
    """Read an array of a stream of *size* bytes; its header must tell the truth before room is made."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise refused_error("An array must have numpy's format 1.0 or 2.0", version, path)
    shape, by_column, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise refused_error(f"{name} must be {wanted}", "objects, which are pickled,", path)
    if not wanted.fits(dtype, shape):
        raise refused_error(
            f"{name} must be {wanted}", f"{show_value(dtype)} of shape {show_value(shape)}", path
        )
    count = math.prod(int(length) for length in shape)
    left, needed = size - stream.tell(), count * dtype.itemsize
    if left != needed or (count and not dtype.itemsize):
        raise refused_error(f"{name} must have {needed:,} bytes, as it says", f"{left:,}", path)
    content = bytearray(stream.read(needed))
    if len(content) != needed:
        raise refused_error(
            f"{name} must have {needed:,} bytes, as it says", f"{len(content):,}", path
        )
    if not needed:
        return np.empty(shape, dtype)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_column else "C")
