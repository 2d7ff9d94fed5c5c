"""An exported network predicts as the network does, for every architecture, batch and size."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from models import create_model, list_models, narrow_arch, published, reads_dates
from tests.support.served_fixtures import ARCH, write_checkpoint
from tuning.metrics.histogram import edges
from tuning.metrics.recalibration import Calibration
from tuning.serving import onnx_export
from tuning.serving.network import LandslideProgram, count_input_dates, find_multiple, make_program
from tuning.serving.onnx_export import ExportError, export_graph, save_program
from tuning.serving.onnx_weights import load_uncalibrated
from tuning.serving.program import Program, load_program
from tuning.serving.reference import TOLERANCE, make_example
from tuning.train.checkpoints import Checkpoint, load_checkpoint

CASES: dict[str, dict[str, Any]] = {
    "unet": {"width": 16, "depth": 4, "conv": "separable", "norm": "layer"},  # as published
    "attention_unet": {"width": 8, "depth": 2, "conv": "plain", "norm": "group"},
    "unet_convlstm": {**ARCH, "skip_mode": "mean"},
    "utae": {**narrow_arch("utae"), "depth": 2},
    **{name: narrow_arch(name) for name in ("convgru", "fcn_convlstm", "unet3d")},
}
MULTIPLES = {"unet": 16, "convgru": 1, "unet_convlstm": 8}  # else 4


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return load_checkpoint(write_checkpoint(tmp_path).best)


def make_input(batch: int, height: int, width: int, dates: int = 4) -> np.ndarray:
    noise = np.random.default_rng(0).normal(-12, 4, (batch, dates, 4, height, width))
    return noise.astype(np.float32)


def answer(program: LandslideProgram, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        probs: np.ndarray = program(torch.from_numpy(x)).numpy()
    return probs


def save_and_load(program: LandslideProgram, checkpoint: Checkpoint, file: Path) -> Program:
    save_program(program, checkpoint.norm, file)
    return load_program(file)


def test_every_architecture_has_a_case() -> None:
    networks = {name: create_model(name, 4, 4, **published(name)) for name in list_models()}
    assert sorted(CASES) == [name for name in networks if not reads_dates(networks[name])]


@pytest.mark.parametrize("model", CASES)
def test_file_predicts_as_the_network_at_any_batch_and_size(tmp_path: Path, model: str) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, model=model, arch=CASES[model]).best)
    program, file = make_program(checkpoint), tmp_path / "model.onnx"
    loaded = save_and_load(program, checkpoint, file)
    onnx.checker.check_model(onnx.load(file), full_check=True)
    assert loaded.multiple == find_multiple(program) == MULTIPLES.get(model, 4)
    for batch, height, width in ((1, 16, 16), (3, 48, 32), (2, 128, 128), (9, 128, 112)):
        x = make_input(batch, height, width)
        x[0, 0, 0, :3] = np.nan
        wanted = answer(program, x)
        close = TOLERANCE if model == "utae" else 1e-5  # its norms amplify what is rounded
        assert wanted.std() > 20 * close
        np.testing.assert_allclose(loaded(x), wanted, atol=close, rtol=0)


@pytest.mark.parametrize("skip_mode", ["last", "max"])
def test_every_skip_mode_and_few_dates_are_exported(tmp_path: Path, skip_mode: str) -> None:
    changes = {
        "model": "unet_convlstm",
        "arch": {**ARCH, "depth": 2, "skip_mode": skip_mode},
        "timesteps": 1,
    }
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, **changes, steps="event").best)
    assert count_input_dates(checkpoint.config) == 1
    loaded = save_and_load(make_program(checkpoint), checkpoint, tmp_path / "model.onnx")
    assert (loaded.timesteps, loaded.channels) == (1, 4)
    assert loaded(make_input(2, 32, 32, 1)).shape == (2, 32, 32)


def test_new_weights_are_written_without_tracing_the_network_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = [
        load_checkpoint(write_checkpoint(tmp_path / str(seed)).best) for seed in range(2)
    ]
    programs = [make_program(checkpoint) for checkpoint in checkpoints]
    for seed, program in enumerate(programs):
        torch.manual_seed(seed)
        reset(program)
    save_program(programs[0], checkpoints[0].norm, tmp_path / "0.onnx")
    with monkeypatch.context() as patched:
        patched.setattr(torch.onnx, "export", None)
        loaded = save_and_load(programs[1], checkpoints[1], tmp_path / "1.onnx")
    x = make_input(2, 32, 32)
    wanted = [answer(program, x) for program in programs]
    assert np.abs(wanted[0] - wanted[1]).max() > 0.01
    np.testing.assert_allclose(loaded(x), wanted[1], atol=1e-5)


def reset(program: nn.Module) -> None:
    """Reinitialise a program's weights."""
    for module in program.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()


