"""An interrupted scene is continued without loading a block twice, never mixed with another request, and never replaced."""

import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data.assemble import write_scene as write_scene_module
from data.assemble.blocks import Block
from data.assemble.load import load_block
from data.assemble.partial import Partial, find_partial
from data.assemble.request import describe_found, list_differences
from data.assemble.write_scene import write_scene
from data.io.safe_json import RefusedError
from data.search.acquisitions import Found
from tests.support.asset_server import AssetServer, serve_assets
from tests.support.scene_assets import (
    EVENT,
    PlainSource,
    find_area,
    make_found,
    make_frame,
    make_pass,
    make_power,
)

AREA = find_area(120, 140, 20, 30)
DAYS = tuple(f"2018-0{month}-0{day}T08:40:10" for month in (7, 8, 9) for day in (1, 7))
CHILD = """
import pickle, sys
from pathlib import Path
from data.assemble.write_scene import write_scene
from tests.support.scene_assets import PlainSource
found, to = pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
write_scene(found, PlainSource(), to, workers=1)
"""


def make_series(folder: Path, address: str = "") -> Found:
    """Make six passes; the second has no valid pixel."""
    passes = []
    for number, day in enumerate(DAYS):
        power = make_power(200, 200, number) * (number != 1)
        passes.append(make_pass([make_frame(folder, f"p{number}", power, address)], day))
    return make_found(passes, AREA)


def start(found: Found, to: Path, folder: Path) -> subprocess.Popen[bytes]:
    file = folder / "found.pickle"
    file.write_bytes(pickle.dumps(found))
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, file, to], cwd=root, stderr=subprocess.DEVNULL
    )


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def count_reads(server: AssetServer) -> dict[str, int]:
    names = sorted(file.name for file in server.folder.glob("*.tif"))
    return {name: server.count(f"/{name}") for name in names}


def read(path: Path) -> xr.Dataset:
    return xr.open_dataset(path, group="s1asc", engine="zarr", consolidated=False).load()


def test_scene_resumes_without_loading_a_chunk_twice(tmp_path: Path) -> None:
    assets, to = tmp_path / "assets", tmp_path / "scene.zarr"
    with serve_assets(assets) as server:
        found = make_series(assets, server.address)

        def stall(path: str) -> None:
            if path == "/p4_vh.tif" and not resumed:
                time.sleep(60)

        resumed: list[bool] = []
        server.before = stall
        child = start(found, to, tmp_path)
        wait_for(lambda: server.count("/p4_vh.tif", "HEAD") > 0)
        journal = find_partial(to) / "loaded.txt"
        wait_for(lambda: len(journal.read_text().splitlines()) == 4)
        child.kill()
        child.wait()
        assert not to.exists()
        resumed.append(True)
        before = count_reads(server)
        server.requests.clear()
        report = write_scene(found, PlainSource(), to)
        after = count_reads(server)
    assert (report.chunks_before, report.chunks) == (8, 4)
    for number in range(4):  # also the second, whose chunks are NaN and have no files
        for band in ("vv", "vh"):
            assert before[f"p{number}_{band}.tif"] > 0
            assert after[f"p{number}_{band}.tif"] == 0
    assert after["p5_vv.tif"] > 0
    assert not find_partial(to).exists()
    whole = write_scene(make_series(tmp_path / "again"), PlainSource(), tmp_path / "whole.zarr")
    xr.testing.assert_equal(read(to), read(whole.path))
    assert np.isnan(read(to)["VV"].values[1]).all()


