"""A small network that reads dates, for tests: pixels after the event against those before it, nearer images weighing more."""

import torch
from torch import Tensor, nn


class DatedNetwork(nn.Module):
    """The difference of the weighted means after and before the event, by a 3x3 convolution; takes any T."""

    reads_dates = True

    def __init__(self, in_channels: int, timesteps: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 1, 3, padding=1)
        self.scale = nn.Parameter(torch.tensor(0.02))

    def forward(self, x: Tensor, days: Tensor) -> Tensor:
        known = ~torch.isnan(days)
        days = torch.where(known, days, 0.0)
        nearness = torch.exp(-self.scale * days.abs())
        means = []
        for side in (days > 0, days <= 0):
            weights = torch.where(known & side, nearness, 0.0)
            weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-6)
            means.append(torch.einsum("btchw,bt->bchw", x, weights))
        logits: Tensor = self.conv(means[0] - means[1])
        return logits
