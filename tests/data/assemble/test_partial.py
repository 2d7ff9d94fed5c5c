"""The folder of an unfinished scene has one process at work, and believes no half-written line."""

import os
from pathlib import Path

import pytest

from data.assemble.blocks import Block
from data.assemble.partial import find_partial, working_on
from data.assemble.write_scene import write_scene
from data.io.safe_json import RefusedError
from tests.support.scene_assets import PlainSource, find_area, find_one_pass, make_frame


def test_two_processes_do_not_assemble_one_scene(tmp_path: Path) -> None:
    found = find_one_pass(find_area(100, 100), make_frame(tmp_path / "assets", "a"))
    to = tmp_path / "scene.zarr"
    with working_on(to):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                write_scene(found, PlainSource(), to)
            except RefusedError as error:
                code = 0 if "by one process at a time, but got another process" in str(error) else 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not find_partial(to).exists()  # nothing was begun


def test_half_a_line_of_the_journal_is_no_block(tmp_path: Path) -> None:
    with working_on(tmp_path / "scene.zarr") as partial:
        partial.start_journal()
        partial.add_loaded(Block("s1asc", 1, 0, 2048))
        journal = partial.folder / "loaded.txt"
        with journal.open("a") as file:
            file.write("s1asc 1 0 20")
        assert partial.read_loaded() == {Block("s1asc", 1, 0, 2048)}
        partial.add_loaded(Block("s1asc", 2, 0, 0))
        assert partial.read_loaded() == {Block("s1asc", 1, 0, 2048), Block("s1asc", 2, 0, 0)}
        journal.write_text("what is this\n")
        with pytest.raises(
            RefusedError,
            match=r"must be as they were written, but got .*loaded.txt. Begin anew, choose",
        ):
            partial.read_loaded()


def test_an_unused_folder_does_not_stay(tmp_path: Path) -> None:
    with working_on(tmp_path / "sub" / "scene.zarr") as partial:
        assert partial.folder.is_dir()
    assert not partial.folder.exists()
    with working_on(tmp_path / "sub" / "scene.zarr") as partial:
        (partial.folder / "loaded.txt").touch()
    assert partial.folder.exists()
