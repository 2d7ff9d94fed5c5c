"""U-ConvLSTM of the data set: a whole 2D U-Net for each acquisition, then a ConvLSTM over their maps at full resolution.

Papers: Rustowicz et al. (2019), Semantic Segmentation of Crop Type in Africa: A Novel Dataset and Analysis of Deep
Learning Methods, CVPR workshops; Shi et al. (2015), Convolutional LSTM Network, arXiv:1506.04214; Cooijmans et al. (2017),
Recurrent Batch Normalization, arXiv:1603.09025.
Published setting: the data set's own code, repository PaulH97/Sen12Landslides, commit 5b313f2, class FCN_CRNN: widths 64,
128, 256, maps and state of 128 channels, mean of the states of all acquisitions. Written from these numbers; no code was
copied. It is not ``unet_convlstm``, whose ConvLSTM is the bottleneck of one U-Net.

As run and as designed differ in the recurrent batch norm. The paper of that norm keeps the statistics of each step apart,
because the first steps differ from the later ones; the data set's code is built for a series of length 1, so all steps
share one set (``step_norm="shared"``, published). ``step_norm="each"`` is the design; it needs the T it was built for.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models._checks import check_choice, check_input, check_positive_integers, check_width

STEP_NORMS = ("shared", "each")
FIRST_SCALE = 0.1  # of the recurrent norm, as in its paper
MAX_WIDTH = 256
DEPTH = 2


def _group_layer(inputs: int, outputs: int) -> list[nn.Module]:
    groups = max(1, outputs // 16)
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return [conv, nn.GroupNorm(groups, outputs), nn.LeakyReLU(inplace=True)]


def _batch_layer(inputs: int, outputs: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return [conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(inplace=True)]


class DateUNet(nn.Module):
    """U-Net of two poolings for one acquisition: ``(N, C, H, W)`` to ``(N, features, H, W)``."""

    def __init__(self, in_channels: int, width: int, features: int) -> None:
        super().__init__()
        one, two, four, half = width, 2 * width, 4 * width, max(1, width // 2)
        self.level1 = nn.Sequential(*_group_layer(in_channels, one), *_group_layer(one, one))
        self.level2 = nn.Sequential(*_group_layer(one, two), *_group_layer(two, two))
        double = nn.ConvTranspose2d(four, two, 2, stride=2)
        self.bottom = nn.Sequential(*_group_layer(two, four), *_group_layer(four, four), double)
        double = nn.ConvTranspose2d(two, one, 2, stride=2)
        self.up = nn.Sequential(*_batch_layer(four, two), *_batch_layer(two, two), double)
        last = nn.Conv2d(half, features, 3, padding=1)
        self.fine = nn.Sequential(*_batch_layer(two, one), *_batch_layer(one, half), last)

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map of each acquisition."""
        first = self.level1(x)
        second = self.level2(F.max_pool2d(first, 2))
        up = self.up(torch.cat([self.bottom(F.max_pool2d(second, 2)), second], dim=1))
        maps: Tensor = self.fine(torch.cat([up, first], dim=1))
        return maps


