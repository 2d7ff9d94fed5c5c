"""Only networks that read dates are given them."""

import torch
from torch import Tensor, nn

from models import apply_network, reads_dates


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2))[:, None]


class Dated(nn.Module):
    reads_dates = True

    def forward(self, x: Tensor, days: Tensor) -> Tensor:
        weights = (days > 0).float()[:, :, None, None, None]
        return (x * weights).mean((1, 2))[:, None]


def test_only_networks_that_read_dates_are_given_them() -> None:
    x, days = torch.ones(2, 4, 3, 8, 8), torch.tensor([[-5.0, -1.0, 2.0, float("nan")]] * 2)
    assert (reads_dates(Plain()), reads_dates(Dated())) == (False, True)
    assert apply_network(Plain(), x, days).mean() == 1
    assert apply_network(Dated(), x, days).mean() == 0.25
