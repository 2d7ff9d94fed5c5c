import json
import shutil
from pathlib import Path

import pytest

from data.fetch import FetchError
from data.fetch.__main__ import main
from data.fetch.manifest import MANIFEST
from tests.support.fetch_fixtures import ASC, DSC, S2, Get, fetched_tiles, manifest_of, tiles_of
from tests.support.loopback_hub import COMMIT, LoopbackHub, tar_gz

pytest_plugins = ["tests.support.fetch_fixtures"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--version", "harmonised"], "Unknown version 'harmonised'. Did you mean 'harmonized'?"),
        (["--orbits", "s1ascc"], "Unknown modality 's1ascc'. Did you mean 's1asc'?"),
    ],
)
def test_an_unknown_name_is_an_invalid_argument(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--to", str(tmp_path / "real"), *words]) == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert not (tmp_path / "real").exists()


def test_no_modality_is_an_invalid_argument(get: Get) -> None:
    with pytest.raises(ValueError, match="must have a modality, but got none"):
        get(modalities=[])


def test_a_folder_holds_one_version(get: Get) -> None:
    get(modalities=["s1asc"])
    with pytest.raises(FetchError, match=r"one version, but got raw for .* which holds harmonized"):
        get(version="raw", modalities=["s1asc"])


def test_a_folder_stays_at_its_revision(get: Get, hub: LoopbackHub) -> None:
    get(modalities=["s1asc"], revision="main")
    hub.revisions |= {"main": "f" * 40, "v1": COMMIT, "f" * 40: "f" * 40}
    count = len(hub.requests)
    get(modalities=["s1asc"], revision="main")  # the same request: nothing to resolve
    get(modalities=["s1asc"], revision=COMMIT)
    assert len(hub.requests) == count
    get(modalities=["s1dsc"])
    get(modalities=["s1dsc"], revision="v1")  # another name of the same commit
    with pytest.raises(FetchError, match=f"one revision, but got {'f' * 40} for .* holds {COMMIT}"):
        get(modalities=["s1dsc"], revision="f" * 40)


def test_an_unknown_revision_is_named(get: Get) -> None:
    with pytest.raises(
        FetchError, match=r"requested revision and folder, but got HTTP 404.* Check --revision"
    ):
        get(revision="nowhere")


def test_a_data_set_without_archives_is_named(get: Get, hub: LoopbackHub) -> None:
    with pytest.raises(
        FetchError, match=r"requested revision and folder, but got HTTP 404.*data_raw%2Fs1dsc"
    ):
        get(version="raw", modalities=["s1dsc"])
    del hub.files[ASC[0]], hub.files[ASC[1]]
    with pytest.raises(FetchError, match=r"data_harmonized/s1asc/\*.tar.gz, but got none among 1"):
        get()


def test_archives_without_hokkaido_are_an_error(get: Get, hub: LoopbackHub) -> None:
    hub.files[S2] = tar_gz([("italy_s2_1.nc", b"x")])
    with pytest.raises(
        FetchError, match="must find tiles, but got none of hokkaido in 1 archives of s2"
    ):
        get(modalities=["s2"])


def test_a_user_s_own_tiles_are_not_overwritten(get: Get, tmp_path: Path, hub: LoopbackHub) -> None:
    mine = tmp_path / "real" / "s1dsc" / "hokkaido_s1dsc_1.nc"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(
        FetchError, match=r"must not overwrite other files, but got some in .*s1dsc"
    ):
        get()
    shutil.move(tmp_path / "real", tmp_path / "elsewhere")
    get(modalities=["s1asc"])
    shutil.move(tmp_path / "elsewhere" / "s1dsc", tmp_path / "real")
    with pytest.raises(
        FetchError, match=r"must not overwrite other files, but got some in .*s1dsc"
    ):
        get()
    assert mine.read_text() == "mine"
    assert hub.downloads(DSC) == []


def test_a_twin_s_folder_is_refused(get: Get, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "twin.json").write_text("{}")
    with pytest.raises(FetchError, match="folder of their own, but got the synthetic twin's"):
        get()


@pytest.mark.parametrize("text", ["no JSON", "{}", "[]"])
def test_a_damaged_manifest_is_named(text: str, get: Get, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / MANIFEST).write_text(text)
    with pytest.raises(FetchError, match=r"fetch.json must be as a fetch wrote it, but got"):
        get()


def test_a_manifest_without_an_archive_of_its_tiles_is_named(get: Get) -> None:
    root = get()
    manifest = manifest_of(root)
    del manifest["archives"][DSC]
    (root / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(FetchError, match="files without their archive"):
        get()


def test_changed_and_missing_tiles_are_named_and_fetched_again(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    root = get()
    changed, missing = sorted(name for name in tiles if name.startswith("s1dsc"))[:2]
    (root / changed).write_text("changed")
    (root / missing).unlink()
    get()
    assert fetched_tiles(root) == tiles_of(tiles, "s1asc", "s1dsc")
    assert [len(hub.downloads(path)) for path in (*ASC, DSC)] == [1, 1, 2]
    assert (
        f"Missing or changed in {root}: {changed}, {missing}; fetching {DSC} again" in caplog.text
    )
    assert manifest_of(root)["modalities"] == ["s1asc", "s1dsc"]


def test_a_full_disk_is_refused_before_any_download(
    get: Get, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 10**9))
    with pytest.raises(FetchError, match=r"1.3 GB free for s1asc, s1dsc, but got 1.0 GB"):
        get()
    assert hub.downloads(ASC[0]) == []


def test_existing_tiles_need_no_further_space(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    root = get(modalities=["s1asc"])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 632_000_000))
    first, *_ = (root / "s1asc").iterdir()
    first.write_text("changed")  # 319 tiles of 2 MB would need 638 MB
    get(modalities=["s1asc"])
    assert first.read_bytes() != b"changed"


def test_a_disk_that_fills_is_named_and_the_next_fetch_continues(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes]
) -> None:
    root = get(modalities=["s1asc"])
    hub.drops = [0] * 4
    with pytest.raises(FetchError, match="must last"):
        get()
    name = max(tiles_of(tiles, "s1dsc"))
    (root / ".fetch").mkdir()
    (root / ".fetch" / Path(name).name).symlink_to("/dev/full")  # a disk that takes no byte
    with pytest.raises(FetchError, match=r"must have space, but got .*No space left on device"):
        get()
    assert tiles_of(fetched_tiles(root), "s1dsc", ".fetch") == {}
    assert fetched_tiles(get()) == tiles_of(tiles, "s1asc", "s1dsc")


