"""What a pack leaves out follows from the files alone: never from an error of the moment, and its hash says so."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from data.check.tile import CheckJob, check_each, check_tile
from data.io import processes, read_file
from data.io.processes import WorkerDied
from data.io.read_file import TransientError
from data.pack import READER_CRASHED, Pack, build, make_pack
from data.splits.leakage import survey_folder
from data.tiles import ORBITS, tile_path


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_file, "WAITS_S", (0.0,))
    monkeypatch.setattr(processes, "KILL_WAITS_S", (0.0,))


def break_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let each read of files of this name fail in this process."""
    read = read_file._read

    def fail(path: Path, max_bytes: int) -> bytes:
        if path.name == name:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return read(path, max_bytes)

    monkeypatch.setattr(read_file, "_read", fail)


def test_a_disk_error_ends_the_build_by_name_and_leaves_no_trace(
    twin: Path, tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tile_path(twin, pack.tile_ids[0], "s1asc")
    with monkeypatch.context() as patch:
        break_disk(patch, file.name)
        with pytest.raises(TransientError, match=rf"{file.name} must be .*Input/output error"):
            make_pack(twin, tmp_path, tile_ids=pack.tile_ids[:2])
    assert list(tmp_path.iterdir()) == []
    again = make_pack(twin, tmp_path, tile_ids=pack.tile_ids[:2])
    assert again.excluded == {}


def test_a_killed_reader_ends_the_build_and_a_crash_leaves_the_tile_out(
    twin: Path, tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pack.tile_ids[:2]
    died = WorkerDied(killed=True)
    with monkeypatch.context() as patch:
        patch.setattr(build, "map_processes", lambda *_, **__: iter([died, died]))
        with pytest.raises(TransientError, match=rf"The tile {first} of .* was killed"):
            make_pack(twin, tmp_path, tile_ids=[first, second])
    assert list(tmp_path.iterdir()) == []

    def crash_first(
        work: Callable[[str], object], items: list[str], *_: object, **__: object
    ) -> Iterator[object]:
        return iter([WorkerDied() if item == first else work(item) for item in items])

    monkeypatch.setattr(build, "map_processes", crash_first)
    lacking = make_pack(twin, tmp_path, tile_ids=[first, second])
    assert lacking.excluded == {first: READER_CRASHED}
    monkeypatch.undo()
    whole = make_pack(twin, tmp_path / "other", tile_ids=[first, second])
    assert whole.inputs == lacking.inputs
    assert whole.hash != lacking.hash  # of the same files, but without a tile


def test_too_little_memory_for_a_tile_is_tried_again_and_then_named(
    twin: Path, tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tile = pack.tile_ids[0]

    def starve(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(build, "map_processes", lambda work, items, *_, **__: map(work, items))
    monkeypatch.setattr("data.pack.tile_row.compare_tiles", starve)
    message = rf"The tile {tile} of .* 'Cannot allocate memory' .* fewer workers"
    with pytest.raises(TransientError, match=message):
        make_pack(twin, tmp_path, tile_ids=[tile])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_manifest_may_begin_with_a_link_to_nothing(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles, first = copy_tiles(), pack.tile_ids[0]
    for orbit in ORBITS:
        tile_path(tiles, first, orbit).unlink()
        tile_path(tiles, first, orbit).symlink_to("/nowhere")
    packed = make_pack(tiles, tmp_path / "packs", tile_ids=pack.tile_ids[:2])
    assert list(packed.excluded) == [first]
    assert packed.synthetic
    assert packed.units == "dB"


def test_a_check_says_that_a_file_could_not_be_read_now(
    copy_tiles: Callable[[], Path], pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles, tile = copy_tiles(), pack.tile_ids[0]
    job = CheckJob(tile, dict.fromkeys(ORBITS, ""))
    with monkeypatch.context() as patch:
        break_disk(patch, tile_path(tiles, tile, "s1asc").name)
        report = check_tile(tiles, None, job).files[0]
    assert report.verdict == "unread"
    assert "Input/output error" in report.reason
    died = WorkerDied(killed=True)
    monkeypatch.setattr(
        "data.check.tile.map_processes", lambda work, items, *_, **__: iter([died] * len(items))
    )
    (checked,) = check_each(partial(check_tile, tiles, None), [job])
    assert {file.verdict for file in checked.files} == {"unread"}
    assert "was killed" in checked.files[0].reason


def test_a_tile_that_another_program_locks_is_packed(
    twin: Path, tmp_path: Path, pack: Pack
) -> None:
    tile = pack.tile_ids[0]
    with tile_path(twin, tile, "s1asc").open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert make_pack(twin, tmp_path, tile_ids=[tile]).tile_ids == (tile,)


def test_a_path_that_is_no_file_is_one_unusable_tile(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles = copy_tiles()
    link, folder, pipe, loop = (tile_path(tiles, tile, "s1dsc") for tile in pack.tile_ids[:4])
    content = link.read_bytes()
    for path in (link, folder, pipe, loop):
        path.unlink()
    link.symlink_to("/nowhere")
    folder.mkdir()
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    packed = make_pack(tiles, tmp_path / "packs", tile_ids=pack.tile_ids[:5])
    reasons = list(packed.excluded.values())
    assert list(packed.excluded) == list(pack.tile_ids[:4])
    for reason, got in zip(
        reasons, ("a link to nothing", "Is a directory", "No such device", "Too many"), strict=True
    ):
        assert got in reason
    assert set(survey_folder(tiles).unusable) == set(packed.excluded)
    link.unlink()
    link.write_bytes(content)  # the tile comes back
    again = make_pack(tiles, tmp_path / "packs", tile_ids=pack.tile_ids[:5])
    assert list(again.excluded) == list(pack.tile_ids[1:4])
    assert again.hash != packed.hash


def test_a_tile_that_changes_while_it_is_packed_is_refused(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles, tile = copy_tiles(), pack.tile_ids[0]

    def change_then_map(
        work: Callable[[str], object], items: list[str], *_: object, **__: object
    ) -> Iterator[object]:
        with tile_path(tiles, tile, "s1asc").open("ab") as file:
            file.write(b"\0")
        return iter(map(work, items))

    monkeypatch.setattr(build, "map_processes", change_then_map)
    with pytest.raises(ValueError, match=rf"stay as they are .* {tile} of .* was changed"):
        make_pack(tiles, tmp_path / "packs", tile_ids=[tile])
    assert list((tmp_path / "packs").iterdir()) == []
