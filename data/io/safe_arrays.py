"""Load ``.npy`` and ``.npz`` files from outside: size-limited, without pickle, and with the expected types and shapes."""

import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.io.safe_json import RefusedError, check_file_size, refused_error, show_value
from data.io.seals import sum_bytes

# The largest arrays of this project, the reference layers of 290 test tiles, have 33 MB.
MAX_ARRAY_BYTES = 2**27  # per file, and for all arrays of a file together
_KINDS = {"str": "U", "float": "f"}  # types of any size
_MARK = b"crc32:"  # between an array and its checksum


@dataclass(frozen=True)
class ArraySpec:
    """What an array must be.

    Attributes:
        dtype: Such as ``uint16``; ``str`` for strings of any length, ``float`` for floating-point numbers of any size.
        shape: Its shape; None accepts any length.
    """

    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("any" if size is None else str(size) for size in self.shape)
        return f"{self.dtype} of shape ({sizes})"

    def fits(self, array: np.ndarray) -> bool:
        """Return whether an array has this type and shape."""
        same_type = array.dtype.kind == _KINDS.get(self.dtype) or array.dtype == self.dtype
        same_shape = array.ndim == len(self.shape) and all(
            size in (None, length) for length, size in zip(array.shape, self.shape, strict=True)
        )
        return bool(array.dtype.itemsize and same_type and same_shape)


def add_checksum(path: Path) -> None:
    """Append the checksum of an ``.npy`` file to it; numpy reads the array as before."""
    text = sum_bytes([path.read_bytes()])
    with path.open("ab") as file:
        file.write(_MARK + text.encode())


def read_array(path: Path, spec: ArraySpec) -> np.ndarray:
    """Read one array, ``.npy``, of at most ``MAX_ARRAY_BYTES``, with its checksum if it has one.

    Raises:
        RefusedError: If the file is too large or damaged, or holds another array or a pickle.
        OSError: If it cannot be read.
    """
    check_file_size(path, MAX_ARRAY_BYTES)
    with _refusing_damage("an .npy file", path):
        # Mapped first: numpy then compares the header's shape with the file's size before it allocates memory.
        mapped = np.lib.format.open_memmap(path, mode="r")
        array = np.array(_check("the array", mapped, spec, path))
        _check_sum(path, mapped.offset + mapped.nbytes)
        return array


def _check_sum(path: Path, size: int) -> None:
    """Compare what follows an array of *size* bytes, with its header, with their checksum."""
    content = path.read_bytes()
    if content[size:] not in (b"", _MARK + sum_bytes([content[:size]]).encode()):
        rule = "An array must have the checksum with which it was written"
        raise refused_error(rule, "another: a bit has changed", path, "Check the disk.")


def read_arrays(
    path: Path, specs: Mapping[str, ArraySpec], optional: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """Read arrays by name, ``.npz``; other arrays in the file are ignored.

    Args:
        path: A file of at most ``MAX_ARRAY_BYTES``, both packed and unpacked.
        specs: What each array must be.
        optional: Names that a file may lack, because an earlier version did not write them; they are left out.

    Raises:
        RefusedError: If the file is too large or damaged, or lacks an array, or an array is another one or a pickle.
        OSError: If it cannot be read.
    """
    check_file_size(path, MAX_ARRAY_BYTES)
    with _refusing_damage("an .npz file", path):
        with zipfile.ZipFile(path) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
        missing = [name for name in specs if f"{name}.npy" not in sizes]
        if required := [name for name in missing if name not in optional]:
            raise refused_error(f"The file must hold {', '.join(specs)}", f"no {required[0]}", path)
        found = [name for name in specs if name not in missing]
        if (total := sum(sizes[f"{name}.npy"] for name in found)) > MAX_ARRAY_BYTES:
            rule = f"Arrays must have at most {MAX_ARRAY_BYTES:,} bytes when unpacked"
            raise refused_error(rule, f"{total:,}", path)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _check(name, arrays[name], specs[name], path) for name in found}


def _check(name: str, array: np.ndarray, spec: ArraySpec, path: Path) -> np.ndarray:
    if not spec.fits(array):
        got = f"{show_value(array.dtype)} of shape {array.shape}"
        raise refused_error(f"{name} must be {spec}", got, path)
    return array


@contextmanager
def _refusing_damage(kind: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RefusedError):
        raise
    except Exception as error:  # a damaged or hostile header raises almost any type
        rule = f"The file must be {kind} without pickled objects"
        raise refused_error(rule, show_value(error), path) from error
