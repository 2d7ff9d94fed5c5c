"""A limit on the memory of this process while a library decompresses what it cannot measure before.

A compressed chunk may hold far more than its file says: HDF5 and the codecs of Zarr inflate all of it before anybody can
look at its size. The limit is the kernel's ``RLIMIT_DATA`` (Linux); beyond it, the library gets no memory and fails.

This module becomes part of every logged model.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SPARE_BYTES = 2**30  # for other threads, and for what reading needs beside the values
MAX_TILE_CHUNK_BYTES = 2**26  # a published chunk has 1 MB

_lock = threading.Lock()
_wanted: list[int] = []  # limits of the readers at work
_own: list[int] = []  # this process's own soft limit, while a reader is at work


@contextmanager
def limited_memory(extra_bytes: int = SPARE_BYTES) -> Iterator[None]:
    """Let this process take *extra_bytes* more than it has now, until the end; does nothing where the system has no such limit.

    Of several readers at once the widest limit holds.

    Args:
        extra_bytes: What reading may take, in all.
    """
    used = _measure_data()
    if used is None:
        yield
        return
    wanted = used + extra_bytes
    _change(_wanted.append, wanted)
    try:
        yield
    finally:
        _change(_wanted.remove, wanted)


def _measure_data() -> int | None:
    """Return the bytes that count against ``RLIMIT_DATA``; None if the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmData:")]
    return 1024 * int(found[0]) if found else None


def _change(change: Callable[[int], object], wanted: int) -> None:
    """Add or remove a reader's limit, and apply the widest; none is above the process's own."""
    import resource  # not on Windows

    with _lock:
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if not _wanted:
            _own[:] = [soft]
        change(wanted)
        limit = max(_wanted) if _wanted else _own[0]
        if _own[0] != resource.RLIM_INFINITY:
            limit = min(limit, _own[0])
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def measure_chunk(variable: Any) -> int:
    """Return the bytes that one read of a netCDF4 variable must decompress: its chunk; 0 if it is not chunked."""
    chunk = variable.chunking()
    if not isinstance(chunk, list) or not hasattr(variable.dtype, "itemsize"):
        return 0
    return math.prod(chunk) * int(variable.dtype.itemsize)
