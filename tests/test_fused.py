"""A network made ready for scenes answers as it was logged."""

from pathlib import Path

import pytest
import torch

from data.inputs import pick_steps
from models import list_models
from models._blocks import CONVS, NORMS
from tests.served_fixtures import make_norm, write_checkpoint
from tuning.evaluate import load_checkpoint
from tuning.export import make_example, make_program, make_reference, save_program
from tuning.fused import fuse
from tuning.served_program import Program, load_program


def make(folder: Path, **changes: object) -> Program:
    checkpoint = load_checkpoint(write_checkpoint(folder, **changes).best)
    program = make_program(checkpoint)
    save_program(program, make_reference(program, checkpoint.norm), folder / "program.pt2")
    return load_program(folder / "program.pt2")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("model", "conv"), [*zip(list_models(), [*CONVS, "plain"], strict=True)])
def test_a_fused_network_answers_as_it_was_logged(
    tmp_path: Path, model: str, conv: str, norm: str
) -> None:
    arch = {"width": 4, "depth": 3, "conv": conv, "norm": norm}
    program = make(tmp_path, model=model, arch=arch)
    fused = fuse(program, 4)
    x = torch.from_numpy(make_example(make_norm(), 15, 2, 48))
    x[0, :, :, :7] = torch.nan
    with torch.inference_mode():
        wanted = program(x)
        picked = x[:, pick_steps(4)]
        before = picked.clone()
        torch.testing.assert_close(fused(picked), wanted, atol=2e-6, rtol=0)
        torch.testing.assert_close(picked, before, equal_nan=True)  # the input is left as it is
        torch.testing.assert_close(program(x), wanted)  # and so is the program
    assert (fused.series, fused.channels) == (4, 4)
    norms = [step for step in fused.graph.steps if "batch_norm" in str(step.function)]
    # The ConvLSTM's state, which no convolution makes, has one of its own.
    assert len(norms) == (model == "unet_convlstm" and norm == "batch")
    assert wanted.std() > 1e-3


def test_what_does_not_pick_acquisitions_first_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"must pick its acquisitions first, but begins with aten\.sub"
    ):
        fuse(fuse(make(tmp_path), 4), 4)
