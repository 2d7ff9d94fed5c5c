"""What a cluster's nodes must have alike, and what is said of one that has not."""

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.io.shared_storage import SharedStorage
from data.pack import Pack
from data.pack.node_cache import publish_pack
from tests.support.servers import find_port
from tuning.cluster.node_info import Answer, Question, answer, hash_code, keep_pack, knock
from tuning.cluster.preflight import compare_nodes

NODE = {"NodeManagerHostname": "n7", "NodeManagerAddress": "10.0.0.7", "NodeID": "ab" * 28}


@pytest.fixture
def told(tmp_path: Path) -> tuple[Answer, SharedStorage]:
    """The answer of a node that is as the driver's."""
    depot = SharedStorage(str(tmp_path))
    depot.write("token", b"x")
    return answer(Question(depot, "token"), "here"), depot


@pytest.fixture
def door() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_node_that_is_alike_has_no_fault(told: tuple[Answer, SharedStorage]) -> None:
    assert compare_nodes(NODE, told[0], told[1], "token-here") == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"code": "0" * 12}, r"has other code \(0{12}, here \w{12}\). Put the same commit on it"),
        ({"python": "3.9.1"}, r"has Python 3.9.1, but here is 3.1\d.\d+. Give it the same"),
        (
            {"storage": "it is dark"},
            r"does not share /.*: it is dark. Give --root .* or --storage a URI",
        ),
        ({"tracker": "no"}, r"does not reach the tracker: no. Open its port .*MLFLOW_TRACKING_URI"),
    ],
)
def test_fault_names_the_node_and_the_remedy(
    told: tuple[Answer, SharedStorage], change: dict[str, Any], fault: str
) -> None:
    (found,) = compare_nodes(NODE, replace(told[0], **change), told[1], "token-here")
    assert re.match(rf"node n7 \(10.0.0.7, abababab\) {fault}", found), found


def test_package_of_another_version_is_named_with_both(told: tuple[Answer, SharedStorage]) -> None:
    versions = dict(told[0].versions) | {"torch": "1.0", "optuna": ""}
    (found,) = compare_nodes(NODE, replace(told[0], versions=versions), told[1], "token-here")
    assert "has optuna none, torch 1.0, but here are optuna 5" in found
    assert found.endswith("Install constraints.txt on it.")


def test_node_without_an_answer_says_why(told: tuple[Answer, SharedStorage]) -> None:
    error = RuntimeError("Traceback\n  File x\nModuleNotFoundError: No module named 'tuning'\n")
    (found,) = compare_nodes(NODE, error, told[1], "token-here")
    assert "did not answer: ModuleNotFoundError: No module named 'tuning'. " in found
    assert "install the project on it" in found


def test_mark_that_the_driver_does_not_see_is_a_fault(told: tuple[Answer, SharedStorage]) -> None:
    (found,) = compare_nodes(NODE, told[0], told[1], "token-elsewhere")
    assert "what it writes there is not seen here" in found


def test_node_says_that_it_does_not_see_the_driver_s_mark(tmp_path: Path) -> None:
    found = answer(Question(SharedStorage(str(tmp_path)), "token"), "here")
    assert found.storage == "it does not see what the driver writes there"
    assert list(tmp_path.iterdir()) == []


def test_server_that_answers_is_reached(door: str) -> None:
    assert knock(door) == ""
    assert knock(door.replace("http", "postgresql+psycopg")) == ""


def test_server_that_is_away_is_named() -> None:
    port = find_port()
    assert knock(f"http://127.0.0.1:{port}", tries=1).startswith(
        f"127.0.0.1:{port} does not answer ("
    )
    assert knock("databricks") == "it has no host and port: databricks"


def test_code_s_hash_changes_with_any_file_of_it(tmp_path: Path) -> None:
    for part in ("data", "models", "tuning"):
        (tmp_path / part / "__pycache__").mkdir(parents=True)
        (tmp_path / part / "one.py").write_text("a = 1\n")
    hashed = hash_code.__wrapped__
    before = hashed(tmp_path)
    (tmp_path / "tuning/__pycache__/one.pyc").write_bytes(b"x")
    (tmp_path / "README.md").write_text("x")
    assert hashed(tmp_path) == before
    (tmp_path / "tuning/one.py").write_text("a = 2\n")
    assert hashed(tmp_path) != before


def test_copy_that_cannot_be_made_is_told(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = publish_pack(pack, SharedStorage(str(tmp_path / "depot")))
    monkeypatch.setenv("LANDSLIDE_CACHE", str(tmp_path / "cache"))
    assert keep_pack(source) == ""
    monkeypatch.setenv("LANDSLIDE_CACHE", "/proc/nowhere")
    assert "/proc/nowhere" in keep_pack(source)
