"""ConvGRU: one convolutional GRU at full resolution on the bands themselves, and one convolution on its last state.

Papers: Ballas et al. (2016), Delving Deeper into Convolutional Networks for Learning Video Representations,
arXiv:1511.06432 (the GRU with convolutions); Rußwurm and Körner (2018), Multi-Temporal Land Cover Classification with
Sequential Recurrent Encoders, arXiv:1802.02080 (for series of satellite images).
Published setting: the data set's own code, repository PaulH97/Sen12Landslides, commit 5b313f2: 180 filters, 3x3, initial
state 0, no encoder. Written from these numbers; no code was copied.

As run and as designed differ in missing acquisitions alone: the data set's code passes over an acquisition whose every
pixel is exactly 0; this network updates its state at every acquisition.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from models._checks import check_input, check_positive_integers, check_width

MAX_FILTERS = 512


class ConvGRU(nn.Module):
    """Convolutional GRU over the acquisitions, then a 3x3 convolution.

    With the update gate z, the reset gate r and the candidate n: ``h = (1 - z) h + z n``, where n sees ``r h``.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        filters: Channels of the state.

    Shape:
        x ``(B, T, C, H, W)``, any H and W; logits ``(B, 1, H, W)``.

    Raises:
        ValueError: If a value is invalid, or the network would be too large.
    """

    def __init__(self, in_channels: int, timesteps: int, filters: int = 180) -> None:
        super().__init__()
        check_positive_integers(in_channels=in_channels, timesteps=timesteps)
        check_width("filters", filters, MAX_FILTERS)
        self.in_channels, self.timesteps, self.filters = in_channels, timesteps, filters
        # One convolution of input and state together is the sum of one of each; that of the input is done for all
        # acquisitions at once.
        self.input_conv = nn.Conv2d(in_channels, 3 * filters, 3, padding=1)
        self.gates = nn.Conv2d(filters, 2 * filters, 3, padding=1, bias=False)
        self.candidate = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.head = nn.Conv2d(filters, 1, 3, padding=1)
        # torch's own initial weights for the convolution of both.
        bound = 1 / math.sqrt(9 * (in_channels + filters))
        for conv in (self.input_conv, self.gates, self.candidate):
            for weight in conv.parameters():
                nn.init.uniform_(weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        check_input(x, self.in_channels, self.timesteps, 0)
        steps = self.input_conv(x.transpose(0, 1).flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        state = torch.zeros_like(steps[0, :, : self.filters])
        for step in steps.unbind(0):
            state = self._update(step, state)
        logits: Tensor = self.head(state)
        return logits

    def _update(self, step: Tensor, state: Tensor) -> Tensor:
        """Return the next state ``(B, filters, H, W)``; *step* is the convolved acquisition, ``(B, 3 filters, H, W)``."""
        gates, candidate = torch.split(step, [2 * self.filters, self.filters], dim=1)
        update, reset = torch.sigmoid(gates + self.gates(state)).chunk(2, dim=1)
        new = torch.tanh(candidate + self.candidate(reset * state))
        return torch.lerp(state, new, update)


build = ConvGRU
SPACE: dict[str, list[Any]] = {"filters": [16, 32, 64, 180]}
PUBLISHED: dict[str, Any] = {"filters": 180}
KNOWN_GOOD: dict[str, Any] = {"filters": 32}  # 180 filters cost 30 times as much
NARROW: dict[str, list[Any]] = {"filters": [8]}
PAPER_NAME = "ConvGRU"
