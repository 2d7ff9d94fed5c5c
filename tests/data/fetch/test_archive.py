import gzip
import os
import shutil
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from data.fetch import FetchError
from data.fetch.archive import MAX_TILE_BYTES
from data.fetch.manifest import MANIFEST
from tests.support.fetch_fixtures import ASC, S2, Get, fetched_tiles, header, manifest_of, tiles_of
from tests.support.loopback_hub import LoopbackHub, Member, tar_gz

pytest_plugins = ["tests.support.fetch_fixtures"]

LINK = "a link, folder or device"


def test_an_archive_with_another_hash_is_refused_without_a_trace(
    get: Get, hub: LoopbackHub, tiles: dict[str, bytes], tmp_path: Path
) -> None:
    hub.listed = {ASC[1]: (len(hub.files[ASC[1]]), "0" * 64)}
    with pytest.raises(FetchError, match=rf"have the hub's SHA-256 0+, but got \w+ for {ASC[1]}"):
        get()
    root = tmp_path / "real"
    assert list(manifest_of(root)["archives"]) == [ASC[0]]
    assert sorted(fetched_tiles(root)) == sorted(manifest_of(root)["files"])
    hub.listed = {}
    assert fetched_tiles(get()) == tiles_of(tiles, "s1asc", "s1dsc")


@pytest.mark.parametrize(("more", "got"), [(1, r"\d+ of"), (-1, r"more than \d+ of")])
def test_an_archive_with_another_size_is_refused(
    more: int, got: str, get: Get, hub: LoopbackHub
) -> None:
    size = len(hub.files[ASC[0]])
    hub.listed = {ASC[0]: (size + more, "")}
    with pytest.raises(FetchError, match=rf"send the {size + more} bytes it lists, but got {got}"):
        get()


def cut_gzip(members: list[Member]) -> bytes:
    return tar_gz(members)[:-2000]


def cut_tar_between_members(members: list[Member]) -> bytes:
    """Cut off the end mark; the members and the gzip stream are intact."""
    plain = gzip.decompress(tar_gz(members))
    return gzip.compress(plain.rstrip(b"\0"))


def cut_tar_inside_a_member(members: list[Member]) -> bytes:
    return gzip.compress(gzip.decompress(tar_gz(members))[:3000])


def spoil_second_header(members: list[Member]) -> bytes:
    """Break a header's checksum, which a reader may mistake for the end."""
    plain = bytearray(gzip.decompress(tar_gz(members)))
    second = 512 + 2048  # after the first member's header and content
    plain[second + 150] ^= 1
    return gzip.compress(bytes(plain))


def zero_second_header(members: list[Member]) -> bytes:
    """Overwrite a header with zeros, which mark the end of an archive."""
    plain = bytearray(gzip.decompress(tar_gz(members)))
    plain[2560:3072] = bytes(512)
    return gzip.compress(bytes(plain))


@pytest.mark.parametrize(
    "damage",
    [
        cut_gzip,
        zero_second_header,
        cut_tar_between_members,
        cut_tar_inside_a_member,
        spoil_second_header,
        lambda _: b"no gzip at all",
        lambda _: gzip.compress(b"no tar at all" * 100),
        lambda _: gzip.compress(b""),
    ],
)
def test_a_damaged_archive_is_refused_without_a_trace(
    damage: Callable[[list[Member]], bytes], get: Get, hub: LoopbackHub, tmp_path: Path
) -> None:
    members: list[Member] = [(f"hokkaido_s2_{n}.nc", os.urandom(2047) + b"x") for n in range(4)]
    hub.files[S2] = damage(members)
    with pytest.raises(FetchError, match=f"whole gzip-compressed tar file, but got .* in {S2}"):
        get(modalities=["s2"])
    assert fetched_tiles(tmp_path / "real") == {}