def test_network_with_another_graph_is_exported_again(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Even with an equal structure key, because the predictions differ."""
    program = make_program(checkpoint)
    program.model = Mean()
    save_program(program, checkpoint.norm, tmp_path / "first.onnx")
    program.model = nn.Sequential(program.model, nn.Tanh())  # other names
    save_program(program, checkpoint.norm, tmp_path / "named.onnx")
    program.model[1] = nn.Sigmoid()  # the same names
    loaded = save_and_load(program, checkpoint, tmp_path / "other.onnx")
    x = make_input(1, 16, 16)
    np.testing.assert_allclose(loaded(x), answer(program, x), atol=1e-5)


def test_only_some_graphs_are_kept(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "MAX_TEMPLATES", 2)
    monkeypatch.setattr(onnx_export, "_templates", {})
    program = make_program(checkpoint)
    program.model = Mean()
    for name in "abc":
        program.structure = name
        save_program(program, checkpoint.norm, tmp_path / "model.onnx")
    assert list(onnx_export._templates) == ["b", "c"]


def test_graph_refuses_weights_of_another_network(checkpoint: Checkpoint) -> None:
    program = make_program(checkpoint)
    graph, weights = export_graph(program), program.state_dict()
    fewer = {name: one for name, one in weights.items() if name != "norm_mean"}
    with pytest.raises(
        ExportError, match=r"norm_mean must have the shape \(4, 1, 1\), but got none"
    ):
        graph.fill(fewer, {})
    with pytest.raises(ExportError, match=r"\(4, 1, 1\), but got shape \(5, 1, 1\)"):
        graph.fill(weights | {"norm_mean": torch.zeros(5, 1, 1)}, {})


def test_graph_keeps_no_path_of_this_machine(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_program(make_program(checkpoint), checkpoint.norm, tmp_path / "model.onnx", {"a": "b"})
    content = (tmp_path / "model.onnx").read_bytes()
    assert b".py" not in content
    assert b"/unet" not in content
    assert load_program(tmp_path / "model.onnx").metadata == {
        "a": "b",
        "multiple_px": "8",
        "timesteps": "4",
    }


class Mean(nn.Module):
    """A network without weights."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2)).unsqueeze(1)


class Sized(nn.Module):
    """A network that reads its input's size."""

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, channels, height, width = x.shape
        small = nn.functional.avg_pool2d(x.reshape(batch, steps * channels, height, width), 4)
        small = small.mean(1, keepdim=True) * (height // 16)
        return nn.functional.interpolate(small, size=(height, width), mode="bilinear")


class Warped(nn.Module):
    """A network with attention over dates and a sampling grid, operators that are no convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.shift = nn.Parameter(torch.tensor([0.05, -0.1]))

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, channels, height, width = x.shape
        series = x.permute(0, 3, 4, 1, 2).reshape(batch * height * width, steps, channels)
        mixed, _ = self.attention(series, series, series)
        mixed = mixed.mean((1, 2)).reshape(batch, 1, height, width)
        rows, columns = (torch.arange(size) / size * 2 - 1 for size in (height, width))
        grid = torch.stack(torch.broadcast_tensors(columns, rows[:, None]), dim=-1)
        grid = (grid + self.shift).expand(batch, height, width, 2)
        return nn.functional.grid_sample(mixed, grid, align_corners=False)


@pytest.mark.parametrize("network", [Sized, Warped])
def test_network_from_outside_is_exported_for_any_shape(
    checkpoint: Checkpoint, tmp_path: Path, network: type[nn.Module]
) -> None:
    program = make_program(checkpoint)
    torch.manual_seed(0)
    program.model, program.structure = network().eval(), ""
    loaded = save_and_load(program, checkpoint, tmp_path / "model.onnx")
    for shape in ((1, 64, 48), (3, 32, 96)):
        x = make_input(*shape)
        np.testing.assert_allclose(loaded(x), answer(program, x), atol=1e-5)
    assert loaded.local is (network is Sized)


class Branching(nn.Module):
    """A network whose path depends on the values of its input, which no graph can hold."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2)).unsqueeze(1)
        return mean if mean.sum() > 0 else -mean


class Stubborn(nn.Module):
    """A network for one size alone."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != 100:
            raise RuntimeError(f"expected 100 pixels, not {x.shape[-1]}")
        return x.mean((1, 2)).unsqueeze(1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Branching, r"torch\.onnx cannot export the network: .+"),
        (
            Stubborn,
            r"some power of 2 up to 128 px, but at 128 px it said: expected 100 pixels, not",
        ),
    ],
)
def test_network_that_no_graph_can_hold_is_refused_with_the_reason(
    checkpoint: Checkpoint, tmp_path: Path, network: type[nn.Module], message: str
) -> None:
    program = make_program(checkpoint)
    program.model, program.structure = network(), ""
    with pytest.raises(ExportError, match=message):
        save_program(program, checkpoint.norm, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_program_gives_calibrated_probabilities(checkpoint: Checkpoint, tmp_path: Path) -> None:
    calibration, file = Calibration(0.8, 0.3, -0.5), tmp_path / "model.onnx"
    program, plain = make_program(checkpoint, calibration), make_program(checkpoint)
    loaded = save_and_load(program, checkpoint, file)
    x = make_example(checkpoint.norm, 4, 2, 32)
    own = answer(plain, x)
    assert np.abs(own - loaded(x)).max() > 0.02
    np.testing.assert_allclose(loaded(x), calibration.apply(own), atol=1e-5)
    np.testing.assert_allclose(load_uncalibrated(file)(x), own, atol=1e-5)
    threshold = float(edges()[30_000])
    kept = calibration.apply(threshold)
    assert ((own >= threshold) != (loaded(x) >= kept)).mean() < 1e-4  # rounding
