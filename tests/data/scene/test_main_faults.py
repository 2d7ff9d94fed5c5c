"""`python -m data.scene` beside servers that fail: it goes on where it can, says what is wrong where not, and resumes."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import xarray as xr

from data.scene import __main__
from tests.support.forked_commands import Server
from tests.support.loopback_catalogue import BLOBS, LoopbackCatalogue
from tests.support.loopback_places import ASCENDING_TRACK
from tests.support.loopback_products import find_file
from tests.support.loopback_scenes import check_values, list_words, open_orbit, run
from tests.support.loopback_server import Fault

FEW = ("--before", "2", "--after", "1")
ASSETS, SEARCH = r"/assets/rtc/", r"/search$"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """The scene to make."""
    return tmp_path / "noto.zarr"


def check_whole(catalogue: LoopbackCatalogue, to: Path) -> None:
    place = catalogue.places["twin"]
    check_values(place, open_orbit(to, "s1asc"), "s1asc", ASCENDING_TRACK)
    assert [path.name for path in to.parent.iterdir()] == [to.name]  # nothing is left beside it


FAULTS = {
    "busy with a search": Fault(SEARCH, 2, 429, {"Retry-After": "1"}),
    "searches fail": Fault(SEARCH, 1, 503),
    "searches are dropped": Fault(SEARCH, 1),
    "busy with assets": Fault(ASSETS, 3, 429, {"Retry-After": "1"}),
    "assets fail": Fault(ASSETS, 4, 503),
    "assets are cut": Fault(ASSETS, 4, share=0.5),
    "assets are dropped": Fault(ASSETS, 4),
}


@pytest.mark.parametrize("name", FAULTS)
def test_scene_is_whole_after_a_fault_that_passes(
    name: str, catalogue: LoopbackCatalogue, scene_commands: Server, to: Path
) -> None:
    fault = Fault(**vars(FAULTS[name]))
    catalogue.server.faults.append(fault)
    answer = run(scene_commands, catalogue, [*list_words(catalogue, to), *FEW])
    assert answer.code == 0, answer.said
    assert fault.times == 0
    check_whole(catalogue, to)


def test_busy_catalogue_is_left_alone_as_long_as_it_asks(
    catalogue: LoopbackCatalogue, scene_commands: Server, to: Path
) -> None:
    catalogue.server.faults.append(Fault(SEARCH, 1, 429, {"Retry-After": "3"}))
    answer = run(scene_commands, catalogue, [*list_words(catalogue, to), *FEW])
    assert answer.code == 0, answer.said
    first, second, *_ = catalogue.server.find(SEARCH)
    assert second.time_s - first.time_s >= 3


def test_catalogue_that_stays_away_is_named_and_nothing_is_written(
    catalogue: LoopbackCatalogue, scene_commands: Server, to: Path
) -> None:
    catalogue.server.faults.append(Fault("/stac", -1, 404))
    answer = run(scene_commands, catalogue, [*list_words(catalogue, to), *FEW])
    assert answer.code != 0
    assert "The catalogue must answer" in answer.said
    assert catalogue.stac in answer.said
    assert not to.exists()


def test_host_that_never_answers_is_given_up(
    catalogue: LoopbackCatalogue,
    to: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("data.search.connection.READ_S", 0.3)
    monkeypatch.setattr("data.search.connection.TRIES", 1)
    monkeypatch.setattr("data.search.connection.BACKOFF_S", 0.1)
    catalogue.server.faults.append(Fault("/stac", -1, silent=True))
    assert __main__.main([*list_words(catalogue, to)[1:], *FEW]) != 0
    said = capsys.readouterr().err
    assert "The catalogue must answer" in said
    assert "timed out" in said
    assert not to.exists()


def test_asset_that_is_denied_once_is_signed_anew(
    catalogue: LoopbackCatalogue, scene_commands: Server, to: Path
) -> None:
    fault = Fault(next(iter(BLOBS)), 1, 403)
    catalogue.server.faults.append(fault)
    answer = run(scene_commands, catalogue, [*list_words(catalogue, to, "planetary"), *FEW])
    assert answer.code == 0, answer.said
    assert fault.times == 0
    check_whole(catalogue, to)


def test_token_that_is_about_to_expire_is_not_used(
    catalogue: LoopbackCatalogue, scene_commands: Server, to: Path
) -> None:
    catalogue.tokens.life, catalogue.tokens.given = timedelta(seconds=90), 0
    answer = run(scene_commands, catalogue, [*list_words(catalogue, to, "planetary"), *FEW])
    assert answer.code == 0, answer.said
    assert catalogue.tokens.given > 2 * len(BLOBS)  # each would end while its asset is read


@pytest.fixture
def truncated(catalogue: LoopbackCatalogue) -> Iterator[Path]:
    """The file that ends early; what a test does to it is undone."""
    sizes = {
        file: file.stat().st_size
        for item in catalogue.items
        if item["properties"].get("sat:relative_orbit") == ASCENDING_TRACK
        for file in [catalogue.folder / find_file(item["assets"]["vh"]["href"])]
    }
    file = min(sizes, key=lambda one: sizes[one])
    content = file.read_bytes()
    yield file
    file.write_bytes(content)


@pytest.mark.slow
def test_truncated_asset_is_named_and_the_mended_one_completes_the_scene(
    catalogue: LoopbackCatalogue, scene_commands: Server, to: Path, truncated: Path
) -> None:
    words = [*list_words(catalogue, to), "--before", "1", "--after", "6"]
    answer = run(scene_commands, catalogue, words)
    assert answer.code == 1, answer.said
    assert "a truncated or damaged file" in answer.said
    assert truncated.parts[-3] in answer.said  # the product's name
    assert "The same command continues" in answer.said
    assert not to.exists()
    before = read_assets(catalogue)
    shutil.copy(truncated.with_name("iw-vv.rtc.tiff"), truncated)  # whole, though of another band
    catalogue.server.log.clear()
    answer = run(scene_commands, catalogue, words)
    assert answer.code == 0, answer.said
    assert len(read_assets(catalogue) & before) < len(before) / 2
    last = open_orbit(to, "s1asc").isel(time=-1)
    assert last["VH"].notnull().all()


def read_assets(catalogue: LoopbackCatalogue) -> set[str]:
    """Return the assets of which bytes were sent."""
    return {one.path for one in catalogue.server.find(ASSETS, "GET")}


@pytest.mark.slow
def test_killed_scene_resumes_without_loading_a_chunk_twice(
    catalogue: LoopbackCatalogue, scene_commands: Server, tmp_path: Path, to: Path
) -> None:
    whole = tmp_path / "whole" / "noto.zarr"
    whole.parent.mkdir()
    words = [*list_words(catalogue, to), "--workers", "2"]
    at_once = run(scene_commands, catalogue, [*list_words(catalogue, whole), "--workers", "2"])
    assert at_once.code == 0, at_once.said
    catalogue.calm()
    catalogue.server.slow[ASSETS] = 0.05
    kill_after(catalogue, words, requests=100)
    assert not to.exists()
    first = count_bytes(catalogue)
    catalogue.calm()
    answer = run(scene_commands, catalogue, words)
    assert answer.code == 0, answer.said
    assert "is continued with the acquisitions that were found before" in answer.said
    assert catalogue.server.count(SEARCH) == 0
    match = re.search(r"load .*: ([\d,]+) chunks, ([\d,]+) before", answer.said)
    assert match, answer.said
    loaded, kept = int(match[1]), int(match[2])
    assert kept > 4
    assert loaded + kept == count_chunks(at_once.said)
    second = count_bytes(catalogue)
    days = {name: set(one) & set(second[name]) for name, one in first.items() if name in second}
    # The two workers' own blocks and the one that waited for them were not written yet: VV and VH of a pass each.
    assert len(days) <= 3, days
    for orbit in ("s1asc", "s1dsc"):
        xr.testing.assert_identical(open_orbit(to, orbit), open_orbit(whole, orbit))


def kill_after(catalogue: LoopbackCatalogue, words: list[str], requests: int) -> None:
    """Start the command, and kill it when it has asked for so many parts of assets."""
    call = [sys.executable, "-m", *words]
    environment = {**catalogue.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(call, cwd=catalogue.folder, env=environment) as process:
        try:
            catalogue.server.wait_for(ASSETS, requests)
        finally:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def count_bytes(catalogue: LoopbackCatalogue) -> dict[str, set[str]]:
    """Return the assets of each pass of which bytes were sent, by the day in the product's name."""
    found = defaultdict(set)
    for path in read_assets(catalogue):
        name = next(part for part in path.split("/") if part.startswith("S1"))
        found[name[17:25]].add(path)
    return dict(found)


def count_chunks(said: str) -> int:
    match = re.search(r"load .*: ([\d,]+) chunks", said)
    assert match, said
    return int(match[1])
