"""The work of one tile is counted, not guessed."""

import logging
import math
from pathlib import Path

import pytest
import torch

import models
from tests.support.networks import NAMES


def test_work_is_that_of_the_convolutions() -> None:
    # Three convolutions 3x3 per acquisition, of the input, the gates and the candidate, and one to the logit.
    per_pixel = 3 * 9 * (2 * 24 + 8 * 16 + 8 * 8) + 9 * 8
    gmac = models.count_gmac("convgru", 2, 3, 64, filters=8)
    assert gmac == pytest.approx(64 * 64 * per_pixel / 1e9)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_s_work_is_counted_without_random_numbers(name: str) -> None:
    torch.manual_seed(7)
    wanted = torch.rand(1)
    torch.manual_seed(7)
    small, large = (
        models.count_gmac(name, 4, 4, side, **models.narrow_arch(name)) for side in (64, 128)
    )
    assert torch.rand(1) == wanted
    assert large == pytest.approx(4 * small, rel=0.01)


def test_unknown_work_is_no_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text(
        "from torch import nn\n\n\nclass Own(nn.Module):\n    def __init__(self, in_channels, timesteps):\n"
        "        super().__init__()\n\n    def forward(self, x):\n        return x[:, 0, :1] * float(x.max())\n"
    )
    monkeypatch.setattr("models._registry._added", {})
    name = models.add_network(f"no_meta={tmp_path / 'own.py'}:Own")
    with caplog.at_level(logging.WARNING):
        assert math.isnan(models.count_gmac(name, 2, 2, 32))
    assert (
        "The cost of no_meta per tile is unknown, since torch's meta device cannot run"
        in caplog.text
    )