@pytest.mark.parametrize(
    ("member", "got"),
    [
        (("../hokkaido_s2_1.nc", b"x"), "a path that leaves the folder"),
        (("s2/../../hokkaido_s2_1.nc", b"x"), "a path that leaves the folder"),
        (("/tmp/hokkaido_s2_1.nc", b"x"), "a path that leaves the folder"),
        (("C:\\tiles\\hokkaido_s2_1.nc", b"x"), "a path that leaves the folder"),
        (("C:hokkaido_s2_1.nc", b"x"), "a path that leaves the folder"),
        (("..\\hokkaido_s2_1.nc", b"x"), "a path that leaves the folder"),
        (header("hokkaido_s2_1.nc", tarfile.SYMTYPE, "/etc/passwd"), LINK),
        (header("hokkaido_s2_1.nc", tarfile.LNKTYPE, "/etc/passwd"), LINK),
        (header("hokkaido_s2_1.nc", tarfile.CHRTYPE), LINK),
        (header("hokkaido_s2_1.nc", tarfile.FIFOTYPE), LINK),
        (header("hokkaido_s2_1.nc", tarfile.DIRTYPE), LINK),
        (("hokkaido_s2_1.nc", bytes(MAX_TILE_BYTES + 1)), "32 MB"),
    ],
)
def test_a_dangerous_member_is_refused_without_a_trace(
    member: Member, got: str, get: Get, hub: LoopbackHub, tmp_path: Path
) -> None:
    hub.files[S2] = tar_gz([("hokkaido_s2_7.nc", b"good"), member])
    with pytest.raises(
        FetchError, match=rf"plain file .* but got {got}.* for '.*hokkaido_s2_1.nc' in {S2}"
    ):
        get(modalities=["s2"])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [MANIFEST]


def test_dangerous_members_of_other_regions_are_skipped(get: Get, hub: LoopbackHub) -> None:
    others: list[Member] = [("../../italy_s2_1.nc", b"x"), header("/etc/passwd", tarfile.SYMTYPE)]
    hub.files[S2] = tar_gz([*others, ("hokkaido_s2_1.nc", b"good")])
    assert fetched_tiles(get(modalities=["s2"])) == {"s2/hokkaido_s2_1.nc": b"good"}


def test_a_tile_may_be_in_two_archives_if_it_is_the_same(get: Get, hub: LoopbackHub) -> None:
    second = S2.replace("01", "02")
    hub.files[second] = hub.files[S2]
    root = get(modalities=["s2"])
    assert len(fetched_tiles(root)) == 2
    hub.files[second] = tar_gz([("a/hokkaido_s2_1.nc", b"one"), ("b/hokkaido_s2_1.nc", b"two")])
    shutil.rmtree(root)
    match = f"two contents of s2/hokkaido_s2_1.nc in {S2} and {second}"
    with pytest.raises(FetchError, match=match):
        get(modalities=["s2"])
    assert len(fetched_tiles(root)) == 2  # the first archive's stay
    hub.files[second] = tar_gz([("a/hokkaido_s2_7.nc", b"one"), ("b/hokkaido_s2_7.nc", b"two")])
    with pytest.raises(FetchError, match=f"of s2/hokkaido_s2_7.nc in {second} and {second}"):
        get(modalities=["s2"])
    assert len(fetched_tiles(root)) == 2


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_huge_header_is_refused_before_it_is_read(
    kind: bytes, get: Get, hub: LoopbackHub, tmp_path: Path
) -> None:
    extra = header("extra", kind)
    extra.size = 300_000_000
    plain = extra.tobuf() + bytes(extra.size)
    hub.files[S2] = gzip.compress(plain, 1)
    tracemalloc.start()
    with pytest.raises(FetchError, match="header must have at most 1 MB, but got 300 MB of type"):
        get(modalities=["s2"])
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    assert fetched_tiles(tmp_path / "real") == {}


def test_an_endless_sparse_header_is_refused(get: Get, hub: LoopbackHub) -> None:
    block = bytearray(header("x", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    block[482] = 1  # more headers follow
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    hub.files[S2] = gzip.compress(bytes(block) + (bytes(504) + b"\1" + bytes(7)) * 1000)
    with pytest.raises(FetchError, match="header must have at most 1 MB, but got"):
        get(modalities=["s2"])


def test_the_number_of_members_is_limited(
    get: Get, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("data.fetch.archive.MAX_MEMBERS", 3)
    hub.files[S2] = tar_gz([(f"hokkaido_s2_{number}.nc", b"x") for number in range(4)])
    with pytest.raises(FetchError, match=f"at most 3 members, but got more in {S2}"):
        get(modalities=["s2"])
    assert fetched_tiles(tmp_path / "real") == {}
