"""A network is traced once: its graph is stored, found again, and never believed without a comparison."""

import logging
import os
import sys
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.served_fixtures import write_checkpoint
from tuning.serving import onnx_export
from tuning.serving.graph import cache as graph_cache
from tuning.serving.graph.cache import VARIABLE, cache_folder, hash_network, load_graph, store_graph
from tuning.serving.network import LandslideProgram, make_program
from tuning.serving.onnx_export import GraphTemplate, export_graph, save_program
from tuning.serving.program import load_program
from tuning.serving.reference import make_example
from tuning.train.checkpoints import Checkpoint, load_checkpoint


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no graph in memory."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "graphs"))
    monkeypatch.setattr(onnx_export, "_templates", {})
    return tmp_path / "graphs"


_graphs: dict[type[nn.Module], GraphTemplate] = {}  # of all tests: each network is traced once


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the traces."""
    calls: list[int] = []

    def trace(program: LandslideProgram) -> GraphTemplate:
        calls.append(1)
        network = type(program.model)
        if network not in _graphs:
            _graphs[network] = export_graph(program)
        return _graphs[network]

    monkeypatch.setattr(onnx_export, "export_graph", trace)
    return calls


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    (tmp_path / "trial").mkdir()
    return load_checkpoint(write_checkpoint(tmp_path / "trial").best)


class Mean(nn.Module):
    """A network of one weight."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x.mean((1, 2)).unsqueeze(1)


def make_mean(checkpoint: Checkpoint, structure: str = "mean") -> LandslideProgram:
    program = make_program(checkpoint)
    program.model, program.structure = Mean().eval(), structure
    return program


def save_in_new_process(program: LandslideProgram, checkpoint: Checkpoint, file: Path) -> None:
    onnx_export._templates.clear()
    save_program(program, checkpoint.norm, file)