def test_an_interrupted_scene_keeps_what_it_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, to = make_series(tmp_path / "assets"), tmp_path / "scene.zarr"
    loaded: list[Block] = []

    def interrupt(found: Found, source: object, block: Block, *rest: object) -> object:
        if len(loaded) == 3:
            raise KeyboardInterrupt
        loaded.append(block)
        return load_block(found, source, block, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(write_scene_module, "load_block", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_scene(found, PlainSource(), to, workers=1)
    assert not to.exists()
    assert len(Partial(to).read_loaded()) == 3
    loaded.append(Block("s1asc", 9, 0, 0))
    report = write_scene(found, PlainSource(), to)
    assert (report.chunks_before, report.chunks) == (6, 6)


def test_blocks_that_come_together_with_an_error_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, to = make_series(tmp_path / "assets"), tmp_path / "scene.zarr"

    def fail(found: Found, source: object, block: Block, *rest: object) -> object:
        if block.step in (0, 2, 4):
            raise RuntimeError("a test")
        return load_block(found, source, block, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(write_scene_module, "load_block", fail)
    monkeypatch.setattr(write_scene_module, "wait", lambda running, **_: wait(running))
    with pytest.raises(RuntimeError, match="a test"):
        write_scene(found, PlainSource(), to, workers=5)
    assert {block.step for block in Partial(to).read_loaded()} == {1, 3, 5}


def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Found, Path]:
    """Begin a scene whose third block cannot be read."""
    found, to = make_series(tmp_path / "assets"), tmp_path / "scene.zarr"

    def fail(found: Found, source: object, block: Block, *rest: object) -> object:
        if block.step == 2:
            raise RuntimeError("a test")
        return load_block(found, source, block, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(write_scene_module, "load_block", fail)
        with pytest.raises(RuntimeError, match="a test"):
            write_scene(found, PlainSource(), to, workers=1)
    return found, to


def test_an_interrupted_scene_of_another_request_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, to = interrupted(tmp_path, monkeypatch)
    other = replace(found, event=EVENT + np.timedelta64(1, "D"))
    message = r"scene.zarr was begun with another request, but got event: 2018-09-06T18:08:00, before 2018-09-05T18:08:00 in .*\.scene\.zarr\.partial\. Repeat that, choose another --to, or delete"
    with pytest.raises(RefusedError, match=message):
        write_scene(other, PlainSource(), to)
    assert not to.exists()
    assert write_scene(found, PlainSource(), to).chunks_before > 0


def test_acquisitions_found_first_are_kept_until_the_scene_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalogue that has one more image by now does not change a scene half-way."""
    found, to = interrupted(tmp_path, monkeypatch)
    shutil.rmtree(find_partial(to))
    request = {"event": "2018-09-05T18:08"}

    def fail(*_: object) -> object:
        raise RuntimeError("a test")

    with monkeypatch.context() as patch:
        patch.setattr(write_scene_module, "load_block", fail)
        with pytest.raises(RuntimeError, match="a test"):
            write_scene(found, PlainSource(), to, request=request)
    more = make_found(found.acquisitions["s1asc"][:4], AREA)
    report = write_scene(more, PlainSource(), to, request=request)
    assert len(report.dates["s1asc"]) == 6


def test_a_complete_scene_of_the_same_request_is_used_as_it_is(tmp_path: Path) -> None:
    found, to = make_series(tmp_path / "assets"), tmp_path / "scene.zarr"
    made = write_scene(found, PlainSource(), to)
    shutil.rmtree(tmp_path / "assets")
    again = write_scene(found, PlainSource(), to)
    assert again.notes[-1].startswith(f"{to} was there already, made at 20")
    assert (again.chunks, again.bytes_read, again.seconds_load) == (0, 0, 0)
    same = ("path", "source", "address", "event", "crs", "area_km2", "shape", "dates", "tracks")
    assert [getattr(again, name) for name in same] == [getattr(made, name) for name in same]


def test_what_exists_is_never_replaced(tmp_path: Path) -> None:
    found, to = make_series(tmp_path / "assets"), tmp_path / "scene.zarr"
    write_scene(found, PlainSource(), to)
    other = replace(found, event=EVENT + np.timedelta64(1, "D"))
    message = r"used for the request that it was made for, but got event: 2018-09-06.*, before 2018-09-05.* in .*scene.zarr. Choose another --to"
    with pytest.raises(RefusedError, match=message):
        write_scene(other, PlainSource(), to)
    for name in ("file", "folder"):
        path = tmp_path / name
        path.write_text("mine") if name == "file" else path.mkdir()
        with pytest.raises(
            RefusedError, match=r"needs a new name.*something that is no scene of this command"
        ):
            write_scene(found, PlainSource(), path)
        assert path.exists()


def test_damaged_files_of_an_interrupted_scene_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, to = interrupted(tmp_path, monkeypatch)
    (find_partial(to) / "found.json").write_text("{}")
    with pytest.raises(
        RefusedError,
        match=r"must be as they were written, but got 'area' in .*found.json. Begin anew",
    ):
        write_scene(found, PlainSource(), to)


def test_requests_differ_by_name(tmp_path: Path) -> None:
    found = make_series(tmp_path)
    one, other = describe_found(found), describe_found(replace(found, address="elsewhere"))
    assert list_differences(one, one) == []
    assert list_differences(other, one) == ["address: elsewhere, before a folder"]


def test_after_an_error_no_further_block_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, begun = make_series(tmp_path / "assets"), []

    def fail(found: Found, source: object, block: Block, *_: object) -> object:
        begun.append(block)
        raise RuntimeError("a test")

    monkeypatch.setattr(write_scene_module, "load_block", fail)
    with pytest.raises(RuntimeError, match="a test"):
        write_scene(found, PlainSource(), tmp_path / "scene.zarr", workers=1)
    assert 1 <= len(begun) <= 2  # the next one may have begun
    assert Partial(tmp_path / "scene.zarr").read_loaded() == set()
