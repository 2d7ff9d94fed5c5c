"""3D U-Net: convolutions over time, height and width; the mean of the acquisitions' logits.

Papers: Çiçek et al. (2016), 3D U-Net, arXiv:1606.06650; Rustowicz et al. (2019), Semantic Segmentation of Crop Type in
Africa: A Novel Dataset and Analysis of Deep Learning Methods, CVPR workshops, whose network this is.
Published setting: the data set's own code, repository PaulH97/Sen12Landslides, commit 5b313f2: widths 64, 128, 256, two
poolings that halve time too, batch norm, leaky ReLU. Written from these numbers; no code was copied.

As run and as designed are the same, except that time was always 15 acquisitions there (15, 7, 3 after the poolings). Here
time is halved only while there are two acquisitions or more, so that T below 4 works; with T of 4 or more nothing differs.
The interpolation that repairs odd lengths is along time alone: along height and width it changes nothing.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models._checks import check_input, check_positive_integers, check_share, check_width

MAX_WIDTH = 256  # channels of the first level; a fourth of those at the bottom
DEPTH = 2


def _layer(inputs: int, outputs: int) -> list[nn.Module]:
    """Return a 3x3x3 convolution with its norm and activation."""
    conv = nn.Conv3d(inputs, outputs, 3, padding=1)
    return [conv, nn.BatchNorm3d(outputs), nn.LeakyReLU(inplace=True)]


def _block(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_layer(inputs, middle), *_layer(middle, outputs))


def _double(inputs: int, outputs: int) -> nn.ConvTranspose3d:
    """Return a transposed convolution that doubles time, height and width."""
    return nn.ConvTranspose3d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)


def halve(x: Tensor) -> Tensor:
    """Max-pool ``(B, C, T, H, W)`` to half its time, height and width; one acquisition stays one."""
    return F.max_pool3d(x, (2 if x.shape[2] > 1 else 1, 2, 2))


def stretch_time(x: Tensor, steps: int) -> Tensor:
    """Interpolate ``(B, C, T, H, W)`` linearly to *steps* acquisitions; the first and the last stay."""
    given = x.shape[2]
    if given == steps:
        return x
    places = [step * (given - 1) / max(1, steps - 1) for step in range(steps)]
    lower = [min(int(place), max(0, given - 2)) for place in places]
    maps = []
    for place, low in zip(places, lower, strict=True):
        share = place - low
        first, second = x[:, :, low], x[:, :, min(low + 1, given - 1)]
        maps.append((1 - share) * first + share * second)
    return torch.stack(maps, dim=2)


class UNet3D(nn.Module):
    """3D encoder and decoder with two skips.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        width: Channels of the first level; each of the two deeper levels doubles them.
        dropout: Share of numbers dropped before the last convolution.

    Shape:
        x ``(B, T, C, H, W)``, H and W multiples of 4; logits ``(B, 1, H, W)``.

    Raises:
        ValueError: If a value is invalid, or the network would be too large.
    """

    def __init__(
        self, in_channels: int, timesteps: int, width: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_positive_integers(in_channels=in_channels, timesteps=timesteps)
        check_width("width", width, MAX_WIDTH)
        check_share("dropout", dropout)
        self.in_channels, self.timesteps, self.depth = in_channels, timesteps, DEPTH
        one, two, four, half = width, 2 * width, 4 * width, max(1, width // 2)
        self.level1, self.level2 = _block(in_channels, one, one), _block(one, two, two)
        self.bottom = nn.Sequential(*_layer(two, four), *_layer(four, four), _double(four, two))
        self.up2 = _block(four, two, two)
        self.up1 = nn.Sequential(_double(two, one), nn.BatchNorm3d(one), nn.LeakyReLU(inplace=True))
        self.fine = _block(two, one, half)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv3d(half, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        check_input(x, self.in_channels, self.timesteps, DEPTH)
        first = self.level1(x.transpose(1, 2))
        second = self.level2(halve(first))
        up = stretch_time(self.bottom(halve(second)), second.shape[2])
        up = self.up1(self.up2(torch.cat([up, second], dim=1)))
        up = self.fine(torch.cat([stretch_time(up, first.shape[2]), first], dim=1))
        logits: Tensor = self.head(self.dropout(up)).mean(2)
        return logits


build = UNet3D
SPACE: dict[str, list[Any]] = {"width": [16, 32, 64], "dropout": [0.0, 0.1, 0.2]}
PUBLISHED: dict[str, Any] = {"width": 64, "dropout": 0.0}
KNOWN_GOOD: dict[str, Any] = {"width": 32, "dropout": 0.0}  # a quarter of the cost
NARROW: dict[str, list[Any]] = {"width": [8]}
PAPER_NAME = "UNet3D"
