"""U-Net with attention to dates where it is cheap: an own design for long series at little cost.

Papers it takes from: Garnot and Landrieu (2021), arXiv:2107.07933 (U-TAE: attention over time as bottleneck and in the
skips); Daudt, Le Saux, Boulch (2018), arXiv:1810.08462 (differences as skips); Ronneberger et al. (2015),
doi:10.1007/978-3-319-24574-4_28. There is no published setting: ``PUBLISHED`` are the defaults.

Why it is built so. The cost of a network that convolves each of 15 acquisitions at full resolution is 15 times that of one
image, and most of it is spent on speckle. What a landslide changes is the level of backscatter after the event, and averages
over acquisitions are the best estimate of a level under speckle. So:

- At full resolution no acquisition is convolved alone. The level there is made of each pixel's mean before, mean after, their
  difference, and the standard deviation on either side: sums, which cost next to nothing and keep outlines sharp.
- Each acquisition is convolved from half the resolution on, by a strided convolution, so a date costs about a fourth of what
  it would cost; at a quarter of the resolution the L-TAE attends over time with days from the event, which weighs near and
  snowy dates as training finds best.
- Each skip holds the maps that the attention chose and the difference of the means before and after, so that the change
  itself reaches the decoder, and the attention has to learn only what averages miss.
- Below, and in the decoder, there is one map for all dates: that is a plain small U-Net.

A side without any acquisition has the means and the difference 0.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models._checks import (
    check_choice,
    check_multiple,
    check_positive_integers,
    check_series,
    check_share,
    check_width,
)
from models.parts.blocks import Block, UNetConfig, make_norm_layer, make_pointwise_conv
from models.parts.ltae import LTAE, resize_attention, weigh_groups
from models.parts.series import (
    average_sides,
    blank_missing,
    find_present,
    has_both_sides,
    weigh_sides,
)

NORMS = ("batch", "group")
KEY_SIZE = 4
MAX_WIDTH = 128
DEPTH = 4  # poolings; the acquisitions are apart at the levels 1 and 2
SUMMARIES = 5  # numbers per band at full resolution
VARIANCE_FLOOR = 1e-4  # under the root, whose slope at 0 is infinite


class DateStem(nn.Module):
    """Half resolution for each acquisition: a strided convolution, then one more, ``(N, C, H, W)`` to ``(N, w, H/2, W/2)``."""

    def __init__(self, in_channels: int, width: int, norm: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(in_channels, width, 4, 2, 1, bias=False), make_norm_layer(norm, width)),
            *(nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False)),
            *(make_norm_layer(norm, width), nn.ReLU()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps of each acquisition."""
        maps: Tensor = self.layers(x)
        return maps


def summarise(x: Tensor, weights: Tensor) -> Tensor:
    """Return each pixel's means and standard deviations before and after the event, and the difference of the means.

    Args:
        x: Shape ``(B, T, C, H, W)``.
        weights: Of `models.parts.series.weigh_sides`.

    Returns:
        Shape ``(B, 5 C, H, W)``.
    """
    before, after = average_sides(x, weights)
    squares = average_sides(x.square(), weights)
    spread = [
        (square - mean.square()).clamp(min=0).add(VARIANCE_FLOOR).sqrt()
        for square, mean in zip(squares, (before, after), strict=True)
    ]
    change = (after - before) * has_both_sides(weights).to(x.dtype)
    return torch.cat([before, after, change, *spread], dim=1)


class UNetLTAE(nn.Module):
    """Small date-aware U-Net: acquisitions apart at half and quarter resolution, together elsewhere.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T; the network takes any number.
        width: Channels at full and half resolution; a quarter and below have 2, 4 and 4 times as many.
        heads: Attention heads; they divide *width*.
        dropout: Share of feature maps dropped in the deeper blocks, and of numbers after the attention.
        norm: ``"batch"`` or ``"group"``.

    Shape:
        x ``(B, T, C, H, W)``, H and W multiples of 16; days from the event ``(B, T)``; logits ``(B, 1, H, W)``.

    Raises:
        ValueError: If a value is invalid, or the network would be too large.
    """

    reads_dates = True

    def __init__(
        self,
        in_channels: int,
        timesteps: int,
        width: int = 16,
        heads: int = 4,
        dropout: float = 0.1,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        check_positive_integers(in_channels=in_channels, timesteps=timesteps, heads=heads)
        check_width("width", width, MAX_WIDTH)
        check_multiple("width", width, "heads", heads)
        check_share("dropout", dropout)
        check_choice("norm", norm, NORMS)
        self.in_channels, self.timesteps, self.depth = in_channels, timesteps, DEPTH
        config = UNetConfig(width, 3, dropout, "plain", norm)
        two, four = 2 * width, 4 * width
        self.full = Block(SUMMARIES * in_channels, width, config)
        self.stem = DateStem(in_channels, width, norm)
        self.quarter = Block(width, two, config)
        self.temporal = LTAE(two, heads, KEY_SIZE, dropout)
        self.down = nn.ModuleList([Block(2 * two, four, config), Block(four, four, config)])
        joined = [four + four, four + 2 * two, two + 2 * width, 2 * width]
        outputs = [four, two, width, width]
        self.decoder = nn.ModuleList(
            Block(i, o, config) for i, o in zip(joined, outputs, strict=True)
        )
        self.head = make_pointwise_conv(width, 1)

    def forward(self, x: Tensor, days: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)`` and ``days (B, T)``."""
        check_series(x, days, self.in_channels, DEPTH)
        steps, present, weights = x.shape[1], find_present(days), weigh_sides(days)
        x, days = blank_missing(x, present), torch.where(present, days, torch.zeros_like(days))
        full = self.full(summarise(x, weights))
        half = self.stem(x.flatten(0, 1))
        quarter = self.quarter(F.max_pool2d(half, 2)).unflatten(0, (-1, steps))
        half = half.unflatten(0, (-1, steps))
        chosen, attention = self.temporal(quarter, days, present)
        quarter = torch.cat([chosen, _change(quarter, weights)], dim=1)
        of_half = weigh_groups(half, resize_attention(attention, 2))
        skips = [full, torch.cat([of_half, _change(half, weights)], dim=1), quarter]
        for block in self.down:
            skips.append(block(F.max_pool2d(skips[-1], 2)))
        *skips, out = skips
        for block, skip in zip(self.decoder, skips[::-1], strict=True):
            up = F.interpolate(out, scale_factor=2, mode="bilinear", align_corners=False)
            out = block(torch.cat([up, skip], dim=1))
        logits: Tensor = self.head(out)
        return logits


def _change(maps: Tensor, weights: Tensor) -> Tensor:
    """Return the mean after minus the mean before, 0 where a side is empty."""
    before, after = average_sides(maps, weights)
    return (after - before) * has_both_sides(weights).to(maps.dtype)


build = UNetLTAE
SPACE: dict[str, list[Any]] = {
    "width": [8, 16, 24, 32],
    "heads": [4, 8],
    "dropout": [0.0, 0.1, 0.2],
    "norm": list(NORMS),
}
PUBLISHED: dict[str, Any] = {"width": 16, "heads": 4, "dropout": 0.1, "norm": "batch"}
KNOWN_GOOD: dict[str, Any] = dict(PUBLISHED)
NARROW: dict[str, list[Any]] = {"width": [8], "heads": [4], "norm": ["batch"]}
PAPER_NAME = "UNetLTAE"
