import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from data.io.errors import unknown_name
from data.io.safe_arrays import MAX_ARRAY_BYTES, ArraySpec, read_array, read_arrays
from data.io.safe_json import (
    MAX_JSON_BYTES,
    RefusedError,
    check_safe_name,
    is_safe_name,
    read_json,
    show_value,
)
from tests.support.hostile_files import DEEP, write_growing_npz, write_pickled_npz, write_sparse

BYTES = ArraySpec("uint8", (None,))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (DEEP, "must not be nested deeply"),
        ('{"a":' * 100_000, "must not be nested deeply"),
        ("[1]", "must be an object, but got a list"),
        ("null", "must be an object, but got a NoneType"),
        ("", "must be JSON, but got Expecting value"),
        ('{"a": ' + "9" * 5000 + "}", "must be JSON, but got Exceeds the limit"),
        (b"\xff\xfe{}", "must be UTF-8 text, but got 'utf-8' codec"),
    ],
)
def test_json_that_is_no_object_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RefusedError, match=rf"{re.escape(message)}.* in {file}\. Get the file"):
        read_json(file)


def test_large_json_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = write_sparse(tmp_path / "a.json", 100_000_000)
    tracemalloc.start()
    with pytest.raises(RefusedError, match=f"at most {MAX_JSON_BYTES:,} bytes, but got 100,000,0"):
        read_json(file)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(RefusedError, match="must be a regular file, but got another type"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        ".hidden",
        "-rf",
        "a b",
        "a\n",
        "ä",
        "x" * 101,
        None,
        1,
    ],
)
def test_what_is_no_name_becomes_no_file(text: object) -> None:
    assert not is_safe_name(text)
    with pytest.raises(
        RefusedError, match="A campaign's name must have at most 100 letters, digits"
    ):
        check_safe_name("campaign", text)


def test_names_stay_as_they_are() -> None:
    for text in ("first", "20261125-103000-quick", "a.b_c-1", "x" * 100):
        assert check_safe_name("campaign", text) == text


def test_messages_are_short_and_no_character_acts() -> None:
    text = "\x1b[2J\n" + "x" * 10_000_000
    assert len(show_value(text)) <= 201
    assert "\x1b" not in show_value(text)
    message = unknown_name("split", text, ["blocks"])
    assert len(message) < 300
    assert "\x1b" not in message


def test_arrays_are_those_that_were_written(tmp_path: Path) -> None:
    arrays = {
        "ids": np.array(["hokkaido_1", "hokkaido_22"]),
        "none": np.array([], dtype=str),
        "x": np.arange(24, dtype=np.float16).reshape(2, 3, 4),
        "turned": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "one": np.array(15),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    wanted = {
        "ids": ArraySpec("str", (None,)),
        "none": ArraySpec("str", (None,)),
        "x": ArraySpec("float16", (2, None, 4)),
        "turned": ArraySpec("int64", (2, 3)),
        "one": ArraySpec("int64", ()),
    }
    found = read_arrays(tmp_path / "a.npz", wanted)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        assert found[name].size == 0 or found[name].flags.writeable
    np.save(tmp_path / "x.npy", arrays["x"])
    assert np.array_equal(read_array(tmp_path / "x.npy", wanted["x"]), arrays["x"])


def test_pickled_arrays_are_refused_and_do_not_act(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    file = write_pickled_npz(tmp_path / "a.npz", canary, "x")
    with np.load(file, allow_pickle=True) as arrays:
        arrays["x"]
    assert canary.exists()  # so the file would act
    canary.unlink()
    with pytest.raises(
        RefusedError, match=r"must be an \.npz file without pickled objects, but got ValueError"
    ):
        read_arrays(file, {"x": BYTES})
    np.save(tmp_path / "a.npy", np.array([1, {}], dtype=object))
    with pytest.raises(RefusedError, match=r"must be an \.npy file without pickled objects"):
        read_array(tmp_path / "a.npy", BYTES)
    assert not canary.exists()


def test_arrays_that_grow_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
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
def test_headers_must_tell_the_truth(
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


def test_texts_without_letters_have_no_length(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as out:
        header = {"descr": "<U0", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(out, header)
    with pytest.raises(RefusedError, match=r"must be str of shape \(any\), but got dtype\('<U'\)"):
        read_array(tmp_path / "x.npy", ArraySpec("str", (None,)))


def test_damaged_archives_are_named(tmp_path: Path) -> None:
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
    content[1000] ^= 1  # its checksum no longer fits
    file.write_bytes(content)
    with pytest.raises(
        RefusedError, match=r"must be an .npz file without pickled objects, .*Bad CRC"
    ):
        read_arrays(file, {"x": BYTES})
