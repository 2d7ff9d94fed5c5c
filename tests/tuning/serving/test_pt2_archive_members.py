"""The members of a network's file: names, sizes and payloads."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.served_fixtures import (
    Members,
    change_json,
    read_members,
    write_members,
    write_network,
)
from tuning.serving import pt2_archive
from tuning.serving.pt2_archive import CONFIGS, GRAPH, Pt2Error, read_archive
from tuning.train.checkpoints import load_checkpoint

WEIGHTS = CONFIGS["data/weights/"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network's file as it is logged."""
    return write_network(tmp_path_factory.mktemp("good"))


@pytest.fixture
def members(good: Path) -> Members:
    return read_members(good)


def test_weights_are_those_of_the_checkpoint(good: Path) -> None:
    state = load_checkpoint(good.parent / "best.pt").model.state_dict()
    weights = read_archive(good).weights
    assert {f"model.{name}" for name in state} == set(weights) - {
        "steps",
        "mean",
        "std",
        "calibration",
    }
    for name, tensor in state.items():
        assert torch.equal(weights[f"model.{name}"], tensor)


def test_file_holds_no_trace_of_this_machine(members: Members) -> None:
    assert str(Path.cwd()).encode() not in members[GRAPH]
    assert b"stack_trace" not in members[GRAPH]


@pytest.mark.parametrize(
    "name",
    ["extra/code.py", "../../canary", "data/aotinductor/model/a.so", "data/weights/model.pt"],
)
def test_foreign_member_is_refused(members: Members, tmp_path: Path, name: str) -> None:
    path = write_members(tmp_path / "program.pt2", members | {name: b"x"})
    with pytest.raises(Pt2Error, match=f"must hold only known members, but got 'program/{name}'"):
        read_archive(path)
    assert [file.name for file in tmp_path.iterdir()] == ["program.pt2"]


def test_member_that_comes_twice_is_refused(members: Members, tmp_path: Path) -> None:
    path = write_members(tmp_path / "program.pt2", members)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"program/{GRAPH}", b"{}")
    with pytest.raises(Pt2Error, match=f"Each member must be unique.*but got program/{GRAPH}"):
        read_archive(path)


def test_missing_member_is_named(members: Members, tmp_path: Path) -> None:
    del members[GRAPH]
    with pytest.raises(Pt2Error, match=f"must hold {GRAPH}, but got none"):
        read_archive(write_members(tmp_path / "program.pt2", members))


def test_compressed_member_is_refused(members: Members, tmp_path: Path) -> None:
    bomb = members | {"data/weights/weight_0": bytes(2**22)}
    path = write_members(tmp_path / "program.pt2", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    with pytest.raises(Pt2Error, match=r"must not grow when read, but got \d+ of \d+ bytes"):
        read_archive(path)
    path = write_members(tmp_path / "other.pt2", members, compression=zipfile.ZIP_LZMA)
    path.write_bytes(bytes(2**22) + path.read_bytes())  # long enough for all that it claims
    with pytest.raises(
        Pt2Error, match=r"A member must be stored uncompressed, but got .* compressed"
    ):
        read_archive(path)


def test_member_that_claims_more_than_the_file_has_is_refused(
    members: Members, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "program.pt2", "w") as archive:
        for name, content in members.items():
            archive.writestr(f"program/{name}", content)
        archive.filelist[0].file_size = archive.filelist[0].compress_size = 2**40
    with pytest.raises(Pt2Error, match="must not grow when read, but got 1099"):
        read_archive(tmp_path / "program.pt2")


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("MOST_BYTES", r"must have at most 10 bytes, but got \d+"),
        ("MOST_MEMBERS", r"must have at most 10 members, but got \d+"),
        (
            "MOST_JSON_BYTES",
            r"JSON must have at most 10 bytes, but got \d+ in program/data/weights",
        ),
    ],
)
def test_sizes_have_limits(
    good: Path, monkeypatch: pytest.MonkeyPatch, limit: str, message: str
) -> None:
    monkeypatch.setattr(pt2_archive, limit, 10)
    with pytest.raises(Pt2Error, match=message):
        read_archive(good)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("path_name", "../../models/model.json", "must be a payload of the file, but got"),
        ("path_name", "weight_99999", "must be a payload of the file, but got"),
        ("sizes", [{"as_int": 10**12}], "must have a number for each element, but got"),
        ("dtype", 9, "must have a number for each element, but got"),
        ("storage_offset", {"as_int": 10**6}, "must fit in its payload, but got"),
        ("strides", [{"as_int": -1}], "must fit in its payload, but got"),
        ("sizes", None, "must be laid out as torch exports it, but got TypeError"),
    ],
)
def test_weight_stays_within_its_payload(
    members: Members, tmp_path: Path, key: str, value: Any, message: str
) -> None:
    def change(content: Any) -> None:
        meta = next(iter(content["config"].values()))
        (meta if key == "path_name" else meta["tensor_meta"])[key] = value

    path = write_members(tmp_path / "program.pt2", change_json(members, WEIGHTS, change))
    with pytest.raises(Pt2Error, match=message):
        read_archive(path)


def test_unused_payload_is_refused(members: Members, tmp_path: Path) -> None:
    spare = members | {"data/weights/weight_99999": bytes(8)}
    with pytest.raises(Pt2Error, match=r"must belong to a weight, but got .*weight_99999"):
        read_archive(write_members(tmp_path / "program.pt2", spare))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("archive_format", b"zip", "archive_format must be pt2, but got b'zip'"),
        ("byteorder", b"big", "byteorder must be little, but got b'big'"),
        (GRAPH, b"{", r"program/models/model\.json must be JSON, but got Expecting"),
        (GRAPH, b"[" * 10**5, "must be laid out as torch exports it, but got RecursionError"),
        (WEIGHTS, b"[]", "must be laid out as torch exports it, but got TypeError"),
    ],
)
def test_spoilt_member_is_refused(
    members: Members, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(Pt2Error, match=message):
        read_archive(write_members(tmp_path / "program.pt2", members | {name: content}))


def test_file_that_is_no_archive_is_refused(good: Path, tmp_path: Path) -> None:
    (tmp_path / "program.pt2").write_bytes(good.read_bytes()[:-50])
    with pytest.raises(Pt2Error, match="must be a complete zip archive, but got"):
        read_archive(tmp_path / "program.pt2")
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "missing.pt2")
