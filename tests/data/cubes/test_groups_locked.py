"""A datacube that another program locks is waited for, and the lock is named with its remedy if it stays."""

import fcntl
from pathlib import Path

import pytest

from data.cubes.groups import open_groups
from data.io import read_file
from data.io.read_file import TransientError
from tests.support.cube_files import make_groups, write_netcdf


def test_a_lock_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_file, "WAITS_S", (0.0,))
    path, notes = write_netcdf(make_groups(16, 16), tmp_path / "cube.nc"), ["kept"]
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        message = r"The datacube .*cube\.nc must .*temporarily unavailable.*HDF5_USE_FILE_LOCKING"
        with pytest.raises(TransientError, match=message):
            open_groups(path, ("s1asc",), None, notes)
    assert notes == ["kept"]
    assert list(open_groups(path, ("s1asc",), None, notes)) == ["s1asc"]


def test_damage_is_told_from_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "cube.nc"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    with pytest.raises(ValueError, match="must be readable NetCDF or Zarr"):
        open_groups(path, ("s1asc",), None, [])
