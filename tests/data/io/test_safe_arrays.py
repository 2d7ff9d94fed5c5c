import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from data.io.safe_arrays import MAX_ARRAY_BYTES, ArraySpec, read_array, read_arrays
from data.io.safe_json import RefusedError
from tests.support.hostile_files import write_growing_npz, write_pickled_npz, write_sparse

BYTES = ArraySpec("uint8", (None,))


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    arrays = {
        "ids": np.array(["hokkaido_1", "hokkaido_22"]),
        "none": np.array([], dtype=str),
        "x": np.arange(24, dtype=np.float16).reshape(2, 3, 4),
        "turned": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "one": np.array(15),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    specs = {
        "ids": ArraySpec("str", (None,)),
        "none": ArraySpec("str", (None,)),
        "x": ArraySpec("float16", (2, None, 4)),
        "turned": ArraySpec("int64", (2, 3)),
        "one": ArraySpec("int64", ()),
    }
    loaded = read_arrays(tmp_path / "a.npz", specs)
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        assert np.array_equal(loaded[name], array)
        assert loaded[name].size == 0 or loaded[name].flags.writeable
    np.save(tmp_path / "x.npy", arrays["x"])
    assert np.array_equal(read_array(tmp_path / "x.npy", specs["x"]), arrays["x"])


def test_an_array_that_an_earlier_version_did_not_write_may_be_absent(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3, np.uint8))
    specs = {"x": BYTES, "later": BYTES}
    assert list(read_arrays(tmp_path / "a.npz", specs, optional=("later",))) == ["x"]
    with pytest.raises(RefusedError, match="must hold x, later, but got no later"):
        read_arrays(tmp_path / "a.npz", specs, optional=("x",))


def test_pickled_arrays_are_refused_and_do_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    file = write_pickled_npz(tmp_path / "a.npz", canary, "x")
    with np.load(file, allow_pickle=True) as arrays:
        arrays["x"]
    assert canary.exists()  # so the pickle would run
    canary.unlink()
    with pytest.raises(
        RefusedError, match=r"must be an \.npz file without pickled objects, but got ValueError"
    ):
        read_arrays(file, {"x": BYTES})
    np.save(tmp_path / "a.npy", np.array([1, {}], dtype=object))
    with pytest.raises(RefusedError, match=r"must be an \.npy file without pickled objects"):
        read_array(tmp_path / "a.npy", BYTES)
    assert not canary.exists()


def test_large_compressed_arrays_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    file = write_growing_npz(tmp_path / "a.npz", "x", MAX_ARRAY_BYTES // 2**20 + 1)
    assert file.stat().st_size < 1_000_000
    tracemalloc.start()
    with pytest.raises(RefusedError, match=f"at most {MAX_ARRAY_BYTES:,} bytes when unpacked"):
        read_arrays(file, {"x": BYTES})
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_large_arrays_are_refused_before_they_are_read(tmp_path: Path) -> None:
    file = write_sparse(tmp_path / "a.npy", MAX_ARRAY_BYTES + 1)
    with pytest.raises(RefusedError, match=f"at most {MAX_ARRAY_BYTES:,} bytes"):
        read_array(file, BYTES)
    with pytest.raises(RefusedError, match=f"at most {MAX_ARRAY_BYTES:,} bytes"):
        read_arrays(file, {"x": BYTES})


@pytest.mark.parametrize(
    ("descr", "shape", "message"),
    [
        (
            "|u1",
            (10**15,),
            "but got ValueError('mmap length is greater than file size')",
        ),
        ("|u1", (-1,), "but got ValueError('negative dimensions are not allowed')"),
        ("|u1", (2, 4), "but got dtype('uint8') of shape (2, 4)"),
        ("<f8", (1,), "but got dtype('float64')"),
        ("|O", (1,), "must be an .npy file without pickled objects"),
        ("(" * 5000, (1,), "must be an .npy file without pickled objects"),
    ],
)
def test_false_headers_are_refused(
    tmp_path: Path, descr: str, shape: tuple[int, ...], message: str
) -> None:
    file = tmp_path / "x.npy"
    with file.open("wb") as out:
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(out, header)
        out.write(bytes(8))
    with pytest.raises(RefusedError, match=re.escape(message)) as caught:
        read_array(file, ArraySpec("uint8", (None,)))
    assert str(file) in str(caught.value)


def test_strings_of_zero_width_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as out:
        header = {"descr": "<U0", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(out, header)
    with pytest.raises(RefusedError, match=r"must be str of shape \(any\), but got dtype\('<U'\)"):
        read_array(tmp_path / "x.npy", ArraySpec("str", (None,)))


def test_damaged_archives_are_refused_by_path(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    file.write_bytes(b"PK no archive")
    with pytest.raises(
        RefusedError, match=r"must be an .npz file without pickled objects, but got BadZipFile"
    ):
        read_arrays(file, {"x": BYTES})
    np.savez(file, y=np.zeros(3, np.uint8))
    with pytest.raises(RefusedError, match="must hold x, but got no x"):
        read_arrays(file, {"x": BYTES})
    np.savez(file, x=np.zeros(3000, np.uint8))
    content = bytearray(file.read_bytes())
    content[1000] ^= 1  # so the checksum is wrong
    file.write_bytes(content)
    with pytest.raises(
        RefusedError, match=r"must be an .npz file without pickled objects, .*Bad CRC"
    ):
        read_arrays(file, {"x": BYTES})
