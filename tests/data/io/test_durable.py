"""A published folder is whole: its files are forced onto the disk first, and leftovers of killed builds go."""

import os
from pathlib import Path

import pytest

from data.io import durable
from data.io.durable import building_folder, publish_folder, write_atomically
from data.io.lock import try_lock


def build(final: Path, text: str, *, replace: bool = False) -> None:
    with building_folder(final) as temporary:
        (temporary / "file").write_text(text)
        publish_folder(temporary, final, replace=replace)


def test_files_are_forced_onto_the_disk_before_their_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []
    final = tmp_path / "final"
    monkeypatch.setattr(
        durable, "sync_file", lambda path: synced.append((path.name, final.exists()))
    )
    build(final, "new")
    assert synced == [
        ("file", False),
        (f".final.{os.getpid()}", False),
        (tmp_path.name, True),  # the name itself
    ]
    synced.clear()
    write_atomically(final / "other", lambda aside: aside.write_text("x"))
    assert synced == [(f".{os.getpid()}.other", True), ("final", True)]


def test_a_folder_is_replaced_only_on_request(tmp_path: Path) -> None:
    final = tmp_path / "final"
    build(final, "old")
    with pytest.raises(OSError, match="not empty"):
        build(final, "new")
    assert (final / "file").read_text() == "old"
    build(final, "new", replace=True)
    assert (final / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


def test_what_a_killed_process_left_is_deleted_and_a_living_one_s_kept(tmp_path: Path) -> None:
    dead, alive = tmp_path / ".pack-other.1", tmp_path / ".pack-other.2"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "half").touch()
    with try_lock(alive):
        build(tmp_path / "pack-one", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".pack-other.2", "pack-one"]


def test_hidden_folders_of_others_are_kept(tmp_path: Path) -> None:
    for name in (".map2.scene.zarr.partial", ".map.v1"):
        (tmp_path / name).mkdir()
    build(tmp_path / "map", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".map.v1",
        ".map2.scene.zarr.partial",
        "map",
    ]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), building_folder(tmp_path / "final"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
