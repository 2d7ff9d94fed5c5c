import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data.fetch import FetchError
from data.fetch.__main__ import main
from data.fetch.hub import check_archive
from data.tiles import hash_file, list_tiles
from tests.support.fetch_fixtures import ASC, DSC, S2, Get, fetched_tiles, manifest_of, tiles_of
from tests.support.loopback_hub import COMMIT, LoopbackHub

pytest_plugins = ["tests.support.fetch_fixtures"]

ROOT = Path(__file__).parents[3]


def start(hub: LoopbackHub, root: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Start the command in another process."""
    settings = {
        "HF_ENDPOINT": f"{hub.endpoint}/",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(root / ".."),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "data.fetch", "--to", str(root), *words],
        cwd=ROOT,
        env=os.environ | settings | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_fetch_writes_the_hokkaido_tiles_byte_for_byte_and_nothing_else(
    get: Get, tiles: dict[str, bytes]
) -> None:
    root = get()
    assert fetched_tiles(root) == tiles_of(tiles, "s1asc", "s1dsc")
    assert len(list_tiles(root)) == 4


def test_manifest_names_commit_archives_and_every_file_s_hash(get: Get, hub: LoopbackHub) -> None:
    root = get()
    manifest = manifest_of(root)
    assert (manifest["synthetic"], manifest["version"]) == (False, "harmonized")
    assert (manifest["repo"], manifest["revision"]) == ("paulhoehn/Sen12Landslides", COMMIT)
    assert manifest["modalities"] == ["s1asc", "s1dsc"]
    assert {path: entry["tiles"] for path, entry in manifest["archives"].items()} == {
        ASC[0]: 2,
        ASC[1]: 2,
        DSC: 4,
    }
    assert manifest["archives"][DSC]["bytes"] == len(hub.files[DSC])
    assert manifest["files"] == {name: hash_file(root / name) for name in fetched_tiles(root)}


def test_second_fetch_sends_no_request(get: Get, hub: LoopbackHub) -> None:
    root, before = get(), len(hub.requests)
    state = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    get()
    get(modalities=["s1dsc"])
    assert len(hub.requests) == before
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == state


def test_an_added_modality_is_fetched_alone(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes]
) -> None:
    get(modalities=["s1asc", "s1asc"])
    get(modalities=["s1asc", "s1dsc"])
    root = get(modalities=["s1asc", "s1dsc", "s2"])
    assert fetched_tiles(root) == tiles
    assert [len(hub.downloads(path)) for path in (*ASC, DSC, S2)] == [1, 1, 1, 1]


def test_raw_version_is_read_from_its_own_archives(get: Get) -> None:
    root = get(version="raw", modalities=["s1asc"])
    assert fetched_tiles(root) == {"s1asc/hokkaido_s1asc_1.nc": b"raw"}
    assert manifest_of(root)["version"] == "raw"


def test_an_archive_without_a_listed_hash_is_accepted_by_its_size(
    get: Get, hub: LoopbackHub
) -> None:
    hub.listed = {DSC: (len(hub.files[DSC]), "")}
    assert len(list((get() / "s1dsc").iterdir())) == 4


def test_lost_connections_are_resumed_where_they_broke(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes]
) -> None:
    hub.drops = [100_000, 50_000]
    assert fetched_tiles(get()) == tiles_of(tiles, "s1asc", "s1dsc")
    first, second, third = hub.downloads(ASC[0])
    assert (first, third) == (None, "bytes=150000-")
    assert second == "bytes=100000-"


def test_a_server_that_ignores_range_is_read_from_the_start(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes]
) -> None:
    hub.drops, hub.ranges = [100_000], False
    assert fetched_tiles(get()) == tiles_of(tiles, "s1asc", "s1dsc")


def test_any_number_of_losses_is_resumed_if_each_try_receives_bytes(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes]
) -> None:
    hub.drops = [20_000] * 8
    assert fetched_tiles(get()) == tiles_of(tiles, "s1asc", "s1dsc")


def test_a_busy_server_is_retried(get: Get, hub: LoopbackHub) -> None:
    hub.busy = 2
    get()
    assert len(hub.downloads(ASC[0])) == 3


def test_a_connection_lost_for_good_is_named_and_the_next_fetch_continues(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes]
) -> None:
    hub.drops = [10**9, 1000, 0, 0, 0]  # the first archive, then almost nothing
    match = rf"to {hub.endpoint} must last, but got lost at 0.0 of .* MB of {ASC[1]} .*same command"
    with pytest.raises(FetchError, match=match):
        get()
    assert fetched_tiles(get()) == tiles_of(tiles, "s1asc", "s1dsc")
    assert len(hub.downloads(ASC[0])) == 1


def test_an_unreachable_hub_is_named(get: Get, hub: LoopbackHub) -> None:
    hub.stop()
    with pytest.raises(FetchError, match=rf"must reach {hub.endpoint}, but got no connection"):
        get()


def test_a_response_of_another_server_is_named(get: Get, hub: LoopbackHub) -> None:
    hub.portal = True
    with pytest.raises(FetchError, match=f"answer in its JSON, but got .* from {hub.endpoint}"):
        get()


def test_offline_mode_is_named(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        FetchError, match=r"must reach .*, but got no connection .*`HF_HUB_OFFLINE` environment"
    ):
        get()


def test_a_token_is_required_and_sent_to_the_hub_only(
    get: Get, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "hf_secret"
    with pytest.raises(
        FetchError, match=r"got HTTP 401 without a token. Log in by `hf auth login`"
    ):
        get()
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(FetchError, match=r"got HTTP 401 with a token. .* HF_TOKEN"):
        get()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert len(list_tiles(get())) == 4
    assert not hub.leaked


def test_terms_not_accepted_are_named(get: Get, hub: LoopbackHub) -> None:
    hub.gated = True
    with pytest.raises(FetchError, match=r"HTTP 403 .*accept the data set's terms on .*/datasets/"):
        get()


def test_a_killed_fetch_is_finished_by_the_next(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes], tmp_path: Path
) -> None:
    hub.stall = (ASC[1], len(hub.files[ASC[1]]) * 2 // 3)  # after the first of two tiles
    root = tmp_path / "real"
    process = start(hub, root)
    assert hub.stalled.wait(60)
    with pytest.raises(FetchError, match="one fetch at a time, but got another one running in"):
        get()
    process.kill()
    process.communicate()
    assert list(manifest_of(root)["archives"]) == [ASC[0]]
    hub.go.set()
    assert fetched_tiles(get()) == tiles_of(tiles, "s1asc", "s1dsc")
    assert [len(hub.downloads(path)) for path in (*ASC, DSC)] == [1, 2, 1]


def test_an_interrupted_command_prints_how_to_continue(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes], tmp_path: Path
) -> None:
    hub.stall = (ASC[0], 1000)
    process = start(hub, tmp_path / "real")
    assert hub.stalled.wait(60)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (
        f"interrupted: finished archives are kept in {tmp_path / 'real'}; the same command" in log
    )
    hub.go.set()
    assert fetched_tiles(get()) == tiles_of(tiles, "s1asc", "s1dsc")


def test_the_command_shows_progress_and_ends_in_a_summary(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.token, hub.drops = "hf_secret", [100_000]
    root = tmp_path / "real tiles"
    process = start(hub, root, "--s2", HF_TOKEN="hf_secret")
    result, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "Connection lost at 0.1 of" in log
    assert "s2/part01.tar.gz: 100%" in log
    assert "10 tiles" in log
    assert "HTTP Request" not in log
    assert "s1asc: 4 tiles (hokkaido 4), " in result
    assert "s2: 2 tiles (hokkaido 2), 0.0 MB" in result
    assert f"Folder: {root} (harmonized, paulhoehn/Sen12Landslides at 0123456789)" in result
    assert "CC BY 4.0, Höhn et al. 2025, doi 10.1038/s41597-025-06167-2" in result
    assert result.endswith(f"Next: python -m data.check '{root}'\n")


def test_a_failed_command_prints_one_line(
    hub: LoopbackHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "real").write_text("a file")
    assert main(["--to", str(tmp_path / "real")]) == 1
    assert capsys.readouterr().err.startswith("error: The tile folder must be writable, but got")


@pytest.mark.parametrize(
    "path",
    [
        "data_harmonized/s1asc/../x.tar.gz",
        "data_harmonized/s1asc/../../x.tar.gz",
        "data_harmonized/../../s1asc/x.tar.gz",
        "data_harmonized/.*/x.tar.gz",
        "x/../y.tar.gz",
        "/tmp/x.tar.gz",
        "data_harmonized/s1dsc/x.tar.gz",
        "data_harmonized/s1asc/" + "x" * 5000 + ".tar.gz",
        "data_harmonized/s1asc/\x1b[2J.tar.gz",
    ],
)
def test_a_path_that_a_hub_lists_cannot_leave_the_folder(
    path: str, get: Get, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"type": "file", "path": path, "size": 9, "oid": "0" * 40}
    monkeypatch.setattr(
        "tests.support.loopback_hub._Hub._tree", lambda self, *_: self.answer(200, [entry])
    )
    with pytest.raises(FetchError, match="A hub must list data_harmonized/s1asc/<name>") as caught:
        get(modalities=["s1asc"])
    assert len(str(caught.value)) < 500
    assert "\x1b" not in str(caught.value)
    assert list(tmp_path.rglob("*.nc")) == []


@pytest.mark.parametrize(
    ("size", "sha256", "message"),
    [
        ("9", "0" * 64, f"its length and a SHA-256 of 64 digits, but got '{ASC[0]}', '9', '000"),
        (-1, "0" * 64, f"its length and a SHA-256 of 64 digits, but got '{ASC[0]}', -1, '000"),
        (9, "../x", f"its length and a SHA-256 of 64 digits, but got '{ASC[0]}', 9, '../x'."),
    ],
)
def test_length_and_hash_that_a_hub_lists_are_checked(
    size: object, sha256: object, message: str
) -> None:
    with pytest.raises(FetchError, match=re.escape(message)):
        check_archive(ASC[0], size, sha256, "data_harmonized/s1asc")


@pytest.mark.parametrize("commit", ["../../x", "main", "", None, 7, "a" * 39])
def test_a_commit_that_a_hub_names_is_checked(
    commit: object, get: Get, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"id": "x/y", "sha": commit, "siblings": []}
    monkeypatch.setattr(
        "tests.support.loopback_hub._Hub._info", lambda self, _: self.answer(200, answer)
    )
    with pytest.raises(FetchError, match=r"The hub must name a commit, but got .* from http"):
        get()


def test_a_deeply_nested_response_is_named(
    get: Get, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = "[" * 100_000
    monkeypatch.setattr(
        "tests.support.loopback_hub._Hub._info", lambda self, _: self.answer(200, deep, raw=True)
    )
    with pytest.raises(FetchError, match="A hub must answer in its JSON, but got something else"):
        get()
