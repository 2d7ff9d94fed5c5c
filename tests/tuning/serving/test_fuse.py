"""A network fused for scenes predicts as the logged one."""

from pathlib import Path

import pytest
import torch

from data.pack.channels import select_even_steps
from models import list_models
from models._blocks import CONVS, NORMS
from tests.support.served_fixtures import make_norm, write_checkpoint
from tuning.serving.export import make_example, make_program, make_reference, save_program
from tuning.serving.fuse import fuse
from tuning.serving.onednn import convolve
from tuning.serving.program import Program, load_program
from tuning.train.checkpoints import load_checkpoint

CPU = torch.device("cpu")


def make(folder: Path, **changes: object) -> Program:
    checkpoint = load_checkpoint(write_checkpoint(folder, **changes).best)
    program = make_program(checkpoint)
    save_program(program, make_reference(program, checkpoint.norm), folder / "program.pt2")
    return load_program(folder / "program.pt2")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("model", "conv"), [*zip(list_models(), [*CONVS, "plain"], strict=True)])
def test_a_fused_network_equals_the_logged_one(
    tmp_path: Path, model: str, conv: str, norm: str
) -> None:
    arch = {"width": 4, "depth": 3, "conv": conv, "norm": norm}
    program = make(tmp_path, model=model, arch=arch)
    fused = fuse(program, 4, CPU)
    x = torch.from_numpy(make_example(make_norm(), 15, 2, 48))
    x[0, :, :, :7] = torch.nan
    with torch.inference_mode():
        wanted = program(x)
        picked = x[:, select_even_steps(4)]
        before = picked.clone()
        torch.testing.assert_close(fused(picked), wanted, atol=2e-6, rtol=0)
        torch.testing.assert_close(picked, before, equal_nan=True)  # the input is unchanged
        torch.testing.assert_close(program(x), wanted)  # and so is the program
    assert (fused.series, fused.channels) == (4, 4)
    norms = [step for step in fused.graph.steps if "batch_norm" in str(step.function)]
    # The ConvLSTM's state, which no convolution makes, has one of its own.
    assert len(norms) == (model == "unet_convlstm" and norm == "batch")
    assert wanted.std() > 1e-3


def test_concatenation_is_fused_only_on_a_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arch = {"width": 4, "depth": 2, "conv": "plain", "norm": "batch"}
    program = make(tmp_path, model="attention_unet", arch=arch)
    found = fuse(program, 4, CPU).operators
    assert not any("cat" in name or "conv2d" in name for name in found)
    assert any("relu" in name for name in found)  # of the gates, which no convolution makes
    elsewhere = fuse(program, 4, torch.device("cuda")).operators
    assert {"aten.cat.default", "aten.conv2d.default"} <= elsewhere
    monkeypatch.setattr("tuning.serving.fuse.has_onednn", lambda: False)
    assert fuse(program, 4, CPU).operators == elsewhere


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("sizes", [(3,), (2, 3), (1, 4, 2)])
def test_convolving_parts_equals_convolving_their_concatenation(
    sizes: tuple[int, ...], relu: bool
) -> None:
    parts = [torch.randn(2, size, 9, 7) for size in sizes]
    weight, bias = torch.randn(4, sum(sizes), 3, 3), torch.randn(4)
    how = ([2, 1], [1, 1], [1, 1], 1)
    wanted = torch.conv2d(torch.cat(parts, 1), weight, bias, *how)
    found = convolve(parts, weight, bias, *how, relu=relu)
    torch.testing.assert_close(found, wanted.relu() if relu else wanted)


def test_a_program_that_does_not_select_acquisitions_first_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"must first select its acquisitions, but starts with aten\.sub"
    ):
        fuse(fuse(make(tmp_path), 4, CPU), 4, CPU)
