"""A textbook implementation of the ConvLSTM network: one encoder pass per acquisition, eight convolutions per step.

It shares the weights of a `models.unet_convlstm.UNetConvLSTM` and computes the same function (:func:`check_same`).
In training, batch norm here uses the statistics of each acquisition, there those of the whole batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.parts.convlstm import ConvLSTM
from models.unet_convlstm import UNetConvLSTM

TOLERANCE = 1e-4  # of logits


class TextbookConvLSTM(nn.Module):
    """A ConvLSTM whose gates are computed one by one, each from two convolutions.

    Shape:
        steps, a list of T maps ``(B, C, H, W)``; output ``(B, filters, H, W)``.
    """

    def __init__(self, cell: ConvLSTM) -> None:
        super().__init__()
        self.filters = cell.filters
        bias = cell.input_conv.bias
        assert bias is not None  # noqa: S101 - for mypy: the cell makes one
        self.inputs, self.states, self.biases = (
            nn.ParameterList(part.detach().clone() for part in whole.chunk(4))
            for whole in (cell.input_conv.weight, cell.state_conv.weight, bias)
        )

    def _gate(self, at: int, x: Tensor, h: Tensor) -> Tensor:
        from_input = F.conv2d(x, self.inputs[at], self.biases[at], padding=1)
        return from_input + F.conv2d(h, self.states[at], padding=1)

    def forward(self, steps: list[Tensor]) -> Tensor:
        """Return the state after the last step."""
        batch, _, height, width = steps[0].shape
        h = c = steps[0].new_zeros(batch, self.filters, height, width)
        for x in steps:
            i, f, o = (torch.sigmoid(self._gate(at, x, h)) for at in range(3))
            c = f * c + i * torch.tanh(self._gate(3, x, h))
            h = o * torch.tanh(c)
        return h


class TextbookNetwork(nn.Module):
    """The whole network, acquisition by acquisition, with the shapes of the network that it wraps."""

    def __init__(self, network: UNetConvLSTM) -> None:
        super().__init__()
        self.skip_mode = network.skip_mode
        self.encoder, self.bridge, self.decoder = network.encoder, network.bridge, network.decoder
        self.convlstm = TextbookConvLSTM(network.convlstm)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        encoded = [self.encoder(step) for step in x.unbind(1)]
        levels = [torch.stack(level) for level in zip(*encoded, strict=True)]
        bottom = self.bridge(self.convlstm([maps[-1] for maps in encoded]))
        skips = [self._over_time(level) for level in levels[:-1]]
        logits: Tensor = self.decoder([*skips, bottom])
        return logits

    def _over_time(self, level: Tensor) -> Tensor:
        if self.skip_mode == "last":
            return level[-1]
        return level.mean(0) if self.skip_mode == "mean" else level.amax(0)


@torch.no_grad()
def check_same(network: UNetConvLSTM, textbook: TextbookNetwork, x: Tensor) -> None:
    """Raise if the textbook network computes something else.

    Raises:
        ValueError: If logits of either, in eval mode, differ by more than ``TOLERANCE``.
    """
    gap = float((network.eval()(x) - textbook.eval()(x)).abs().max())
    network.train(), textbook.train()
    if not gap <= TOLERANCE:
        raise ValueError(
            f"The textbook network must equal ours to {TOLERANCE}, but its logits differ by {gap:.2g}."
        )
