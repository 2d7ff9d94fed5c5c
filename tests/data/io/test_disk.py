"""A full disk is told apart from one without room for more files, and from a quota."""

import errno
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from data.io.disk import (
    FullDiskError,
    check_free_space,
    count_free_files,
    describe_free_space,
    is_full,
    nearest_folder,
    says_full,
)


def test_a_disk_without_room_for_files_says_so(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m,nr_inodes=30", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        for number in range((count_free_files(tmp_path) or 0) - 1):
            (tmp_path / str(number)).touch()
        assert is_full(tmp_path)
        with pytest.raises(
            FullDiskError,
            match=r"must have room for 2,000 more files, but has room for 1 \(inodes.*Delete files there",
        ):
            check_free_space(tmp_path / "new")
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_disk_with_space_that_refuses_more_has_a_quota(tmp_path: Path) -> None:
    assert "a quota or a limit of this user is used up" in describe_free_space(tmp_path)
    check_free_space(tmp_path)
    assert not is_full(tmp_path)
    assert nearest_folder(tmp_path / "a" / "b") == tmp_path


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        sqlite3.OperationalError("database or disk is full"),
        RuntimeError("[enforce fail at inline_container] PytorchStreamWriter failed writing file"),
        RuntimeError("FullDiskError: the trial's disk"),
        FullDiskError("x"),
    ],
    ids=repr,
)
def test_a_full_disk_is_known_in_the_errors_of_every_library(error: Exception) -> None:
    assert says_full(error)
    assert not says_full(OSError(errno.EACCES, "x"))
