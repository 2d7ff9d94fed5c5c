"""Checks of a cluster's nodes, and the messages about unsuitable nodes."""

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
from tuning.cluster.node_info import (
    NodeQuery,
    NodeReport,
    report_node,
    try_connection,
    try_copy_pack,
)
from tuning.cluster.preflight import find_faults
from tuning.train.environment import hash_code
from tuning.trial.networks import ShippedNetwork

NODE = {"NodeManagerHostname": "n7", "NodeManagerAddress": "10.0.0.7", "NodeID": "ab" * 28}


@pytest.fixture
def report(tmp_path: Path) -> tuple[NodeReport, SharedStorage]:
    """The report of a node that is identical to the driver's."""
    storage = SharedStorage(str(tmp_path))
    storage.write("token", b"x")
    return report_node(NodeQuery(storage, "token"), "here"), storage


@pytest.fixture
def door() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_identical_node_has_no_fault(report: tuple[NodeReport, SharedStorage]) -> None:
    assert find_faults(NODE, report[0], report[1], "token-here") == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"code": "0" * 12}, r"has other code \(0{12}, here \w{12}\). Put the same commit on it"),
        ({"python": "3.9.1"}, r"has Python 3.9.1, but here is 3.1\d.\d+. Install the same version"),
        (
            {"storage": "it is dark"},
            r"does not share /.*: it is dark. Choose a --root .* or a --storage URI",
        ),
        ({"tracker": "no"}, r"does not reach the tracker: no. Open its port .*MLFLOW_TRACKING_URI"),
    ],
)
def test_fault_names_the_node_and_the_remedy(
    report: tuple[NodeReport, SharedStorage], change: dict[str, Any], fault: str
) -> None:
    (found,) = find_faults(NODE, replace(report[0], **change), report[1], "token-here")
    assert re.match(rf"node n7 \(10.0.0.7, abababab\) {fault}", found), found


def test_network_that_a_node_cannot_build_is_named(tmp_path: Path) -> None:
    storage = SharedStorage(str(tmp_path))
    sent = ShippedNetwork("far", "far_package:Net", "0123456789ab", {})
    reported = report_node(NodeQuery(storage, "token", networks=(sent,)), "here")
    assert "No module named 'far_package'. Install" in reported.networks["far"]


def test_different_package_is_named_with_both_versions(
    report: tuple[NodeReport, SharedStorage],
) -> None:
    versions = dict(report[0].versions) | {"torch": "1.0", "optuna": ""}
    (found,) = find_faults(NODE, replace(report[0], versions=versions), report[1], "token-here")
    assert "has optuna none, torch 1.0, but here are optuna 5" in found
    assert found.endswith("Install constraints.txt on it.")


def test_node_without_a_report_is_named_with_its_error(
    report: tuple[NodeReport, SharedStorage],
) -> None:
    error = RuntimeError("Traceback\n  File x\nModuleNotFoundError: No module named 'tuning'\n")
    (found,) = find_faults(NODE, error, report[1], "token-here")
    assert "did not answer: ModuleNotFoundError: No module named 'tuning'. " in found
    assert "install the project on it" in found


def test_marker_that_the_driver_does_not_see_is_a_fault(
    report: tuple[NodeReport, SharedStorage],
) -> None:
    (found,) = find_faults(NODE, report[0], report[1], "token-elsewhere")
    assert "the driver does not see what it writes there" in found


def test_node_reports_storage_without_the_driver_s_object(tmp_path: Path) -> None:
    found = report_node(NodeQuery(SharedStorage(str(tmp_path)), "token"), "here")
    assert found.storage == "it does not see what the driver writes there"
    assert list(tmp_path.iterdir()) == []


def test_server_that_answers_is_reached(door: str) -> None:
    assert try_connection(door) == ""
    assert try_connection(door.replace("http", "postgresql+psycopg")) == ""


def test_server_that_does_not_answer_is_named() -> None:
    port = find_port()
    assert try_connection(f"http://127.0.0.1:{port}", attempts=1).startswith(
        f"127.0.0.1:{port} does not answer ("
    )
    assert try_connection("databricks") == "it has no host and port: databricks"


def test_code_hash_changes_with_any_source_file(tmp_path: Path) -> None:
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


def test_failed_copy_of_a_pack_is_reported(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = publish_pack(pack, SharedStorage(str(tmp_path / "depot")))
    monkeypatch.setenv("LANDSLIDE_CACHE", str(tmp_path / "cache"))
    assert try_copy_pack(source) == ""
    monkeypatch.setenv("LANDSLIDE_CACHE", "/proc/nowhere")
    assert "/proc/nowhere" in try_copy_pack(source)
