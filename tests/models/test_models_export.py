"""A variant of a network can be exported for any batch and size.

The ONNX files of the networks themselves are compared in ``tests/tuning/serving/``.
"""

from pathlib import Path

import pytest
import torch

from tests.support.networks import NAMES, VARIANTS, build, run, tile

SHAPES = [(2, 3, 32, 64), (1, 3, 32, 32), (1, 3, 96, 32), (5, 3, 64, 128)]  # B, T, H, W


@pytest.mark.parametrize("name", sorted(VARIANTS.keys() - set(NAMES)))
def test_exported_network_accepts_any_batch_and_size(name: str, tmp_path: Path) -> None:
    model, auto = build(name, 2, 3).eval(), torch.export.Dim.AUTO
    x = tile(2, 3, 2, 32, 64)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: auto, 3: auto, 4: auto},))
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    for batch, timesteps, height, width in SHAPES:
        x = tile(batch, timesteps, 2, height, width)
        torch.testing.assert_close(loaded(x), run(model, x), rtol=1e-4, atol=1e-5)
