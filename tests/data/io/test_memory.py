"""A file that inflates to far more than it says is refused before it takes the memory."""

import resource
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numcodecs
import numpy as np
import pytest
import zarr

from data.io.memory import limited_memory, measure_chunk
from tests.support.own_process import run_apart

MIB = 2**20


def read_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def take_too_much() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with limited_memory(64 * MIB), pytest.raises(MemoryError):
        np.ones(256 * MIB, np.uint8)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert np.ones(256 * MIB, np.uint8).size == 256 * MIB


def test_memory_beyond_the_limit_is_refused_and_the_limit_goes() -> None:
    run_apart(take_too_much)


def test_of_several_readers_the_widest_limit_holds() -> None:
    def read(seen: list[int]) -> None:
        with limited_memory(64 * MIB):
            seen.append(np.ones(256 * MIB, np.uint8).size)

    seen: list[int] = []
    with limited_memory(1024 * MIB):
        thread = threading.Thread(target=read, args=(seen,))
        thread.start()
        thread.join()
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY
    assert seen == [256 * MIB]


def deflate_zeros(size: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()


def inflate(tmp_path: Path) -> None:
    path = str(tmp_path / "a.zarr")
    options = {"zarr_format": 2, "compressors": numcodecs.GZip()}
    array = zarr.create_array(path, shape=(4, 8), chunks=(1, 8), dtype="f4", **options)
    array[:] = 1
    (tmp_path / "a.zarr" / "0.0").write_bytes(deflate_zeros(192 * MIB))
    before = read_peak()
    with limited_memory(64 * MIB), pytest.raises(MemoryError):
        zarr.open_array(path)[0]
    assert read_peak() - before < 96 * MIB


def test_a_chunk_that_inflates_is_refused_before_it_is_whole(tmp_path: Path) -> None:
    run_apart(inflate, tmp_path)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [({"chunksizes": (4, 8)}, 4 * 8 * 4), ({"contiguous": True}, 0)],
)
def test_a_chunk_s_size_is_known_before_it_is_read(
    options: dict[str, Callable[[], object]], wanted: int, tmp_path: Path
) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        for name, size in (("y", 8), ("x", 16)):
            file.createDimension(name, size)
        assert measure_chunk(file.createVariable("VV", "f4", ("y", "x"), **options)) == wanted
