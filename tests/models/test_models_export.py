"""A variant of a network can be exported for any batch and size, and for any number of acquisitions if it reads dates.

The ONNX files of the networks themselves are compared in ``tests/tuning/serving/``.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import models
from tests.support.networks import NAMES, VARIANTS, build, make_days, run, tile

SHAPES = [(2, 3, 32, 64), (1, 3, 32, 32), (1, 3, 96, 32), (5, 3, 64, 128)]  # B, T, H, W
OTHER_TIMES = [(2, 1, 32, 32), (1, 15, 64, 32)]


def make_inputs(
    model: nn.Module, batch: int, timesteps: int, height: int, width: int
) -> tuple[Tensor, ...]:
    """Return the inputs of a network; the first acquisition of the first series is missing where dates are read."""
    x, days = tile(batch, timesteps, 2, height, width), make_days(batch, timesteps)
    if not models.reads_dates(model):
        return (x,)
    if timesteps > 1:
        days[0, 0] = float("nan")
    return x, days


def list_dims(model: nn.Module) -> tuple[dict[int, object], ...]:
    auto = torch.export.Dim.AUTO
    if not models.reads_dates(model):
        return ({0: auto, 3: auto, 4: auto},)
    return {0: auto, 1: auto, 3: auto, 4: auto}, {0: auto, 1: auto}


def list_shapes(model: nn.Module) -> list[tuple[int, int, int, int]]:
    return SHAPES + (OTHER_TIMES if models.reads_dates(model) else [])


@pytest.mark.parametrize("name", sorted(VARIANTS.keys() - set(NAMES)))
def test_exported_network_accepts_any_batch_and_size(name: str, tmp_path: Path) -> None:
    model = build(name, 2, 3).eval()
    inputs = make_inputs(model, 2, 3, 32, 64)
    program = torch.export.export(model, inputs, dynamic_shapes=list_dims(model))
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    for shape in list_shapes(model):
        inputs = make_inputs(model, *shape)
        torch.testing.assert_close(loaded(*inputs), run(model, *inputs), rtol=1e-4, atol=1e-5)