class RecurrentNorm(nn.Module):
    """Batch norm with a scale and no shift, whose running statistics belong to a step of the recurrence.

    Args:
        channels: Channels of the maps.
        steps: Sets of statistics: 1 that all steps share, or one per step.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.weight = nn.Parameter(torch.full((channels,), FIRST_SCALE))
        self.register_buffer("running_mean", torch.zeros(steps, channels))
        self.register_buffer("running_var", torch.ones(steps, channels))

    def forward(self, x: Tensor, step: int) -> Tensor:
        """Normalise ``(B, C, H, W)`` of one step."""
        place = min(step, self.steps - 1)
        statistics = self.running_mean[place], self.running_var[place]
        return F.batch_norm(x, *statistics, self.weight, None, self.training)


class NormedConvLSTM(nn.Module):
    """ConvLSTM with a recurrent norm on both convolutions and on tanh of the memory; returns the mean of its states.

    Args:
        channels: Channels of each step.
        filters: Channels of the state.
        steps: Sets of the norms' statistics.

    Shape:
        Input ``(T, B, channels, H, W)``, time first; output ``(B, filters, H, W)``.
    """

    def __init__(self, channels: int, filters: int, steps: int) -> None:
        super().__init__()
        self.filters = filters
        self.input_conv = nn.Conv2d(channels, 4 * filters, 3, padding=1)
        self.state_conv = nn.Conv2d(filters, 4 * filters, 3, padding=1)
        self.input_norm = RecurrentNorm(4 * filters, steps)
        self.state_norm = RecurrentNorm(4 * filters, steps)
        self.cell_norm = RecurrentNorm(filters, steps)

    def forward(self, steps: Tensor) -> Tensor:
        """Return the mean of the states after each step."""
        from_input = self.input_conv(steps.flatten(0, 1)).unflatten(0, (steps.shape[0], -1))
        h = torch.zeros_like(from_input[0, :, : self.filters])
        c, total = h, h
        for number, step in enumerate(from_input.unbind(0)):
            gates = self.state_norm(self.state_conv(h), number) + self.input_norm(step, number)
            i, f, o, g = gates.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * self.cell_norm(torch.tanh(c), number)
            total = total + h
        return total / steps.shape[0]


class FCNConvLSTM(nn.Module):
    """One U-Net for all acquisitions, a ConvLSTM at full resolution, and a convolution on the mean of its states.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        width: Channels of the U-Net's first level; each of the two deeper levels doubles them.
        filters: Channels of the ConvLSTM's input and state.
        step_norm: Statistics of the recurrent norm: ``"shared"`` by all steps as run, or of ``"each"`` step as designed.

    Shape:
        x ``(B, T, C, H, W)``, H and W multiples of 4; logits ``(B, 1, H, W)``.

    Raises:
        ValueError: If a value is invalid, or the network would be too large.
    """

    def __init__(
        self,
        in_channels: int,
        timesteps: int,
        width: int = 64,
        filters: int = 128,
        step_norm: str = "shared",
    ) -> None:
        super().__init__()
        check_positive_integers(in_channels=in_channels, timesteps=timesteps)
        check_width("width", width, MAX_WIDTH)
        check_width("filters", filters, 2 * MAX_WIDTH)
        check_choice("step_norm", step_norm, STEP_NORMS)
        self.in_channels, self.timesteps, self.depth = in_channels, timesteps, DEPTH
        self.unet = DateUNet(in_channels, width, filters)
        steps = 1 if step_norm == "shared" else timesteps
        self.convlstm = NormedConvLSTM(filters, filters, steps)
        self.head = nn.Conv2d(filters, 1, 3, padding=1)
        for part in (*self.unet.modules(), *self.convlstm.modules()):  # of the head, torch's own
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                nn.init.kaiming_normal_(part.weight)
                nn.init.zeros_(part.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        check_input(x, self.in_channels, self.timesteps, DEPTH)
        maps = self.unet(x.transpose(0, 1).flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        logits: Tensor = self.head(self.convlstm(maps))
        return logits


build = FCNConvLSTM
SPACE: dict[str, list[Any]] = {
    "width": [16, 32, 64],
    "filters": [32, 64, 128],
    "step_norm": list(STEP_NORMS),
}
PUBLISHED: dict[str, Any] = {"width": 64, "filters": 128, "step_norm": "shared"}
# A sixteenth of the published cost. Shared statistics fit no step of a network in eval mode.
KNOWN_GOOD: dict[str, Any] = {"width": 16, "filters": 32, "step_norm": "each"}
NARROW: dict[str, list[Any]] = {"width": [8], "filters": [8]}
PAPER_NAME = "U-ConvLSTM"
