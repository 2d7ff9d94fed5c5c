"""Lightweight temporal attention (L-TAE): one query per head chooses among the acquisitions of each pixel.

Papers: Garnot and Landrieu (2020), Lightweight Temporal Self-Attention for Classifying Satellite Image Time Series,
arXiv:2007.00586; Garnot and Landrieu (2021), Panoptic Segmentation of Satellite Image Time Series with Convolutional
Temporal Attention Networks, arXiv:2107.07933. Written from the papers; no code was copied.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PERIOD = 1000.0  # days of the slowest sinusoid divided by 2 pi, as published for U-TAE
MASKED = -1e4  # score of a missing acquisition: its attention is 0, also in half precision


def encode_days(days: Tensor, size: int) -> Tensor:
    """Encode days as sines and cosines of falling frequency (Vaswani et al. 2017, arXiv:1706.03762).

    Args:
        days: Shape ``(B, T)``, finite; may be negative.
        size: Numbers per day, even.

    Returns:
        Shape ``(B, T, size)``, float32: sine and cosine in turn.
    """
    steps = torch.arange(0, size, 2, device=days.device, dtype=torch.float32)
    angles = days.float()[:, :, None] / torch.pow(PERIOD, steps / size)
    return torch.stack([angles.sin(), angles.cos()], dim=3).flatten(2)


class SeriesGroupNorm(nn.GroupNorm):
    """Group normalisation of each pixel over time and the channels of a group; missing acquisitions do not count."""

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """Normalise ``x (B, T, C, H, W)``; *present* ``(B, T)`` says which acquisitions exist, all if None."""
        groups = torch.unflatten(x.float(), 2, (self.num_groups, -1))  # (B, T, G, C / G, H, W)
        if present is None:
            mean = groups.mean((1, 3), keepdim=True)
            variance = (groups - mean).square().mean((1, 3), keepdim=True)
        else:
            share = present.float() / present.float().sum(1, keepdim=True).clamp(min=1)
            weight = share[:, :, None, None, None, None] / groups.shape[3]
            mean = (weight * groups).sum((1, 3), keepdim=True)
            variance = (weight * (groups - mean).square()).sum((1, 3), keepdim=True)
        normal = ((groups - mean) * torch.rsqrt(variance + self.eps)).flatten(2, 3)
        scaled: Tensor = normal * self.weight[:, None, None] + self.bias[:, None, None]
        return scaled


class LTAE(nn.Module):
    """Temporal attention per pixel; one learnt query per head, so no acquisition attends to another.

    Args:
        channels: Channels of the input and of the output.
        heads: Attention heads; they divide *channels* and ``2 * channels``.
        key_size: Numbers of a query and of a key.
        dropout: Share dropped after the MLP; half of it inside the attention (published: 0.2 and 0.1).

    Shape:
        x ``(B, T, C, H, W)``; output ``(B, C, H, W)`` and attention ``(B, T, heads, H, W)``, which adds up to 1 over time.
    """

    def __init__(self, channels: int, heads: int, key_size: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.key_size, self.inner = heads, key_size, 2 * channels
        self.in_norm = SeriesGroupNorm(heads, channels)
        self.inconv = nn.Conv2d(channels, self.inner, 1)
        self.query = nn.Parameter(torch.empty(heads, key_size))
        self.keys = nn.Conv2d(self.inner, heads * key_size, 1)
        self.mlp = nn.Sequential(
            nn.Conv2d(self.inner, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.out_norm = SeriesGroupNorm(heads, channels)
        self.dropout, self.attention_dropout = nn.Dropout(dropout), nn.Dropout(dropout / 2)
        for weight in (self.query, self.keys.weight):
            nn.init.normal_(weight, std=math.sqrt(2 / key_size))

    def forward(
        self, x: Tensor, days: Tensor | None = None, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the map that the heads agree on, and their attention.

        Args:
            x: Shape ``(B, T, C, H, W)``.
            days: Finite days, shape ``(B, T)``, added as sinusoids; without them time has no order.
            present: Which acquisitions exist, shape ``(B, T)``; all if None.
        """
        steps = x.shape[1]
        values = self.inconv(self.in_norm(x, present).flatten(0, 1)).unflatten(0, (-1, steps))
        if days is not None:
            code = encode_days(days, self.inner // self.heads).repeat(1, 1, self.heads)
            values = values + code.to(values.dtype)[:, :, :, None, None]
        keys = self.keys(values.flatten(0, 1)).unflatten(0, (-1, steps))
        keys = keys.unflatten(2, (self.heads, self.key_size))  # (B, T, heads, key, H, W)
        scores = (keys * self.query[:, :, None, None]).sum(3) / math.sqrt(self.key_size)
        if present is not None:
            scores = scores.float().masked_fill(~present[:, :, None, None, None], MASKED)
        attention = self.attention_dropout(scores.softmax(1))
        chosen = weigh_groups(values, attention)
        out = self.dropout(self.mlp(chosen))
        return self.out_norm(out[:, None]).squeeze(1), attention


def weigh_groups(maps: Tensor, attention: Tensor) -> Tensor:
    """Add up maps over time, each group of channels with the attention of its head.

    Args:
        maps: Shape ``(B, T, C, H, W)``; the heads divide C.
        attention: Shape ``(B, T, heads, H, W)``.

    Returns:
        Shape ``(B, C, H, W)``.
    """
    groups = torch.unflatten(maps, 2, (attention.shape[2], -1))  # (B, T, heads, C / heads, H, W)
    total: Tensor = (attention[:, :, :, None] * groups).sum(1)
    return total.flatten(1, 2)


def resize_attention(attention: Tensor, factor: int) -> Tensor:
    """Resize attention ``(B, T, heads, H, W)`` bilinearly to *factor* times its height and width."""
    size = attention.shape[1:3]
    flat = F.interpolate(
        attention.flatten(1, 2), scale_factor=factor, mode="bilinear", align_corners=False
    )
    return torch.unflatten(flat, 1, size)
