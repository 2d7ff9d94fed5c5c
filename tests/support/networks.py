"""The networks of ``models/`` at narrow width, and inputs for them."""

from typing import Any

import torch
from torch import Tensor, nn

import models

NAMES = models.list_models()
# Narrow networks by a name for the test: each of models/, and those arguments that change how time is read.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, models.narrow_arch(name)) for name in NAMES},
    "fcn_convlstm-shared": (
        "fcn_convlstm",
        {**models.narrow_arch("fcn_convlstm"), "step_norm": "shared"},
    ),
}
ORDERLESS = ("utae",)  # networks that treat the acquisitions as a set, and read no dates


def build(variant: str, in_channels: int = 3, timesteps: int = 3, **arch: Any) -> nn.Module:
    """Make a network of ``VARIANTS`` with the same weights each time."""
    name, narrow = VARIANTS[variant]
    torch.manual_seed(0)
    return models.create_model(name, in_channels, timesteps, **{**narrow, **arch})


def tile(*shape: int, seed: int = 0) -> Tensor:
    """Return noise."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make_days(batch: int, timesteps: int) -> Tensor:
    """Return days ``(B, T)`` 12 apart; half of them, and the greater half, after the event."""
    days = 12.0 * (torch.arange(timesteps) - timesteps // 2) + 5
    return days.repeat(batch, 1)


def run(model: nn.Module, x: Tensor, days: Tensor | None = None) -> Tensor:
    """Run a network, on `make_days` if it reads dates and none are given."""
    return models.apply_network(model, x, make_days(*x.shape[:2]) if days is None else days)
