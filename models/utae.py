"""U-TAE: a U-Net whose bottleneck attends over time, and whose skips are summed over time with the same attention.

Paper: Garnot and Landrieu (2021), Panoptic Segmentation of Satellite Image Time Series with Convolutional Temporal
Attention Networks, arXiv:2107.07933.
Published setting: the data set's own code, repository PaulH97/Sen12Landslides, commit 5b313f2: widths 64, 64, 64, 128 down
and 32, 32, 64, 128 up, 16 heads. It has one output convolution, which a batch norm follows. Written from the paper and from
these numbers; no code was copied.

As run and as designed differ in the dates. The paper adds each acquisition's day to the attention's input; in the data
set's code those lines are commented out in every version, so the network that was run cannot tell the order of its
acquisitions, or before from after the event (``dates=False``, published). ``dates=True`` is the design, with days from the
event instead of days from a fixed date; `models.utae_dates` is that network. As run, the encoder also computed each block
twice, to learn the shape of its output; here it does not.
"""

from typing import Any

import torch
from torch import Tensor, nn

from models._checks import (
    check_choice,
    check_input,
    check_multiple,
    check_positive_integers,
    check_series,
    check_share,
    check_width,
)
from models.parts.ltae import LTAE, resize_attention, weigh_groups
from models.parts.series import blank_missing, find_present

KEY_SIZE = 4  # numbers of a query and of a key
NORM_GROUPS = 4  # of the encoder's group norms
MAX_DEPTH = 5  # poolings until a tile of 128 px is 4 px, which the padding by reflection needs
MAX_WIDTH = 512


def _conv(
    inputs: int, outputs: int, norm: nn.Module, size: int = 3, stride: int = 1
) -> list[nn.Module]:
    """Return a convolution with padding by reflection, and its norm."""
    conv = nn.Conv2d(inputs, outputs, size, stride, padding=1, padding_mode="reflect")
    return [conv, norm]


def _group_conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    norm = nn.GroupNorm(NORM_GROUPS, outputs)
    return nn.Sequential(*_conv(inputs, outputs, norm, size, stride), nn.ReLU())


def _batch_conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_conv(inputs, outputs, nn.BatchNorm2d(outputs)), nn.ReLU())


class DownBlock(nn.Module):
    """Half the size by a strided convolution, then a convolution and a residual one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = _group_conv(inputs, inputs, size=4, stride=2)
        self.conv1, self.conv2 = _group_conv(inputs, outputs), _group_conv(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, inputs, H, W)`` to ``(N, outputs, H / 2, W / 2)``."""
        x = self.conv1(self.down(x))
        out: Tensor = x + self.conv2(x)
        return out


class UpBlock(nn.Module):
    """Twice the size by a transposed convolution, joined with the skip, then a convolution and a residual one."""

    def __init__(self, inputs: int, outputs: int, skip: int) -> None:
        super().__init__()
        self.skip_conv = nn.Sequential(nn.Conv2d(skip, skip, 1), nn.BatchNorm2d(skip), nn.ReLU())
        up = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
        self.up = nn.Sequential(up, nn.BatchNorm2d(outputs), nn.ReLU())
        self.conv1, self.conv2 = _batch_conv(outputs + skip, outputs), _batch_conv(outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Join ``(B, inputs, H, W)`` and the skip ``(B, skip, 2 H, 2 W)`` to ``(B, outputs, 2 H, 2 W)``."""
        x = self.conv1(torch.cat([self.up(x), self.skip_conv(skip)], dim=1))
        out: Tensor = x + self.conv2(x)
        return out


class UTAE(nn.Module):
    """U-Net with temporal attention; one encoder for all acquisitions.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        width: Channels of the encoder; twice as many at the bottom.
        decoder_width: Channels of the decoder's finer levels; the two deepest have those of the encoder.
        depth: Number of poolings.
        heads: Attention heads.
        dropout: Share dropped after the attention's MLP; half of it inside the attention.
        dates: False as run (time has no order); True as designed: days from the event are added, and missing
            acquisitions get no attention. Then the network reads dates, and takes any T.

    Shape:
        x ``(B, T, C, H, W)``, H and W multiples of ``2**depth``; days ``(B, T)`` with *dates*; logits ``(B, 1, H, W)``.

    Raises:
        ValueError: If a value is invalid, or the network would be too large.
    """

    def __init__(
        self,
        in_channels: int,
        timesteps: int,
        width: int = 64,
        decoder_width: int = 32,
        depth: int = 3,
        heads: int = 16,
        dropout: float = 0.2,
        dates: bool = False,
    ) -> None:
        super().__init__()
        check_positive_integers(in_channels=in_channels, timesteps=timesteps, heads=heads)
        check_width("width", width, MAX_WIDTH)
        check_width("decoder_width", decoder_width, MAX_WIDTH)
        check_width("depth", depth, MAX_DEPTH)
        check_multiple("width", width, "heads", heads)
        check_multiple("width", width, "groups of the norm", NORM_GROUPS)
        check_share("dropout", dropout)
        check_choice("dates", dates, (False, True))
        self.in_channels, self.timesteps, self.depth = in_channels, timesteps, depth
        self.reads_dates = dates
        down = [width] * depth + [2 * width]
        up = [decoder_width] * (depth - 1) + [width, 2 * width]
        self.in_conv = nn.Sequential(_group_conv(in_channels, width), _group_conv(width, width))
        self.down_blocks = nn.ModuleList(DownBlock(*down[i : i + 2]) for i in range(depth))
        self.temporal_encoder = LTAE(2 * width, heads, KEY_SIZE, dropout)
        self.up_blocks = nn.ModuleList(
            UpBlock(up[i], up[i - 1], down[i - 1]) for i in range(depth, 0, -1)
        )
        self.out_conv = nn.Sequential(*_conv(up[0], 1, nn.BatchNorm2d(1)))

    def forward(self, x: Tensor, days: Tensor | None = None) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``, and of ``days (B, T)`` if dates are read."""
        present = None
        if self.reads_dates:
            if days is None:
                raise ValueError(
                    "A U-TAE with dates=True takes x and days, but got x alone. Pass the days too."
                )
            check_series(x, days, self.in_channels, self.depth)
            present = find_present(days)
            x, days = blank_missing(x, present), torch.where(present, days, torch.zeros_like(days))
        else:
            check_input(x, self.in_channels, self.timesteps, self.depth)
            days = None
        steps = x.shape[1]
        levels = [self.in_conv(x.flatten(0, 1))]
        for block in self.down_blocks:
            levels.append(block(levels[-1]))
        *skips, bottom = [level.unflatten(0, (-1, steps)) for level in levels]
        out, attention = self.temporal_encoder(bottom, days, present)
        for number, (block, skip) in enumerate(zip(self.up_blocks, skips[::-1], strict=True), 1):
            out = block(out, weigh_groups(skip, resize_attention(attention, 2**number)))
        logits: Tensor = self.out_conv(out)
        return logits


build = UTAE
SPACE: dict[str, list[Any]] = {
    "width": [32, 64],
    "decoder_width": [16, 32],
    "depth": [3],
    "heads": [8, 16],
    "dropout": [0.0, 0.1, 0.2],
}
PUBLISHED: dict[str, Any] = {
    "width": 64,
    "decoder_width": 32,
    "depth": 3,
    "heads": 16,
    "dropout": 0.2,
}
KNOWN_GOOD = {**PUBLISHED, "dropout": 0.1}
NARROW: dict[str, list[Any]] = {"width": [8], "decoder_width": [8], "heads": [4]}
PAPER_NAME = "UTAE"
