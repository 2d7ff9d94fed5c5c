"""Storage that nodes share: a folder, and an object store served for real."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from data.io import shared_storage
from data.io.shared_storage import SharedStorage, SharedStorageError, check_shared_storage
from data.pack import Pack, load_pack
from data.pack.node_cache import CACHE_VARIABLE, cache_folder, fetch_pack, publish_pack
from tests.support.servers import serve_s3


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    keys = pytest.MonkeyPatch()
    keys.setenv("AWS_ACCESS_KEY_ID", "tester")
    keys.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with serve_s3(tmp_path_factory.mktemp("s3") / "log.txt") as uri:
        yield uri
    keys.undo()


@pytest.fixture(params=["folder", "file", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> SharedStorage:
    if request.param == "s3":
        return SharedStorage(request.getfixturevalue("bucket")).subfolder(tmp_path.name)
    return SharedStorage(
        str(tmp_path / "d") if request.param == "folder" else (tmp_path / "d").as_uri()
    )


def test_uploaded_file_is_downloaded_unchanged(storage: SharedStorage, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 40_000)
    storage.upload(source, "deep/name")
    storage.download("deep/name", target)
    assert target.read_bytes() == source.read_bytes()
    assert storage.exists("deep/name")
    assert not storage.exists("deep")
    check_shared_storage(storage)


def test_write_replaces_an_object_and_delete_removes_it(storage: SharedStorage) -> None:
    storage.write("one", b"first")
    storage.write("one", b"second")
    assert storage.read("one") == b"second"
    storage.delete("one")
    storage.delete("one")
    assert storage.read("one") is None


def test_delete_all_empties_one_subfolder(storage: SharedStorage) -> None:
    storage.subfolder("a").write("b/one", b"x")
    storage.write("two", b"x")
    storage.subfolder("a").delete_all()
    storage.subfolder("never").delete_all()
    assert storage.subfolder("a").read("b/one") is None
    assert storage.read("two") == b"x"


def test_folder_name_may_contain_uri_characters(tmp_path: Path) -> None:
    SharedStorage(str(tmp_path / "run#1?a")).subfolder("packs").write("one", b"x")
    assert (tmp_path / "run#1?a" / "packs" / "one").read_bytes() == b"x"


def test_missing_object_is_named(storage: SharedStorage, tmp_path: Path) -> None:
    with pytest.raises(
        SharedStorageError,
        match=r"must reach the storage, but got this error for .*/nothing: .*Check the address",
    ):
        storage.download("nothing", tmp_path / "target")


def test_large_object_is_not_read_into_memory(
    storage: SharedStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_storage, "MAX_SMALL_BYTES", 10)
    storage.write("one", b"x" * 11)
    with pytest.raises(SharedStorageError, match=r"at most 10 bytes, but got more in .*/one"):
        storage.read("one")


@pytest.mark.parametrize("uri", ["ftp://host/folder", "s4://bucket/folder", "s3://"])
def test_unknown_scheme_is_refused_with_the_list(uri: str) -> None:
    with pytest.raises(
        SharedStorageError,
        match=r"a folder or a URI of s3, gs, .* but got (ftp|s4|s3)://.*s3://BUCKET",
    ):
        check_shared_storage(SharedStorage(uri))


def test_password_of_an_address_is_not_shown() -> None:
    with pytest.raises(SharedStorageError) as caught:
        check_shared_storage(SharedStorage("s4://user:password@host/folder"))
    assert "password" not in str(caught.value)


def test_node_copies_the_pack_once(storage: SharedStorage, pack: Pack, tmp_path: Path) -> None:
    source = publish_pack(pack, storage)
    first = fetch_pack(source, tmp_path / "cache")
    made = first.stat().st_mtime_ns
    assert fetch_pack(source, tmp_path / "cache") == first
    assert first.stat().st_mtime_ns == made
    copy = load_pack(first)
    assert copy.hash == pack.hash
    assert (copy.mask == pack.mask).all()
    assert [entry.name for entry in first.parent.parent.iterdir() if entry.is_dir()] == [
        source.digest
    ]


def test_published_pack_is_not_uploaded_again(
    storage: SharedStorage, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_pack(pack, storage)
    monkeypatch.setattr(SharedStorage, "upload", lambda *_: pytest.fail("sent again"))
    publish_pack(pack, storage)


def test_damaged_copy_is_refused_by_its_hash_and_deleted(
    storage: SharedStorage, pack: Pack, tmp_path: Path
) -> None:
    source = publish_pack(pack, storage)
    storage.subfolder("packs").write(f"{pack.path.name}/mask.u8", b"damaged")
    with pytest.raises(
        SharedStorageError,
        match=r"must have the hash \w{12}, but got \w{12} for .*mask.u8 .* Delete it",
    ):
        fetch_pack(source, tmp_path / "cache")
    assert not [entry for entry in (tmp_path / "cache/packs").iterdir() if entry.is_dir()]
    storage.subfolder("packs").delete(f"{pack.path.name}/mask.u8")
    assert fetch_pack(publish_pack(pack, storage), tmp_path / "cache")  # the remedy helps


def test_a_node_s_copy_that_its_disk_damages_is_made_again(
    pack: Pack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = publish_pack(pack, SharedStorage(str(tmp_path / "storage")))
    first = fetch_pack(source, tmp_path / "cache")
    labels = np.memmap(first / "mask.u8", np.uint8, "r+")
    labels[12_345] ^= 1
    labels.flush()
    again = fetch_pack(source, tmp_path / "cache")
    assert "The pack is copied to this node again." in caplog.text
    assert (load_pack(again).mask == pack.mask).all()


def test_packs_in_the_storage_itself_are_not_copied(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = pack.path.parent.parent
    if pack.path.parent.name != "packs":
        (tmp_path / "packs").symlink_to(pack.path.parent)
        root = tmp_path
    monkeypatch.setattr(SharedStorage, "upload", lambda *_: pytest.fail("copied onto itself"))
    source = publish_pack(pack, SharedStorage(str(root)))
    assert fetch_pack(source, tmp_path / "cache").name == pack.path.name


def test_cache_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/landslide-benchmark")
