import json
import logging
import shutil
from pathlib import Path

import pytest

from data.fetch import FetchError
from data.fetch.__main__ import main
from data.fetch.manifest import MANIFEST
from tests.support.fetch_fixtures import ASC, DSC, Get, fetched_tiles, header, manifest_of
from tests.support.loopback_hub import LoopbackHub, tar_gz

pytest_plugins = ["tests.support.fetch_fixtures"]

HOKKAIDO = {"s1asc/hokkaido_s1asc_1.nc": b"a" * 900, "s1dsc/hokkaido_s1dsc_1.nc": b"b" * 900}
ITALY = {"s1asc/italy_s1asc_1.nc": b"c" * 900, "s1dsc/italy_s1dsc_7.nc": b"d" * 900}
ALASKA = {"s1asc/usa_alaska_s1asc_3.nc": b"e" * 900}
ALL = HOKKAIDO | ITALY | ALASKA


@pytest.fixture(autouse=True)
def published(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put tiles of three regions on the hub: Alaska's in one orbit, as Thrissur's and Dominica's are."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 10**12))
    del hub.files[ASC[1]]
    for path in (ASC[0], DSC):
        modality = path.split("/")[1]
        hub.files[path] = tar_gz([(n, c) for n, c in ALL.items() if n.startswith(modality)])


def test_a_fetch_keeps_the_tiles_of_the_regions_asked_for_and_no_others(get: Get) -> None:
    root = get(regions=["italy", "usa_alaska", "italy"])
    assert fetched_tiles(root) == ITALY | ALASKA
    manifest = manifest_of(root)
    assert manifest["regions"] == ["italy", "usa_alaska"]
    assert manifest["archives"][ASC[0]]["regions"] == ["italy", "usa_alaska"]
    assert manifest["archives"][ASC[0]]["tiles"] == 2


def test_another_region_adds_to_the_folder(get: Get, hub: LoopbackHub) -> None:
    get()
    root = get(regions=["italy"])
    assert fetched_tiles(root) == HOKKAIDO | ITALY
    manifest = manifest_of(root)
    assert manifest["regions"] == ["hokkaido", "italy"]
    assert {path: entry["tiles"] for path, entry in manifest["archives"].items()} == {
        ASC[0]: 2,
        DSC: 2,
    }
    before = len(hub.requests)
    get(regions=["italy", "hokkaido"])
    get(regions=["hokkaido"], modalities=["s1dsc"])
    assert len(hub.requests) == before


def test_all_regions_are_every_published_tile_and_cover_each_of_them(
    get: Get, hub: LoopbackHub
) -> None:
    get()
    root = get(regions=["all", "italy"])
    assert fetched_tiles(root) == ALL
    before = len(hub.requests)
    get(regions=["italy"])
    assert len(hub.requests) == before


def test_a_region_that_is_not_in_the_catalogue_comes_with_all(get: Get, hub: LoopbackHub) -> None:
    hub.files[ASC[0]] = tar_gz([("newland_s1asc_1.nc", b"x")])
    assert fetched_tiles(get(regions=["all"], modalities=["s1asc"])) == {
        "s1asc/newland_s1asc_1.nc": b"x"
    }


def test_a_lost_connection_keeps_the_archives_that_were_read_for_the_new_region(
    get: Get, hub: LoopbackHub
) -> None:
    root = get()
    hub.drops = [10**9, 0, 0, 0, 0]  # the first archive arrives, the second never
    with pytest.raises(FetchError, match="must last"):
        get(regions=["italy"])
    assert manifest_of(root)["archives"][ASC[0]]["regions"] == ["hokkaido", "italy"]
    assert manifest_of(root)["archives"][DSC]["regions"] == ["hokkaido"]
    get()  # Hokkaido's tiles are still whole
    assert fetched_tiles(get(regions=["italy"])) == HOKKAIDO | ITALY
    assert len(hub.downloads(ASC[0])) == 2


def test_a_damaged_tile_is_fetched_again_with_its_region_alone(
    get: Get, hub: LoopbackHub, caplog: pytest.LogCaptureFixture
) -> None:
    root = get(regions=["all"])
    (root / "s1asc/italy_s1asc_1.nc").write_text("changed")
    get()  # another region's damage does not matter
    assert len(hub.downloads(ASC[0])) == 1
    get(regions=["italy"])
    assert fetched_tiles(root) == ALL
    assert [len(hub.downloads(path)) for path in (ASC[0], DSC)] == [2, 1]
    assert f"s1asc/italy_s1asc_1.nc; fetching {ASC[0]} again" in caplog.text
    assert set(manifest_of(root)["archives"][ASC[0]]["regions"]) == {
        *("hokkaido", "italy", "usa_alaska")
    }


def test_a_link_under_the_name_of_an_asked_region_is_refused(get: Get, hub: LoopbackHub) -> None:
    hub.files[ASC[0]] = tar_gz([header("italy_s1asc_2.nc", b"2"), *HOKKAIDO.items()])
    get(modalities=["s1asc"])
    with pytest.raises(FetchError, match=r"plain file .* but got a link.*'italy_s1asc_2.nc'"):
        get(modalities=["s1asc"], regions=["italy"])


def test_a_region_without_tiles_in_one_modality_is_named(
    get: Get, caplog: pytest.LogCaptureFixture
) -> None:
    root = get(regions=["usa_alaska"])
    assert fetched_tiles(root) == ALASKA
    assert "The published archives have no s1dsc tile of usa_alaska" in caplog.text


def test_a_region_without_any_tile_is_an_error_each_time(get: Get, hub: LoopbackHub) -> None:
    message = (
        r"must find tiles, but got none of nepal in 2 archives of s1asc, s1dsc\. Choose another"
    )
    for _ in range(2):
        with pytest.raises(FetchError, match=message):
            get(regions=["nepal"])
    assert len(hub.downloads(ASC[0])) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["itally"], "Unknown region 'itally'. Did you mean 'italy'? Available: chimanimani"),
        (["hokkaido", "Noto"], "Unknown region 'Noto'."),
    ],
)
def test_an_unknown_region_is_an_invalid_argument(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--to", str(tmp_path / "real"), "--region", *words]) == 2
    error = capsys.readouterr().err
    assert f"error: {message}" in error
    assert "italy, itogon, kyrgyzstan1" in error
    assert not (tmp_path / "real").exists()


def test_no_region_is_an_invalid_argument(get: Get) -> None:
    with pytest.raises(
        ValueError, match=r"must have a region, but got none\. Choose from chimanimani"
    ):
        get(regions=[])


def test_a_folder_of_an_earlier_release_holds_hokkaido(get: Get, hub: LoopbackHub) -> None:
    root = get()
    manifest = manifest_of(root)
    del manifest["regions"]
    for entry in manifest["archives"].values():
        del entry["regions"]
    (root / MANIFEST).write_text(json.dumps(manifest))
    before = len(hub.requests)
    get()
    assert len(hub.requests) == before
    assert fetched_tiles(get(regions=["italy"])) == HOKKAIDO | ITALY


@pytest.mark.parametrize("regions", ["hokkaido", ["../x"], [7], None])
def test_a_manifest_must_list_regions_by_name(regions: object, get: Get) -> None:
    root = get()
    manifest = manifest_of(root)
    manifest["archives"][DSC]["regions"] = regions
    (root / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(FetchError, match=r"fetch.json must be as a fetch wrote it.*the regions"):
        get()


def test_a_large_region_needs_its_own_space(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 10**10))
    get()
    with pytest.raises(FetchError, match=r"23.4 GB free for s1asc, s1dsc, but got 10.0 GB"):
        get(regions=["italy"])
    with pytest.raises(FetchError, match=r"60.0 GB free for s1asc, s1dsc, but got 10.0 GB"):
        get(regions=["all"])


def test_the_summary_counts_the_tiles_of_each_region(
    get: Get, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    get(regions=["all"])
    assert main(["--to", str(tmp_path / "real"), "--region", "italy", "usa_alaska"]) == 0
    result = capsys.readouterr().out
    assert "s1asc: 3 tiles (hokkaido 1, italy 1, usa_alaska 1), 0.0 MB" in result
    assert "s1dsc: 2 tiles (hokkaido 1, italy 1), 0.0 MB" in result
