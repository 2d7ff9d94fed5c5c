"""Storage that nodes share: a folder, and an object store served for real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data.io import shared_storage
from data.io.shared_storage import SharedStorage, SharedStorageError, check_shared_storage
from data.pack import Pack, load_pack
from data.pack.node_cache import CACHE_VARIABLE, cache_folder, fetch_copy, publish_pack
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
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> SharedStorage:
    if request.param == "s3":
        return SharedStorage(request.getfixturevalue("bucket")).below(tmp_path.name)
    return SharedStorage(
        str(tmp_path / "d") if request.param == "folder" else (tmp_path / "d").as_uri()
    )


def test_what_is_put_comes_back_whole(depot: SharedStorage, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 40_000)
    depot.put(source, "deep/name")
    depot.get("deep/name", target)
    assert target.read_bytes() == source.read_bytes()
    assert depot.has("deep/name")
    assert not depot.has("deep")
    check_shared_storage(depot)


def test_later_object_takes_the_place_of_the_earlier(depot: SharedStorage) -> None:
    depot.write("one", b"first")
    depot.write("one", b"second")
    assert depot.read("one") == b"second"
    depot.drop("one")
    depot.drop("one")
    assert depot.read("one") is None


def test_emptied_depot_has_nothing(depot: SharedStorage) -> None:
    depot.below("a").write("b/one", b"x")
    depot.write("two", b"x")
    depot.below("a").drop_all()
    depot.below("never").drop_all()
    assert depot.below("a").read("b/one") is None
    assert depot.read("two") == b"x"


def test_folder_s_name_may_hold_signs_of_a_uri(tmp_path: Path) -> None:
    SharedStorage(str(tmp_path / "run#1?a")).below("packs").write("one", b"x")
    assert (tmp_path / "run#1?a" / "packs" / "one").read_bytes() == b"x"


def test_missing_object_is_named(depot: SharedStorage, tmp_path: Path) -> None:
    with pytest.raises(
        SharedStorageError,
        match=r"must reach the storage, but .*/nothing gave: .*Check the address",
    ):
        depot.get("nothing", tmp_path / "target")


def test_large_object_is_not_read_at_once(
    depot: SharedStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_storage, "MOST_SMALL_BYTES", 10)
    depot.write("one", b"x" * 11)
    with pytest.raises(SharedStorageError, match=r"at most 10 bytes, but got more in .*/one"):
        depot.read("one")


@pytest.mark.parametrize("uri", ["ftp://host/folder", "s4://bucket/folder", "s3://"])
def test_unknown_storage_is_refused_with_the_list(uri: str) -> None:
    with pytest.raises(
        SharedStorageError,
        match=r"a folder or a URI of s3, gs, .* but got (ftp|s4|s3)://.*s3://BUCKET",
    ):
        check_shared_storage(SharedStorage(uri))


def test_password_of_an_address_is_not_shown() -> None:
    with pytest.raises(SharedStorageError) as caught:
        check_shared_storage(SharedStorage("s4://user:password@host/folder"))
    assert "password" not in str(caught.value)


def test_node_has_a_copy_of_the_pack_after_one_fetch(
    depot: SharedStorage, pack: Pack, tmp_path: Path
) -> None:
    source = publish_pack(pack, depot)
    first = fetch_copy(source, tmp_path / "cache")
    made = first.stat().st_mtime_ns
    assert fetch_copy(source, tmp_path / "cache") == first
    assert first.stat().st_mtime_ns == made
    copy = load_pack(first)
    assert copy.hash == pack.hash
    assert (copy.mask == pack.mask).all()
    assert [entry.name for entry in first.parent.parent.iterdir() if entry.is_dir()] == [
        source.digest
    ]


def test_published_pack_is_not_sent_again(
    depot: SharedStorage, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_pack(pack, depot)
    monkeypatch.setattr(SharedStorage, "put", lambda *_: pytest.fail("sent again"))
    publish_pack(pack, depot)


def test_damaged_copy_is_refused_by_its_hash_and_leaves_nothing(
    depot: SharedStorage, pack: Pack, tmp_path: Path
) -> None:
    source = publish_pack(pack, depot)
    depot.below("packs").write(f"{pack.path.name}/mask.u8", b"damaged")
    with pytest.raises(
        SharedStorageError,
        match=r"must have the hash \w{12}, but got \w{12} for .*mask.u8 .* Remove it",
    ):
        fetch_copy(source, tmp_path / "cache")
    assert not [entry for entry in (tmp_path / "cache/packs").iterdir() if entry.is_dir()]
    depot.below("packs").drop(f"{pack.path.name}/mask.u8")
    assert fetch_copy(publish_pack(pack, depot), tmp_path / "cache")  # the remedy helps


def test_output_folder_serves_its_own_packs(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = pack.path.parent.parent
    if pack.path.parent.name != "packs":
        (tmp_path / "packs").symlink_to(pack.path.parent)
        root = tmp_path
    monkeypatch.setattr(SharedStorage, "put", lambda *_: pytest.fail("copied onto itself"))
    source = publish_pack(pack, SharedStorage(str(root)))
    assert fetch_copy(source, tmp_path / "cache").name == pack.path.name


def test_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/landslide-benchmark")
