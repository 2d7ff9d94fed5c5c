"""Checks of the output folder, the temporary folder and the tiles, on real disks and files."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.tiles import ORBITS
from tests.support.check_results import matches
from tuning.doctor.folders import (
    check_output,
    check_temporary,
    check_tiles,
    list_region_words,
)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_output_folder_must_be_writable(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    found = r"a/b \(not created yet\): .* GB free, about 3.0 GB needed"
    assert matches(check_output(folder), "ok", found)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "x", Path("/proc"), Path("/sys/mlruns")):
        rule = "output folder must be writable, but .*(file|proc|sys) is not"
        assert matches(check_output(folder), "FAIL", rule, "--root FOLDER")


def test_needed_space_shrinks_with_an_existing_twin_and_pack(tmp_path: Path, twin: Path) -> None:
    assert "about 2.5 GB" in check_output(tmp_path, str(twin)).found
    (tmp_path / "data" / "twin-harmonized-1").mkdir(parents=True)
    assert "about 2.5 GB" in check_output(tmp_path).found
    (tmp_path / "packs" / "pack-1").mkdir(parents=True)
    assert "about 1.8 GB" in check_output(tmp_path).found


def test_full_disk_is_named(tiny_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tiny_disk))
    assert matches(check_output(tiny_disk), "FAIL", "must have 209.* free", "another disk")
    assert matches(check_temporary(), "ok", "0% full")
    (tiny_disk / "large").write_bytes(b"\0" * 1_000_000)
    assert matches(check_temporary(), "warn", r"9\d% full; Ray stores nothing", "RAY_TMPDIR=FOLDER")
    with pytest.raises(OSError, match="No space"):
        (tiny_disk / "larger").write_bytes(b"\0" * 1_000_000)
    assert matches(check_temporary(), "FAIL", "No space left on device", "TMPDIR=FOLDER")


def test_temporary_folder_is_the_one_that_ray_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert matches(check_temporary(), "ok", f"{tmp_path}: ")
    monkeypatch.delenv("RAY_TMPDIR")
    assert matches(check_temporary(), "FAIL", "gone is not: No such file", "TMPDIR=FOLDER")
    monkeypatch.setenv("TMPDIR", "/proc")
    assert matches(check_temporary(), "FAIL", "/proc is not: ", "TMPDIR=FOLDER")


def test_twin_needs_no_tiles(tmp_path: Path) -> None:
    assert matches(check_tiles("twin", tmp_path), "ok", f"synthetic twin in {tmp_path / 'data'}")


def test_tiles_are_opened(twin: Path, tmp_path: Path) -> None:
    result = check_tiles(str(twin), tmp_path)
    assert matches(result, "ok", r"^12 SYNTHETIC .* tiles of hokkaido in .*, dB; 6 files opened$")


def test_command_chooses_the_regions_where_the_default_has_no_tile(
    copy_tiles: Callable[[], Path],
) -> None:
    tiles = copy_tiles()
    assert list_region_words("twin") == list_region_words(str(tiles)) == []
    for orbit in ORBITS:
        for file in (tiles / orbit).iterdir():
            file.rename(file.with_name(file.name.replace("hokkaido", "noto")))
    assert list_region_words(str(tiles)) == ["--region", "all"]


def test_missing_tiles_are_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        result = check_tiles(str(folder), tmp_path)
        assert matches(result, "FAIL", "must hold s1asc/.* no folder s1asc/", "or --data twin")


def test_damaged_tile_is_named_with_the_command_that_lists_all(
    copy_tiles: Callable[[], Path], spoil: Callable[[Path, str, str], Path], tmp_path: Path
) -> None:
    tiles = copy_tiles()
    first = min(path.stem.rpartition("_")[2] for path in (tiles / "s1asc").iterdir())
    spoiled = spoil(tiles, f"hokkaido_{first}", "s1dsc")
    result = check_tiles(str(tiles), tmp_path)
    remedy = f"^python -m data.check {tiles}$"
    assert matches(result, "warn", rf"1 of 6 opened files are unusable: .*{spoiled}", remedy)
    spoiled.unlink()
    assert matches(check_tiles(str(tiles), tmp_path), "warn", f"1 lack an orbit.*_{first}$", remedy)


def test_folder_without_a_usable_tile_fails(copy_tiles: Callable[[], Path], tmp_path: Path) -> None:
    tiles = copy_tiles()
    for orbit in ORBITS:
        for file in (tiles / orbit).iterdir():
            file.write_text("no NetCDF")
    result = check_tiles(str(tiles), tmp_path)
    assert matches(result, "FAIL", "6 of 6 opened files are unusable", "^python -m data.check")


def test_unreadable_manifest_is_named(copy_tiles: Callable[[], Path], tmp_path: Path) -> None:
    tiles = copy_tiles()
    (tiles / "fetch.json").write_text("{")
    assert matches(
        check_tiles(str(tiles), tmp_path), "FAIL", "manifest must have the keys", "--data"
    )
