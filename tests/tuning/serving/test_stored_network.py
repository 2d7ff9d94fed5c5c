"""A logged network as a torch module: the same answers, and refused files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.served_fixtures import write_network_files
from tuning.serving import stored_network
from tuning.serving.program import load_program
from tuning.serving.stored_network import NETWORK, WEIGHTS, TorchProgram, read_network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_network_files(tmp_path)
    return tmp_path


@pytest.fixture
def x() -> np.ndarray:
    noise = np.random.default_rng(0).normal(-12, 4, (2, 4, 4, 32, 48)).astype(np.float32)
    noise[0, 0, 0, :3] = np.nan
    return noise


def test_torch_and_onnx_answer_alike(folder: Path, x: np.ndarray) -> None:
    network = TorchProgram(read_network(folder), torch.device("cpu"))
    wanted = load_program(folder / "model.onnx")(x)
    assert wanted.std() > 0.01
    np.testing.assert_allclose(network(x), wanted, atol=1e-5)
    np.testing.assert_allclose(
        network(np.flip(x, -1)), load_program(folder / "model.onnx")(np.flip(x, -1)), atol=1e-5
    )


def test_network_can_be_trained_on(folder: Path, x: np.ndarray) -> None:
    program = read_network(folder).build()
    assert not program.training
    assert sum(weight.numel() for weight in program.parameters()) > 1000
    before = [weight.clone() for weight in program.model.parameters()]
    optimiser = torch.optim.SGD(program.model.train().parameters(), lr=0.1)
    program(torch.from_numpy(x)).mean().backward()
    optimiser.step()
    after = program.model.parameters()
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_config_is_enough_to_create_the_network(folder: Path) -> None:
    stored = read_network(folder)
    assert stored.config["model"] == "unet"
    assert stored.norm.channels == ("s1asc:VV", "s1asc:VH", "s1dsc:VV", "s1dsc:VH")
    assert stored.multiple == 8
    assert stored.build().state_dict().keys() >= {
        f"model.{name}" for name in load_file(folder / WEIGHTS)
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "../unet"}, r"model must be the name of an architecture, but got '\.\./unet'"),
        ({"model": None}, "model must be the name of an architecture, but got None"),
        ({"timesteps": 99}, "timesteps must be a whole number from 1 to 15, but got 99"),
        ({"mean": [1.0]}, r"mean must be 4 numbers, but got \[1\.0\]"),
        ({"std": [1.0, 1.0, 1.0, "a"]}, r"std must be 4 numbers, but got"),
        ({"std": [1.0, 1.0, 1.0, 0.0]}, r"std must be positive, but got"),
        ({"calibration": None}, "calibration must be 3 numbers, but got None"),
        ({"multiple_px": 1e9}, "multiple_px must be a number of pixels, but got 1000000000"),
    ],
)
def test_config_with_other_values_is_refused(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    path = folder / NETWORK
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ValueError, match=message):
        read_network(folder)


def test_only_who_builds_a_network_needs_its_class(folder: Path) -> None:
    path = folder / NETWORK
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model": "unett"}))
    stored = read_network(folder)
    assert stored.config["model"] == "unett"
    with pytest.raises(ValueError, match=r"'unett'.* 'unet'"):
        stored.build()


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    name = next(iter(weights))
    save_file({**weights, name: torch.zeros(3)}, folder / WEIGHTS)
    with pytest.raises(ValueError, match=rf"must be those of unet .*size mismatch for {name}"):
        read_network(folder).build()


def test_damaged_weights_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (folder / WEIGHTS).read_bytes()
    for damaged in (b"", content[:100], content[:-1], b"\xff" * 1000, b"\x80\x04K\x01."):
        (folder / WEIGHTS).write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a whole safetensors file, but got .*safetensors"):
            read_network(folder).build()
    (folder / WEIGHTS).write_bytes(content)
    monkeypatch.setattr(stored_network, "MAX_WEIGHT_BYTES", 100)
    with pytest.raises(ValueError, match="weights must have at most 0 MB, but got 0 MB"):
        read_network(folder)