def assert_equal(program: LandslideProgram, checkpoint: Checkpoint, file: Path) -> None:
    x = make_example(checkpoint.norm, 4, 2, 64)
    with torch.no_grad():
        wanted = program(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(load_program(file)(x), wanted, atol=1e-5)


def test_a_later_process_does_not_trace_the_network_again(
    checkpoint: Checkpoint, tmp_path: Path, traced: list[int], folder: Path
) -> None:
    program = make_program(checkpoint)
    save_program(program, checkpoint.norm, tmp_path / "first.onnx")
    assert len(traced) == 1
    (entry,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert entry.stat().st_size < 100_000  # no weights
    with torch.no_grad():
        for weight in program.model.parameters():
            weight += 0.05
    save_in_new_process(program, checkpoint, tmp_path / "second.onnx")
    assert len(traced) == 1
    assert_equal(program, checkpoint, tmp_path / "second.onnx")
    assert (
        load_program(tmp_path / "first.onnx").metadata
        == load_program(tmp_path / "second.onnx").metadata
    )


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "huge", "folder"])
def test_a_damaged_entry_is_made_anew(
    checkpoint: Checkpoint,
    tmp_path: Path,
    traced: list[int],
    folder: Path,
    damage: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    program = make_mean(checkpoint)
    save_program(program, checkpoint.norm, tmp_path / "model.onnx")
    (entry,) = folder.iterdir()
    content = entry.read_bytes()
    if damage == "folder":
        entry.unlink()
        entry.mkdir()
    elif damage == "huge":
        monkeypatch.setattr(graph_cache, "MAX_BYTES", len(content) - 1)
    else:
        changed = content[:90] + bytes([content[90] ^ 1]) + content[91:]
        entry.write_bytes({"cut": content[:200], "changed": changed, "empty": b""}[damage])
    save_in_new_process(program, checkpoint, tmp_path / "model.onnx")
    assert len(traced) == 2
    assert_equal(program, checkpoint, tmp_path / "model.onnx")
    if damage in ("cut", "changed", "empty"):
        assert "made anew: it must be as it was written" in caplog.text
        assert entry.read_bytes() == content
    assert ("must have at most" in caplog.text) == (damage == "huge")
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def test_an_entry_of_another_network_is_found_out_and_replaced(
    checkpoint: Checkpoint, tmp_path: Path, traced: list[int]
) -> None:
    program = make_mean(checkpoint)
    save_program(program, checkpoint.norm, tmp_path / "model.onnx")
    graph, weights, multiple = load_graph("mean", program.model) or pytest.fail("no entry")
    (node,) = [node for node in graph.graph.node if node.op_type == "Sigmoid"]
    node.op_type = "Tanh"
    store_graph("mean", program.model, (graph, weights, multiple))
    save_in_new_process(program, checkpoint, tmp_path / "model.onnx")
    assert len(traced) == 2
    assert_equal(program, checkpoint, tmp_path / "model.onnx")


@pytest.mark.parametrize("place", ["file", "off", "missing home"])
def test_a_cache_that_cannot_be_used_costs_time_alone(
    checkpoint: Checkpoint,
    tmp_path: Path,
    traced: list[int],
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "occupied").write_text("")
    if place == "missing home":
        monkeypatch.delenv(VARIABLE)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", refuse_home)
        assert cache_folder() is None
    else:
        monkeypatch.setenv(VARIABLE, "" if place == "off" else str(tmp_path / "occupied" / "more"))
    program = make_mean(checkpoint)
    for _ in range(2):
        save_in_new_process(program, checkpoint, tmp_path / "model.onnx")
    assert len(traced) == 2
    assert_equal(program, checkpoint, tmp_path / "model.onnx")
    assert ("is not stored for later campaigns" in caplog.text) == (place == "file")
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def refuse_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_costs_time_alone(
    checkpoint: Checkpoint, tmp_path: Path, traced: list[int], folder: Path
) -> None:
    folder.mkdir(mode=0o500)
    for _ in range(2):
        save_in_new_process(make_mean(checkpoint), checkpoint, tmp_path / "model.onnx")
    assert len(traced) == 2


def test_the_folder_follows_the_standard_for_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "landslide" / "graphs"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/mona")
    assert cache_folder() == Path("/home/mona/.cache/landslide/graphs")


NETWORK = """
import torch
class Net(torch.nn.Module):
    def forward(self, x): return x.mean((1, 2)).unsqueeze(1)
"""


def load_module(file: Path) -> Any:
    spec = util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[file.stem] = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_another_source_argument_or_package_is_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "outside_network.py"
    file.write_text(NETWORK)
    network = load_module(file).Net()
    monkeypatch.setitem(sys.modules, file.stem, sys.modules[file.stem])
    first = hash_network("a", nn.Sequential(network))
    assert hash_network("a", nn.Sequential(network)) == first
    assert hash_network("b", nn.Sequential(network)) != first
    assert hash_network("a", nn.Sequential(network, nn.Conv2d(1, 1, 1))) != first
    file.write_text(NETWORK.replace("mean", "amax"))
    assert hash_network("a", nn.Sequential(network)) != first
    file.write_text(NETWORK)
    assert hash_network("a", nn.Sequential(network)) == first
    monkeypatch.setattr(graph_cache, "version", lambda name: "0")
    assert hash_network("a", nn.Sequential(network)) != first


def test_only_the_latest_entries_are_kept(
    checkpoint: Checkpoint,
    tmp_path: Path,
    folder: Path,
    traced: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = make_mean(checkpoint)
    save_program(program, checkpoint.norm, tmp_path / "model.onnx")
    graph = load_graph("mean", program.model) or pytest.fail("no entry")
    (entry,) = folder.iterdir()
    monkeypatch.setattr(graph_cache, "MAX_FILES", 3)
    for age in range(2, 7):
        old = folder / f"{age:064x}.onnx"
        old.write_bytes(entry.read_bytes())
        os.utime(old, (1e9 - age, 1e9 - age))
    os.utime(entry, (1e8, 1e8))
    assert load_graph("mean", program.model) is not None  # its use makes it the latest
    store_graph("other", program.model, graph)
    kept = {file.name for file in folder.iterdir()}
    other = f"{hash_network('other', program.model)}.onnx"
    assert kept == {entry.name, other, f"{2:064x}.onnx"}
