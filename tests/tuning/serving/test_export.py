"""An exported network predicts as the network does, for every architecture, batch and size."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import list_models
from tests.support.served_fixtures import ARCH, write_checkpoint
from tuning.metrics.histogram import edges
from tuning.metrics.recalibration import Calibration
from tuning.registry.gate import without_calibration
from tuning.serving.export import (
    count_input_dates,
    make_example,
    make_program,
    make_reference,
    save_program,
)
from tuning.serving.program import load_program
from tuning.serving.pt2_archive import Pt2Error
from tuning.serving.weight_swap import read_skeleton
from tuning.train.checkpoints import Checkpoint, load_checkpoint

CASES = {
    "unet": {"width": 4, "depth": 4, "conv": "separable", "norm": "layer"},  # as published
    "attention_unet": {"width": 8, "depth": 3, "conv": "plain", "norm": "group"},
    "unet_convlstm": {**ARCH, "skip_mode": "mean"},
}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return load_checkpoint(write_checkpoint(tmp_path).best)


def test_every_architecture_has_a_case() -> None:
    assert sorted(CASES) == list_models()


@pytest.mark.parametrize("model", CASES)
def test_file_predicts_as_the_network_at_any_batch_and_size(tmp_path: Path, model: str) -> None:
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, model=model, arch=CASES[model]).best)
    program = make_program(checkpoint)
    loaded = save_program(
        program, make_reference(program, checkpoint.norm), tmp_path / "program.pt2"
    )
    for batch, height, width in ((1, 16, 16), (3, 48, 32), (2, 128, 128)):
        x = torch.randn(batch, 15, 4, height, width) * 4 - 12
        x[0, 0, 0, :3] = torch.nan
        with torch.no_grad():
            wanted = program(x)
            assert wanted.std() > 0.005
            torch.testing.assert_close(loaded(x), wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("skip_mode", ["last", "max"])
def test_every_skip_mode_and_few_dates_are_exported(tmp_path: Path, skip_mode: str) -> None:
    changes = {"model": "unet_convlstm", "arch": {**ARCH, "skip_mode": skip_mode}, "timesteps": 1}
    checkpoint = load_checkpoint(write_checkpoint(tmp_path, **changes, steps="event").best)
    program, series = make_program(checkpoint), count_input_dates(checkpoint.config)
    reference: dict[str, Any] = make_reference(program, checkpoint.norm, series)
    loaded = save_program(program, reference, tmp_path / "program.pt2")
    assert (loaded.series, loaded.channels) == (1, 4)
    assert loaded(torch.zeros(2, 1, 4, 32, 32)).shape == (2, 32, 32)


def test_program_moves_completely_to_another_device(checkpoint: Checkpoint, tmp_path: Path) -> None:
    program = make_program(checkpoint)
    program.model = Constant()
    save_program(program, make_reference(program, checkpoint.norm), tmp_path / "program.pt2")
    # A device without numbers stands in for a GPU: it refuses to mix with the CPU.
    loaded = load_program(tmp_path / "program.pt2", "meta")
    assert {buffer.device.type for buffer in loaded.buffers()} == {"meta"}
    assert loaded(torch.empty(3, 15, 4, 48, 32, device="meta")).device.type == "meta"


def test_new_weights_are_written_without_tracing_the_network_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = {}
    for seed in range(2):
        programs[seed] = make_program(load_checkpoint(write_checkpoint(tmp_path / str(seed)).best))
        torch.manual_seed(seed)
        reset(programs[seed])
    norm = load_checkpoint(tmp_path / "0" / "best.pt").norm
    save_program(programs[0], make_reference(programs[0], norm), tmp_path / "0.pt2")
    with monkeypatch.context() as patched:
        patched.setattr(torch.export, "export", None)
        save_program(programs[1], make_reference(programs[1], norm), tmp_path / "1.pt2")
    x = torch.randn(2, 15, 4, 32, 32) * 4 - 12
    with torch.no_grad():
        wanted = [programs[seed](x) for seed in range(2)]
        assert (wanted[0] - wanted[1]).abs().max() > 0.01
        torch.testing.assert_close(load_program(tmp_path / "1.pt2")(x), wanted[1])
        exported = torch.export.load(tmp_path / "1.pt2").module()  # torch's own way
        torch.testing.assert_close(exported(x), programs[1](x))


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
    reference: dict[str, Any] = make_reference(program, checkpoint.norm)
    save_program(program, reference, tmp_path / "program.pt2")
    program.model = nn.Sequential(program.model, nn.Tanh())  # other names
    again: dict[str, Any] = make_reference(program, checkpoint.norm)
    save_program(program, again, tmp_path / "named.pt2")
    program.model[1] = nn.Sigmoid()  # the same names
    again = make_reference(program, checkpoint.norm)
    loaded = save_program(program, again, tmp_path / "other.pt2")
    x = torch.randn(1, 15, 4, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), program(x))


def test_skeleton_refuses_weights_of_another_network(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    program, file = make_program(checkpoint), tmp_path / "program.pt2"
    save_program(program, make_reference(program, checkpoint.norm), file)
    skeleton, weights = read_skeleton(file), program.state_dict()
    assert skeleton is not None
    with pytest.raises(ValueError, match=r"skeleton's network, but got \['steps'\]"):
        skeleton.write({name: one for name, one in weights.items() if name != "steps"}, file)
    with pytest.raises(ValueError, match="skeleton's network, but got other shapes"):
        skeleton.write(weights | {"mean": torch.zeros(5, 1, 1)}, file)


def test_weights_in_another_order_of_memory_make_no_skeleton(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    program = make_program(checkpoint).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    program.structure = ""  # of none that was exported before
    save_program(program, make_reference(program, checkpoint.norm), tmp_path / "program.pt2")
    assert read_skeleton(tmp_path / "program.pt2") is None


class Constant(nn.Module):
    """A network that creates a tensor on the CPU in its forward pass, like an initial state."""

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros(1, 1, 1, 1, device=x.device) + torch.ones((), device="cpu").to(x.device)
        return x.mean((1, 2)).unsqueeze(1) + state


class Sized(nn.Module):
    """A network that reads its input's size, so that an export for one shape is wrong for others."""

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, channels, height, width = x.shape
        small = nn.functional.avg_pool2d(x.reshape(batch, steps * channels, height, width), 4)
        small = small.mean(1, keepdim=True) * (height // 16)
        return nn.functional.interpolate(small, size=(height, width), mode="bilinear")


def test_network_that_reads_its_input_size_is_exported_for_any_shape(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    program = make_program(checkpoint)
    program.model = Sized()
    loaded = save_program(
        program, make_reference(program, checkpoint.norm), tmp_path / "program.pt2"
    )
    x = torch.randn(3, 15, 4, 64, 48)
    torch.testing.assert_close(loaded(x), program(x))


class Foreign(nn.Module):
    """A network with an operator that is not allowed."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.entr(x.mean((1, 2)).sigmoid()).unsqueeze(1)


def test_network_with_an_unknown_operator_is_refused(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    program = make_program(checkpoint)
    program.model = Foreign()
    reference: dict[str, Any] = make_reference(program, checkpoint.norm)
    with pytest.raises(
        Pt2Error,
        match=r"listed in tuning/serving/operators\.py, but got 'torch\.ops\.aten\.special_entr",
    ):
        save_program(program, reference, tmp_path / "program.pt2")


def test_a_program_gives_calibrated_probabilities(checkpoint: Checkpoint, tmp_path: Path) -> None:
    calibration, file = Calibration(0.8, 0.3, -0.5), tmp_path / "program.pt2"
    program, plain = make_program(checkpoint, calibration), make_program(checkpoint)
    loaded = save_program(program, make_reference(program, checkpoint.norm), file)
    x = torch.from_numpy(make_example(checkpoint.norm))
    with torch.no_grad():
        own = plain(x).numpy()
        assert np.abs(own - loaded(x).numpy()).max() > 0.02
        np.testing.assert_allclose(loaded(x).numpy(), calibration.apply(own), atol=1e-6)
        np.testing.assert_allclose(without_calibration(loaded)(x).numpy(), own, atol=1e-6)
        threshold = float(edges()[30_000])
        kept = calibration.apply(threshold)
        assert ((own >= threshold) != (loaded(x).numpy() >= kept)).mean() < 1e-4  # rounding
