"""Malicious network files are refused, and their code never runs."""

import contextlib
import io
import json
import pickle
from collections.abc import Callable
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
from tuning.serving.program import load_program
from tuning.serving.pt2_archive import CONFIGS, GRAPH, SAMPLES, Pt2Error

WEIGHTS, CONSTANTS = CONFIGS.values()


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.canary,)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network's file as it is logged."""
    return write_network(tmp_path_factory.mktemp("good"))


@pytest.fixture
def members(good: Path) -> Members:
    return read_members(good)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def trap_weight(members: Members, canary: Path) -> Members:
    def change(content: Any) -> None:
        next(iter(content["config"].values()))["use_pickle"] = True

    payload = {"data/weights/weight_0": pickle.dumps(Trap(canary))}
    return change_json(members, WEIGHTS, change) | payload


def trap_constant(members: Members, canary: Path) -> Members:
    meta = {"path_name": "tensor_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    config = {WEIGHTS: members[WEIGHTS], CONSTANTS: json.dumps({"config": {"c": meta}}).encode()}
    return members | config | {"data/constants/tensor_0": pickle.dumps(Trap(canary))}


def trap_object(members: Members, canary: Path) -> Members:
    meta = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True}
    config = {CONSTANTS: json.dumps({"config": {"c": meta | {"tensor_meta": None}}}).encode()}
    return members | config | {"data/constants/opaque_obj_0": pickle.dumps(Trap(canary))}


def trap_sample(members: Members, canary: Path) -> Members:
    return members | {SAMPLES: pickle.dumps(Trap(canary))}


def trap_expression(members: Members, canary: Path) -> Members:
    def change(content: Any) -> None:
        size = {"as_expr": {"expr_str": f"open({str(canary)!r}, 'w')", "hint": None}}
        content["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0] = size

    return change_json(members, GRAPH, change)


def trap_guard(members: Members, canary: Path) -> Members:
    def change(content: Any) -> None:
        content["guards_code"] = [f"bool(open({str(canary)!r}, 'w'))"]

    sample = io.BytesIO()  # torch runs guards only with a sample input
    torch.save(((torch.zeros(2, 15, 4, 32, 32),), {}), sample)
    return change_json(members, GRAPH, change) | {SAMPLES: sample.getvalue()}


TRAPS = {
    trap_weight: "must be raw bytes, never a pickle, but got use_pickle for",
    trap_constant: "must be raw bytes, never a pickle, but got use_pickle for c",
    trap_object: r"must hold only known members, but got 'program/data/constants/opaque_obj_0'",
    trap_sample: r"Sample inputs must be empty, because they are pickled, but got \d+ bytes",
    trap_expression: r"An expression must be a shape, but got \"open\(",
    trap_guard: r"Sample inputs must be empty, because they are pickled, but got \d+ bytes",
}


@pytest.mark.parametrize(("trap", "message"), TRAPS.items())
def test_trap_is_refused_and_never_runs(
    members: Members, canary: Path, tmp_path: Path, trap: Callable[..., Members], message: str
) -> None:
    path = write_members(tmp_path / "program.pt2", trap(members, canary))
    with pytest.raises(Pt2Error, match=message):
        load_program(path)
    assert not canary.exists()


@pytest.mark.parametrize("trap", TRAPS)
def test_traps_run_in_torch_s_own_loader(
    members: Members, canary: Path, tmp_path: Path, trap: Callable[..., Members]
) -> None:
    path = write_members(tmp_path / "program.pt2", trap(members, canary))
    with contextlib.suppress(Exception):  # whatever comes after the trap
        torch.export.load(path).module()(torch.zeros(2, 15, 4, 32, 32))
    assert canary.exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.conv2d.__class__",
        "torch.ops.image.read_file.default",
        "torch.classes.aoti.AOTIModelContainerRunnerCpu",
        "torch.hub.load",
        "torch.ops.aten.relu.default.__init__.__globals__",
        "_operator.attrgetter",
        "math.prod",
        "#extension:op",
    ],
)
def test_unknown_operator_is_refused(members: Members, tmp_path: Path, target: str) -> None:
    def change(content: Any) -> None:
        content["graph_module"]["graph"]["nodes"][-1]["target"] = target

    path = write_members(tmp_path / "program.pt2", change_json(members, GRAPH, change))
    with pytest.raises(Pt2Error, match=f"An operator must be listed in .*, but got '{target}'"):
        load_program(path)


def put_guard(content: Any) -> None:
    content["guards_code"] = ["bool(open('canary', 'w'))"]


def put_object(content: Any) -> None:
    content["graph_module"]["graph"]["custom_obj_values"] = {"obj": {"name": "obj"}}


def put_name(content: Any) -> None:
    content["graph_module"]["graph"]["nodes"][0]["name"] = "x = open('canary', 'w')"


def put_string(content: Any) -> None:
    argument = {"name": "a", "arg": {"as_string": "/etc/passwd"}, "kind": 2}
    content["graph_module"]["graph"]["nodes"][0]["inputs"].append(argument)


def put_operator(content: Any) -> None:
    argument = {"name": "a", "arg": {"as_operator": "torch.hub.load"}, "kind": 2}
    content["graph_module"]["graph"]["nodes"][0]["inputs"].append(argument)


def put_version(content: Any) -> None:
    content["schema_version"]["major"] = 9


def drop_graph(content: Any) -> None:
    del content["graph_module"]["graph"]["nodes"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_guard, r"A graph must have no guards, because they are code, but got \"bool\(open"),
        (put_object, "A graph must have no custom objects, but got obj"),
        (put_name, r"A name must be letters, digits and _, but got \"x = open"),
        (put_string, "An argument must be tensors or numbers, but got as_string '/etc/passwd'"),
        (put_operator, "An argument must be tensors or numbers, but got as_operator"),
        (put_version, "A graph must have schema 8, but got 9"),
        (drop_graph, "A graph must be laid out as torch exports it, but got KeyError: 'nodes'"),
    ],
)
def test_graph_with_more_than_numbers_is_refused(
    members: Members, tmp_path: Path, change: Callable[[Any], None], message: str
) -> None:
    path = write_members(tmp_path / "program.pt2", change_json(members, GRAPH, change))
    with pytest.raises(Pt2Error, match=message):
        load_program(path)
