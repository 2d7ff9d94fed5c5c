"""A bundle from anybody: every damage is refused, and the message names the file or the number."""

import json
import zipfile
from pathlib import Path

import pytest

from data.io.safe_json import RefusedError
from tests.support.bundles import tiny_files, write_bundle
from tuning.bundle import archive
from tuning.bundle.archive import MANIFEST, add_manifest, open_archive, zip_files
from tuning.bundle.read import read_bundle

RUN = "runs/0001.npz"


def pack(path: Path, files: dict[str, bytes]) -> Path:
    path.write_bytes(zip_files(files, packed=False))
    return path


def test_whole_archive_gives_its_files(tmp_path: Path) -> None:
    files = add_manifest({"a.txt": b"one", "tables/b.csv": b"two"})
    with open_archive(pack(tmp_path / "a.zip", files)) as folder:
        assert (folder / "tables" / "b.csv").read_bytes() == b"two"
    assert not folder.exists()


@pytest.mark.parametrize("name", [RUN, "campaign.json", "tables/pairwise.csv", "README.txt"])
def test_changed_byte_names_its_file(name: str, tmp_path: Path) -> None:
    files = tiny_files()
    content = bytearray(files[name])
    content[len(content) // 2] ^= 1
    path = pack(tmp_path / "c.zip", files | {name: bytes(content)})
    with pytest.raises(
        RefusedError, match=f"^{name} must have the SHA-256 [0-9a-f]{{64}}, but got"
    ):
        read_bundle(path)


def test_byte_that_changed_within_the_zip_names_its_file(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "z.zip")
    with zipfile.ZipFile(path) as zipped:
        start = zipped.getinfo(RUN).header_offset + 200
    content = bytearray(path.read_bytes())
    content[start] ^= 255
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=f"{RUN} must be as it was written"):
        read_bundle(path)


def test_missing_and_unlisted_files_are_named(tmp_path: Path) -> None:
    files = tiny_files()
    fewer = {name: content for name, content in files.items() if name != RUN}
    with pytest.raises(RefusedError, match=f"every file of {MANIFEST}, but got no {RUN}"):
        read_bundle(pack(tmp_path / "a.zip", fewer))
    with pytest.raises(RefusedError, match=f"files of {MANIFEST} alone, but got more.txt"):
        read_bundle(pack(tmp_path / "b.zip", files | {"more.txt": b""}))
    del fewer[MANIFEST]
    with pytest.raises(RefusedError, match=f"must have {MANIFEST}, but got none"):
        read_bundle(pack(tmp_path / "c.zip", fewer))
    with pytest.raises(RefusedError, match="Every run must have its file, but got no runs/0001"):
        read_bundle(write_bundle(tmp_path / "d.zip", {k: v for k, v in files.items() if k != RUN}))


def test_another_version_is_refused_by_name(tmp_path: Path) -> None:
    manifest = json.loads(tiny_files()[MANIFEST])
    for change, message in (
        (
            {"version": 2},
            r"version must be 1, but got 2 in manifest\.json.* release of this project",
        ),
        ({"format": "other"}, "format must be landslide-benchmark-bundle, but got 'other'"),
        ({"files": {"a": 1}}, "must have its bytes and its SHA-256"),
    ):
        content = json.dumps(manifest | change).encode()
        with pytest.raises(RefusedError, match=message):
            read_bundle(pack(tmp_path / "v.zip", tiny_files() | {MANIFEST: content}))


def test_no_zip_and_a_cut_zip_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.zip"
    whole = zip_files(add_manifest({"a.txt": b"one"}))
    for content in (b"no zip", whole[:-30], b""):
        path.write_bytes(content)
        with pytest.raises(RefusedError, match="A bundle must be a zip file"):
            read_bundle(path)


@pytest.mark.parametrize(
    "name", ["../out.txt", "/etc/passwd", "a/b/c.txt", "runs/../../x", "C:\\x", "runs/", ".hidden"]
)
def test_name_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    path = pack(tmp_path / "p.zip", tiny_files() | {name: b"x"})
    with pytest.raises(RefusedError, match="plain names, each once"):
        read_bundle(path)
    assert not (tmp_path.parent / "out.txt").exists()


def test_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(zip_files(add_manifest({"zeros.txt": bytes(10**7)})))
    assert path.stat().st_size < 10**6
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 10**7)
    with pytest.raises(
        RefusedError, match="at most 10,000 files and 10,000,000 bytes when unpacked"
    ):
        read_bundle(path)
    monkeypatch.setattr(archive, "MAX_BUNDLE_BYTES", 1000)
    with pytest.raises(RefusedError, match="at most 1,000 bytes"):
        read_bundle(path)


def test_file_that_unpacks_to_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.zip"
    path.write_bytes(zip_files(add_manifest({"a.txt": bytes(1000)})))
    with zipfile.ZipFile(path) as zipped:
        entry = zipped.getinfo("a.txt")
    content = path.read_bytes()
    lie = content.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(lie)
    assert entry.file_size == 1000
    with (
        pytest.raises(RefusedError, match=r"a\.txt must (be as it was written|have 10 bytes)"),
        open_archive(path),
    ):
        pass
