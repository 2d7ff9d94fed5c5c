"""Convolutional LSTM with one convolution per acquisition in Python."""

import torch
from torch import nn


class ConvLSTM(nn.Module):
    """ConvLSTM without peepholes that returns its last state.

    The gates are ``z = W_x * x_t + W_h * h + b``, where ``*`` is a 3x3 convolution with same
    padding; ``c = sigmoid(z_f) c + sigmoid(z_i) tanh(z_g)`` and ``h = sigmoid(z_o) tanh(c)``.

    Args:
        in_channels: Channels of each step.
        filters: Channels of the state.

    Shape:
        Input ``(T, B, C, H, W)``, time first; output ``(B, filters, H, W)``.

    Reference:
        Shi et al. (2015), Convolutional LSTM Network, arXiv:1506.04214. As in Keras, there are no
        peepholes, one bias vector, and an initial forget bias of 1.
    """

    def __init__(self, in_channels: int, filters: int) -> None:
        super().__init__()
        self.filters = filters
        # Gates in the order input, forget, output, candidate: one sigmoid covers the first three.
        self.input_conv = nn.Conv2d(in_channels, 4 * filters, 3, padding=1)
        self.state_conv = nn.Conv2d(filters, 4 * filters, 3, padding=1, bias=False)
        nn.init.xavier_uniform_(self.input_conv.weight)
        nn.init.orthogonal_(self.state_conv.weight)
        bias = torch.zeros(4 * filters)
        bias[filters : 2 * filters] = 1  # the forget gate is open at first
        self.input_conv.bias = nn.Parameter(bias)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """Return the state after the last step."""
        timesteps = steps.shape[0]
        from_input = self.input_conv(steps.flatten(0, 1))  # (T * B, 4 F, H, W)
        first, *others = from_input.unflatten(0, (timesteps, -1)).unbind(0)  # each (B, 4 F, H, W)
        h, c = self._step(first, None)  # the initial state and its convolution are zero
        for gates in others:
            h, c = self._step(gates + self.state_conv(h), c)
        return h

    def _step(
        self, gates: torch.Tensor, c: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return state and memory after one step; *c* is the previous memory, None for zero."""
        i, f, o = torch.sigmoid(gates[:, : 3 * self.filters]).chunk(3, dim=1)
        new = i * torch.tanh(gates[:, 3 * self.filters :])
        c = new if c is None else torch.addcmul(new, f, c)
        return o * torch.tanh(c), c