def test_a_folder_that_cannot_be_written_is_named(get: Get, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("a file")
    with pytest.raises(FetchError, match=r"must be writable, but got .*File exists"):
        get()


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"../../x.nc": "0" * 64}, "holders": {"../../x.nc": ASC[0]}},
        {"files": {"/etc/passwd": "0" * 64}, "holders": {"/etc/passwd": ASC[0]}},
        {"files": {"s1asc/hokkaido_s1dsc_1.nc": "0"}, "holders": {}},
        {"files": {"s1asc/hokkaido_s1asc_1.nc": 7}},
        {"files": [], "holders": []},
        {"archives": {"x": {"sha256": "0", "bytes": 1, "tiles": 1}}},
        {"archives": {ASC[0]: 7}},
        {"archives": {ASC[0]: {"bytes": "1"}}},
        {"archives": {ASC[0]: {"bytes": 1, "regions": ["../x"]}}},
        {"begun": ["../x"]},
        {"modalities": 7},
        {"revision": ["x"]},
        {"version": None},
    ],
)
def test_a_manifest_must_list_only_tiles_and_archives(changes: dict[str, object], get: Get) -> None:
    root = get()
    (root / MANIFEST).write_text(json.dumps(manifest_of(root) | changes))
    with pytest.raises(FetchError, match=r"fetch.json must be as a fetch wrote it, but got"):
        get()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"files": ' * 100_000, " " * 9_000_000])
def test_a_manifest_nested_too_deeply_is_named(text: str, get: Get, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / MANIFEST).write_text(text)
    with pytest.raises(FetchError, match=r"nested deeply|at most 8,388,608 bytes"):
        get()
