"""FC-Siam-diff: one encoder for the images before and after, whose differences are the skips.

Paper: Daudt, Le Saux, Boulch (2018), Fully Convolutional Siamese Networks for Change Detection, arXiv:1810.08462.
Published setting: the paper's figure and the authors' repository rcdaudt/fully_convolutional_change_detection, commit
8d9f79d: widths 16, 32, 64, 128, four poolings, batch norm and a dropout of 0.2 after each 3x3 convolution. Written from the
paper; no code was copied.

The paper has one image before and one after. Here the day of an acquisition decides its side (before: 0 or less, after:
more than 0), and each side's features are averaged over its acquisitions, which for one image each is the paper's network. It
has one logit instead of two classes (145 numbers less), and plain 3x3 convolutions where the authors' decoder has
transposed ones of stride 1: the same but for the order of their weights. As run and as designed do not differ.

A series without any acquisition on one side has no difference: its skips are 0, and the deepest map is that of the side
that there is. Missing acquisitions count on no side.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models._checks import check_positive_integers, check_series, check_share, check_width
from models.parts.series import (
    average_sides,
    blank_missing,
    find_present,
    has_both_sides,
    weigh_sides,
)

DEPTH = 4
MAX_WIDTH = 128  # channels of the first level; the deepest has eight times as many


def _block(widths: list[int], dropout: float) -> nn.Sequential:
    """Return a 3x3 convolution, batch norm, ReLU and dropout for each pair of neighbours in *widths*."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.Dropout2d(dropout)]
    return nn.Sequential(*layers)


class SiameseDiff(nn.Module):
    """Siamese encoder and one decoder with absolute differences as skips; it reads dates.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T; the network takes any number.
        width: Channels of the first level; each of the three deeper levels doubles them.
        dropout: Share of feature maps dropped after each convolution.

    Shape:
        x ``(B, T, C, H, W)``, H and W multiples of 16; days from the event ``(B, T)``; logits ``(B, 1, H, W)``.

    Raises:
        ValueError: If a value is invalid, or the network would be too large.
    """

    reads_dates = True

    def __init__(
        self, in_channels: int, timesteps: int, width: int = 16, dropout: float = 0.2
    ) -> None:
        super().__init__()
        check_positive_integers(in_channels=in_channels, timesteps=timesteps)
        check_width("width", width, MAX_WIDTH)
        check_share("dropout", dropout)
        self.in_channels, self.timesteps, self.depth = in_channels, timesteps, DEPTH
        a, b, c, d = (width * 2**level for level in range(DEPTH))
        down = [[in_channels, a, a], [a, b, b], [b, c, c, c], [c, d, d, d]]
        up = [[2 * d, d, d, c], [2 * c, c, c, b], [2 * b, b, a], [2 * a, a]]
        self.encoder = nn.ModuleList(_block(widths, dropout) for widths in down)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(n, n, 3, stride=2, padding=1, output_padding=1) for n in (d, c, b, a)
        )
        self.decoder = nn.ModuleList(_block(widths, dropout) for widths in up)
        self.head = nn.Conv2d(a, 1, 3, padding=1)

    def forward(self, x: Tensor, days: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)`` and ``days (B, T)``."""
        check_series(x, days, self.in_channels, DEPTH)
        steps, weights = x.shape[1], weigh_sides(days)
        both = has_both_sides(weights)
        maps = blank_missing(x, find_present(days)).flatten(0, 1)
        skips: list[Tensor] = []
        for block in self.encoder:
            maps = block(F.max_pool2d(maps, 2) if skips else maps)
            before, after = average_sides(maps.unflatten(0, (-1, steps)), weights)
            skips.append((after - before).abs() * both.to(maps.dtype))
        none_after = weights[:, 1].sum(1)[:, None, None, None] == 0
        out = F.max_pool2d(torch.where(none_after, before, after), 2)
        for up, block, skip in zip(self.ups, self.decoder, skips[::-1], strict=True):
            out = block(torch.cat([up(out), skip], dim=1))
        logits: Tensor = self.head(out)
        return logits


build = SiameseDiff
SPACE: dict[str, list[Any]] = {"width": [8, 16, 24, 32], "dropout": [0.0, 0.1, 0.2]}
PUBLISHED: dict[str, Any] = {"width": 16, "dropout": 0.2}
KNOWN_GOOD: dict[str, Any] = {"width": 16, "dropout": 0.1}
NARROW: dict[str, list[Any]] = {"width": [8]}
PAPER_NAME = "FC-Siam-diff"
