"""An error of the moment is tried again, and named with its remedy; a fact about a path is told at once."""

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from data.io import read_file as module
from data.io.read_file import TransientError, is_transient, killed_error, read_file

MOST = 1000


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITS_S", (0.0, 0.0))


def fail(times: int, error: Exception) -> Callable[[Path, int], bytes]:
    """Return a reader that fails so many times."""
    tries = iter(range(times))

    def read(path: Path, max_bytes: int) -> bytes:
        if next(tries, None) is not None:
            raise error
        return path.read_bytes()

    return read


MOMENTARY = [
    (BlockingIOError(errno.EAGAIN, "x"), "temporarily unavailable.*HDF5_USE_FILE_LOCKING=FALSE"),
    (OSError(errno.ENOLCK, "x"), "No locks available.*HDF5_USE_FILE_LOCKING=FALSE"),
    (OSError(errno.EIO, "x"), "Input/output error.*Check the disk or the mounted folder"),
    (OSError(errno.ESTALE, "x"), "Stale file handle.*Check the disk or the mounted folder"),
    (OSError(errno.EMFILE, "x"), "Too many open files.*ulimit -n"),
    (OSError(errno.ENFILE, "x"), "Too many open files.*End programs"),
    (OSError(errno.ENOMEM, "x"), "Cannot allocate memory.*fewer workers"),
    (MemoryError(), "Cannot allocate memory.*fewer workers"),
    (OSError("NetCDF: HDF error"), "OSError: NetCDF: HDF error.*Check the disk"),
]


@pytest.mark.parametrize(("error", "message"), MOMENTARY)
def test_error_of_the_moment_is_tried_again_and_named_if_it_stays(
    error: Exception, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tile"
    file.write_bytes(b"values")
    monkeypatch.setattr(module, "_read", fail(2, error))
    assert read_file(file, MOST) == b"values"
    monkeypatch.setattr(module, "_read", fail(3, error))
    with pytest.raises(TransientError, match=rf"tile must be readable, but got .*{message}.*again"):
        read_file(file, MOST)


def test_what_a_path_is_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for a writer
    kinds = {
        "none": FileNotFoundError,
        "link": FileNotFoundError,
        "loop": OSError,
        "folder": IsADirectoryError,
        "pipe": OSError,
    }
    for name, kind in kinds.items():
        with pytest.raises(kind) as caught:
            read_file(tmp_path / name, MOST)
        assert not is_transient(caught.value)
    (tmp_path / "large").write_bytes(b"x" * (MOST + 1))
    with pytest.raises(ValueError, match=r"at most 1,000 bytes, but got 1,001 in .*large"):
        read_file(tmp_path / "large", MOST)


def test_a_file_that_another_program_locks_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tile"
    file.write_bytes(b"values")
    with file.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        began = time.monotonic()
        assert read_file(file, MOST) == b"values"
        assert time.monotonic() - began < 1


def test_a_killed_reader_says_so() -> None:
    message = r"The tile a must be read by a process that lives.*fewer workers.*nothing was rememb"
    with pytest.raises(TransientError, match=message):
        raise killed_error("The tile a")
